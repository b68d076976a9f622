"""Names that libraries misread: patterns to TensorFlow, bytes that are no UTF-8, line breaks, hyphens."""

import json
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from label_image.cli import main as label_image
from label_image.files import MISREAD, scratch_folder
from label_image.plain_paths import plain_path
from retrain.cli.main import main as retrain

# All in one: a pattern that does not fit itself, a separator of other systems, a line break, a byte that is not UTF-8.
NAME = os.fsdecode(b"m[1]\\*\n\xe9")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have such names")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of such a name, with photos in another."""
    folder = tmp_path_factory.mktemp("place") / NAME
    for label, colour in {"red": (220, 30, 30), "blue": (30, 30, 220)}.items():
        (folder / NAME / label).mkdir(parents=True)
        for n in range(8):
            pixels = np.full((16, 16, 3), colour, np.uint8) + np.uint8(n)
            Image.fromarray(pixels).save(folder / NAME / label / f"{n}{NAME}.png")
    return folder


@pytest.fixture(scope="module")
def trained(place: Path) -> Path:
    """An export in a folder of such a name, everything else that a training writes beside it."""
    retrain([
        "--image_dir", str(place / NAME), "--architecture", "fake", "--output_dir", str(place / f"out{NAME}"),
        "--bottleneck_dir", str(place / f"b{NAME}"), "--report", str(place / f"{NAME}.html"),
        "--summaries_dir", str(place / f"s{NAME}"), "--output_graph", str(place / f"{NAME}.pb"),
        "--output_labels", str(place / f"l{NAME}"), "--saved_model_dir", str(place / f"saved{NAME}"),
        "--views", "2", "--flip_left_right",
    ])  # fmt: skip
    return place / f"out{NAME}"


def first(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, object]:
    capsys.readouterr()
    label_image([*map(str, arguments), "--json"])
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_training_writes_all_of_it(trained: Path, place: Path) -> None:
    assert {f"out{NAME}", f"b{NAME}", f"{NAME}.html", f"s{NAME}", f"{NAME}.pb", f"saved{NAME}"} <= set(
        os.listdir(place)
    )
    assert (place / f"saved{NAME}/variables/variables.index").exists()
    events = [path for path in (place / f"s{NAME}").rglob("*tfevents*")]
    assert len(events) == 3 and all(path.stat().st_size > 100 for path in events)
    manifest = json.loads((trained / "model.json").read_text(encoding="utf-8"))
    assert manifest["labels"] == ["blue", "red"]


# coremltools leaves a temporary folder to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_each_runtime_reads_it(trained: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    formats = {"graph_def": "graph.pb", "tflite_float16": "model_float16.tflite"}
    formats |= {"onnx": "model.onnx"} if find_spec("tf2onnx") and find_spec("onnxruntime") else {}
    formats |= {"coreml": "model.mlpackage"} if find_spec("coremltools") else {}
    retrain([
        "export", str(trained), "--to", ",".join(formats), "--image_dir", str(place / NAME),
        "--bottleneck_dir", str(place / f"b{NAME}"), "--serving_dir", str(place / f"v{NAME}"),
    ])  # fmt: skip
    assert (place / f"v{NAME}/1/assets.extra/tf_serving_warmup_requests").stat().st_size > 1000
    photo = place / NAME / "red" / f"3{NAME}.png"
    models = [trained, trained / "model.tflite", place / f"{NAME}.pb"]
    models += [trained / file for file in formats.values() if not file.endswith(".mlpackage")]
    for model in models:
        answer = first(capsys, photo, "--model", model)
        assert (answer["label"], answer["image"]) == ("red", str(photo)), model
    drawn = first(capsys, photo, "--model", trained, "--plot", place / f"p{NAME}.png", "--heatmap", place / "h.png")
    assert Path(str(drawn["plot"])).exists()
    (trained / "model.tflite").rename(place / "aside.tflite")
    assert first(capsys, photo, "--model", trained)["label"] == "red"  # by the SavedModel
    (place / "aside.tflite").rename(trained / "model.tflite")


def test_the_other_commands_read_it(trained: Path, place: Path) -> None:
    where = ["--bottleneck_dir", str(place / f"b{NAME}")]
    photos = str(place / NAME)
    predictions, table = place / f"e{NAME}.csv", place / f"w{NAME}.csv"
    retrain(["evaluate", str(trained), photos, "--all_photos", "--predictions", str(predictions), *where])
    retrain(["doctor", photos, "--architecture", "fake", "--output_dir", str(place / f"d{NAME}"), *where])
    retrain(["sweep", "--image_dir", photos, "--architecture", "fake", "--output_csv", str(table), *where])
    assert predictions.exists() and table.exists() and (place / f"d{NAME}/doctor.html").exists()


def test_names_that_look_like_options(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-rf").symlink_to(place / NAME)
    retrain(["--image_dir", "-rf", "--architecture", "fake", "--output_dir=--out", "--formats", "saved_model"])
    retrain(["evaluate", "--all_photos", "--", "--out", "-rf"])
    assert (tmp_path / "--out/saved_model.pb").exists()


def test_weights_of_keras(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    file = tmp_path / f"{NAME}.weights.h5"
    with plain_path(file) as plain:
        model.save_weights(str(plain))
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with plain_path(file) as plain:
        other.load_weights(str(plain))
    assert np.array_equal(model.get_weights()[0], other.get_weights()[0])


def test_a_plain_name_is_used_as_it_is(tmp_path: Path) -> None:
    for name in ("model", "São Bernardo (1) & 猫, 50 %.h5"):
        with plain_path(tmp_path / name) as plain:
            assert plain == tmp_path / name


def test_a_lent_name_is_gone_afterwards(tmp_path: Path) -> None:
    with plain_path(tmp_path / "a*.tar.gz") as plain:
        plain.write_text("text")
        assert plain.name.endswith(".tar.gz") and "*" not in str(plain)
    assert not plain.parent.exists()
    assert (tmp_path / "a*.tar.gz").read_text() == "text"


def test_a_folder_for_temporary_files_of_such_a_name_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / NAME))
    with plain_path(tmp_path / "m[1]") as plain, scratch_folder() as scratch:
        assert not MISREAD.search(str(plain)) and not MISREAD.search(str(scratch))


def test_where_there_is_no_folder_for_temporary_files_one_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(FileNotFoundError, match="TMPDIR"), scratch_folder():
        pass
