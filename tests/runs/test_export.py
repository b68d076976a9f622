import json
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from calling import call
from export_folders import contents
from stand_ins import converted

from label_image.installing import how_to_install
from label_image.model import load_model
from retrain.cli.main import main
from retrain.core.errors import ExportError
from retrain.exports.registry import FORMATS

SHARED = Path(__file__).resolve().parents[3] / "shared"
VARIANTS = ("graph_def", "tflite", "tflite_float16", "tflite_dynamic", "tflite_int8")


# What is written


def test_everything_has_the_modes_of_the_umask(trained: Path, tmp_path: Path) -> None:
    photos = f"--image_dir {trained / 'photos'} --bottleneck_dir {tmp_path / 'b'}"
    before = os.umask(0o002)
    try:
        main(f"{photos} --output_dir {tmp_path / 'm'} --saved_model_dir {tmp_path / 's'} --architecture fake".split())
        main(f"export {tmp_path / 'm'} --to tflite,tfjs {photos} --serving_dir {tmp_path / 'serving'}".split())
    finally:
        os.umask(before)
    made = [
        path for folder in ("b", "m", "s", "serving") for path in (tmp_path / folder, *(tmp_path / folder).rglob("*"))
    ]
    wrong = [str(path) for path in made if path.stat().st_mode & 0o777 != (0o775 if path.is_dir() else 0o664)]
    assert wrong == []
    assert {"variables", "clients", "templates", "assets.extra"} <= {path.name for path in made}


# Wrong calls


def test_unknown_names_are_a_wrong_call(model: Path) -> None:
    code, _, err = call(main, "export", model, "--to", "tflite,pickle", "--image_dir", "x")
    assert code == 2
    assert "pickle is not known" in err
    assert all(name in err for name in (*FORMATS, "all"))


def test_a_missing_package_is_named_before_any_work(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "tf2onnx" else find_spec(name))
    before = contents(model)
    code, _, err = call(main, "export", model, "--to", "onnx,tflite", "--image_dir", trained / "photos")
    assert code == 1
    assert "onnx needs tf2onnx" in err.replace("\n", " ") and how_to_install("export").split()[1] in err
    assert contents(model) == before


def test_what_is_no_export_is_refused_with_a_sentence(trained: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, why in ((tmp_path / "nowhere", "not an export folder"), (tmp_path / "empty", "no readable model.json")):
        with pytest.raises(ExportError, match=why):
            converted(folder, ("tflite",), str(trained / "photos"), tmp_path)
    (model / "saved_model.pb").unlink()
    with pytest.raises(ExportError, match="has no SavedModel"):
        converted(model, ("tflite",), str(trained / "photos"), tmp_path)


def test_labels_that_are_not_those_of_the_manifest_are_refused_before_any_work(
    trained: Path, model: Path, tmp_path: Path
) -> None:
    labels, command = model / "labels.txt", ("export", model, "--to", "tflite", "--image_dir", trained / "photos")
    alterations = {
        "has other classes than model.json: write the labels": lambda: labels.write_text("red\ngreen\nblue\n"),
        "is not UTF-8: write the labels": lambda: labels.write_bytes(b"\xff\n"),
        "has no labels.txt: write the labels": labels.unlink,
    }
    for sentence, alter in alterations.items():
        alter()
        before = contents(model)
        code, _, err = call(main, *command, "--bottleneck_dir", tmp_path / "b")
        assert code == 1 and sentence in " ".join(err.split()) and contents(model) == before


# The command


def test_the_command_shows_the_table_and_ends_with_json(trained: Path, model: Path, tmp_path: Path) -> None:
    arguments = ("--to", "saved_model,tflite", "--image_dir", trained / "photos", "--serving_dir", tmp_path / "serving")
    code, out, err = call(main, "export", model, *arguments, "--json", "--bottleneck_dir", tmp_path)
    assert code == 0, err
    summary = json.loads(out)
    assert list(summary["formats"]) == ["saved_model", "saved_model_bytes", "tflite"]
    assert summary["formats"]["tflite"]["top_1_agreement"] == 1.0
    assert "Accuracy of the SavedModel: 100.0%" in err
    assert f"written: {model / 'model.tflite'}" in err
    assert summary["serving"] == str(tmp_path / "serving" / "1")
    assert (tmp_path / "serving" / "1" / "saved_model.pb").is_file()


# Real photos


@pytest.mark.real
def test_cats_in_every_precision(tmp_path: Path) -> None:
    """The float formats hold their limits; int8 tells cats from flowers as the float32 one does."""
    cats, flowers = SHARED / "data/cats", SHARED / "data/flowers"
    if not cats.is_dir() or not flowers.is_dir():
        pytest.skip(f"{SHARED}/data is absent")
    main(
        f"--image_dir {cats} --max_images_per_class 30 --testing_percentage 45 --image_size 160 "
        f"--output_dir {tmp_path / 'model'} --bottleneck_dir {tmp_path / 'b'} --model_dir {tmp_path / 'm'} "
        "--formats saved_model".split()
    )
    report = converted(tmp_path / "model", VARIANTS, str(cats), tmp_path)
    assert [result.refused for result in report.results] == [None] * 6
    assert report.photos > 150
    by_name = {result.name: result.judgement for result in report.results}
    for name in ("tflite_dynamic", "tflite_int8"):
        judgement = by_name[name]
        assert judgement is not None and judgement.drop_interval[0] <= 0.01
        assert judgement.bytes < by_name["tflite"].bytes * 0.4
    strange = sorted(flowers.rglob("*.jpg"))[::20]
    exact, int8 = load_model(tmp_path / "model" / "model.tflite"), load_model(tmp_path / "model" / "model_int8.tflite")
    pixels = np.stack([exact.preprocessing.pixels(path.read_bytes()) for path in strange])
    refused = [one.refuses(one.run(pixels)).mean() for one in (exact, int8)]
    assert refused[0] > 0.7 and abs(refused[1] - refused[0]) < 0.1
