"""Templates: made once, proven once, and never trusted when they are not what they were."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from colour_runs import COLOURS, Train, manifest

from label_image.model import load_model
from retrain.backbones.backbone import find_backbone
from retrain.exports import template, writer
from retrain.exports.formats import saved_model, tflite
from retrain.exports.formats.saved_model import write_saved_model
from retrain.exports.formats.tflite import convert
from retrain.exports.proof import c_library
from retrain.exports.proof.parity import Parity
from retrain.exports.registry import FORMATS, SAVED_MODEL, TRAINING_FORMATS
from retrain.exports.template import KEPT, RECORD, covers, fetch_template, keep_template, kept_folder

FILES = {name: FORMATS[name].template.files for name in TRAINING_FORMATS}
FAKE = find_backbone("fake", Path("."))
COVERS = covers(SAVED_MODEL, FAKE, ("a", "b"))
PROOF = {"saved_model": Parity(1e-6, 1.0, 48), "saved_model_bytes": Parity(1e-6, 1.0, 12)}


def templates(folder: Path = Path("tf_files/bottlenecks/templates")) -> list[Path]:
    return sorted(folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def answers(model: str, photo: Path) -> dict[str, float]:
    return {answer.label: answer.probability for answer in load_model(model).label(photo.read_bytes()).answers}


def flip(path: Path, place: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if place < 0 else place] ^= 0x10
    path.write_bytes(data)


# Kept and fetched


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    for name in FILES[SAVED_MODEL]:
        (tmp_path / "new" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "new" / name).write_bytes(name.encode() * 100)
    folder = kept_folder(tmp_path / "b", COVERS)
    keep_template(tmp_path / "new", folder, COVERS, PROOF)
    return folder


def test_kept_template_is_fetched_with_its_proof(kept: Path, tmp_path: Path) -> None:
    assert fetch_template(kept, COVERS, tmp_path / "copy") == PROOF
    assert contents(tmp_path / "copy") == {name: name.encode() * 100 for name in FILES[SAVED_MODEL]}
    assert [path.name for path in templates(tmp_path / "b/templates")] == [kept.name]


def test_there_is_none_at_first(tmp_path: Path) -> None:
    assert fetch_template(kept_folder(tmp_path / "b", COVERS), COVERS, tmp_path / "copy") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*FILES[SAVED_MODEL], RECORD])
@pytest.mark.parametrize("damage", ["first byte", "middle byte", "last byte", "cut", "empty", "gone", "folder", "pipe"])
def test_damaged_template_is_removed_and_not_used(name: str, damage: str, kept: Path, tmp_path: Path) -> None:
    path = kept / name
    size = path.stat().st_size
    if damage.endswith("byte"):
        flip(path, {"first byte": 0, "middle byte": size // 2, "last byte": size - 1 - (name == RECORD)}[damage])
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[: size // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
        elif damage == "pipe":  # which nobody writes to
            os.mkfifo(path)
    assert fetch_template(kept, COVERS, tmp_path / "copy") is None
    assert not kept.exists()
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("kind", ["link to nothing", "link to itself", "pipe", "file"])
def test_what_is_no_template_makes_way_for_one(kind: str, kept: Path, tmp_path: Path) -> None:
    shutil.move(kept, tmp_path / "new")
    if kind == "pipe":
        os.mkfifo(kept)
    elif kind == "file":
        kept.touch()
    else:
        kept.symlink_to(kept if kind == "link to itself" else tmp_path / "nothing")
    assert fetch_template(kept, COVERS, tmp_path / "copy") is None
    keep_template(tmp_path / "new", kept, COVERS, PROOF)
    assert fetch_template(kept, COVERS, tmp_path / "copy") == PROOF


def test_template_of_something_else_is_not_used(kept: Path, tmp_path: Path) -> None:
    other = covers(SAVED_MODEL, FAKE, ("a", "c"))
    shutil.copytree(kept, kept_folder(tmp_path / "b", other))
    assert fetch_template(kept_folder(tmp_path / "b", other), other, tmp_path / "copy") is None
    assert fetch_template(kept, COVERS, tmp_path / "copy") == PROOF


@pytest.mark.parametrize(
    "change",
    [{"weights_sha256": "other"}, {"architecture": "other"}, {"preprocessing": FAKE.preprocessing.with_size(9)}],
)
def test_another_backbone_has_another_template(change: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_folder(Path("b"), covers(SAVED_MODEL, replace(FAKE, **change), ("a", "b"))) != kept_folder(
        Path("b"), COVERS
    )


def test_other_labels_another_format_or_version_have_another_template(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {
        kept_folder(Path("b"), covers(SAVED_MODEL, FAKE, labels)) for labels in (("a", "b"), ("b", "a"), ("a,b",))
    }
    folders.add(kept_folder(Path("b"), covers("tflite", FAKE, ("a", "b"))))
    monkeypatch.setattr(template, "EXPORT_VERSION", template.EXPORT_VERSION + 1)
    assert len({*folders, kept_folder(Path("b"), covers(SAVED_MODEL, FAKE, ("a", "b")))}) == 5


def test_precision_of_the_bottlenecks_does_not_matter() -> None:
    assert covers(SAVED_MODEL, replace(FAKE, compute_dtype="bfloat16", stored_dtype="float16"), ("a", "b")) == COVERS


def test_only_the_latest_are_kept(tmp_path: Path) -> None:
    kept = []
    for number in range(KEPT + 1):
        for name in FILES[SAVED_MODEL]:
            (tmp_path / "new" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "new" / name).write_bytes(b"x")
        covered = covers(SAVED_MODEL, FAKE, ("a", str(number)))
        kept.append(kept_folder(tmp_path / "b", covered))
        keep_template(tmp_path / "new", kept[-1], covered, PROOF)
        if number < KEPT:
            os.utime(kept[-1] / RECORD, (1000 + number, 1000 + number))
        if number == KEPT - 1:
            assert (
                fetch_template(kept[0], covers(SAVED_MODEL, FAKE, ("a", "0")), tmp_path / "copy") == PROOF
            )  # used now
    assert sorted(templates(tmp_path / "b/templates")) == sorted([kept[0], *kept[2:]])


# In a run


def test_second_run_makes_no_network_and_the_same_files(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train("--saved_model_dir", "sm")[0] == 0
    before, first = contents(Path("tf_files/model")), manifest()
    assert first["template"]["parity"].keys() == first["parity"].keys()
    monkeypatch.setattr(writer, "_load", None)
    code, said = train("--saved_model_dir", "sm")
    assert (code, "sm.1" in said) == (0, False)
    assert contents(Path("tf_files/model")) == before
    assert sorted(path.name for path in Path().glob("sm*")) == ["sm"]
    assert list(manifest()["labels"]) == list(COLOURS)


def test_second_run_imports_no_tensorflow(train: Train, photos: Path) -> None:
    assert train()[0] == 0
    command = ["--image_dir", str(photos), "--architecture", "fake", "--output_dir", "other"]
    code = f"import sys; from retrain.cli.main import main; main({command}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert loaded & {"retrain", "tensorflow", "keras"} == {"retrain"}
    assert manifest("other")["parity"].keys() == {"saved_model", "saved_model_bytes", "tflite"}


def test_where_tensorflow_brings_no_c_library(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    for model, found in (("tf_files/model", c_library.c_library), ("other", lambda: None)):
        monkeypatch.setattr(c_library, "c_library", found)
        assert [train("--output_dir", model)[0] for _ in range(2)] == [0, 0]
    assert manifest("other") == manifest("tf_files/model")


def test_another_head_from_the_same_template(train: Train, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = photos / "猫/3.png"
    assert train()[0] == 0
    before = answers("tf_files/model", photo)
    monkeypatch.setattr(writer, "_load", None)
    assert train("--how_many_training_steps", "3", "--output_dir", "other")[0] == 0
    after = answers("other", photo)
    assert abs(before["猫"] - after["猫"]) > 0.05
    written, earlier = contents(Path("other")), contents(Path("tf_files/model"))
    assert {name for name in written if name.startswith("variables/") and written[name] != earlier[name]} == set()
    assert len(written["saved_model.pb"]) == len(earlier["saved_model.pb"])
    os.unlink("other/model.tflite")
    assert answers("other", photo) == pytest.approx(after, abs=1e-5)


@pytest.mark.parametrize(
    ("format", "name"), [(format, name) for format, files in FILES.items() for name in (*files, RECORD)]
)
def test_damaged_template_is_made_again(format: str, name: str, train: Train) -> None:
    covered = covers(format, FAKE, tuple(COLOURS))
    assert train()[0] == 0
    kept = kept_folder(Path("tf_files/bottlenecks"), covered)
    before = templates()
    assert kept in before
    flip(kept / name)
    damaged = contents(kept)
    assert train()[0] == 0
    assert templates() == before
    assert contents(kept).keys() == damaged.keys()
    assert fetch_template(kept, covered, Path("copy")) is not None
    for proven in FORMATS[format].titles:
        assert manifest()["parity"][proven]["photos"] <= manifest()["template"]["parity"][proven]["photos"]


def test_formats_have_templates_of_their_own(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made and proven without TFLite serves a run with it, and the other way round."""
    made = []
    monkeypatch.setattr(
        saved_model, "write_saved_model", lambda *a: made.append("saved_model") or write_saved_model(*a)
    )
    monkeypatch.setattr(tflite, "convert", lambda *a: made.append("tflite") or convert(*a))
    for names, new in (("tflite", ["tflite"]), ("tflite,saved_model", ["saved_model"]), ("saved_model", [])):
        assert train("--formats", names)[0] == 0
        assert made == new, names
        made.clear()
    assert len(templates()) == 2


def test_without_tflite_none_is_converted_or_left(train: Train, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train()[0] == 0
    with_both, expected = manifest(), answers("tf_files/model", photos / "猫/3.png")
    monkeypatch.setattr(tflite, "append_files", None)
    assert train("--formats", "saved_model")[0] == 0
    assert not Path("tf_files/model/model.tflite").exists()
    assert (with_both["formats"], manifest()["formats"]) == (["saved_model", "tflite"], ["saved_model"])
    for proof in (manifest()["parity"], manifest()["template"]["parity"]):
        assert list(proof) == ["saved_model", "saved_model_bytes"]
    assert answers("tf_files/model", photos / "猫/3.png") == pytest.approx(expected, abs=1e-5)


def test_tflite_alone_is_written_and_runs(train: Train, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train()[0] == 0
    expected = answers("tf_files/model", photos / "猫/3.png")
    monkeypatch.setattr(saved_model, "_fill", None)
    monkeypatch.setattr(writer, "_load", None)
    assert train("--formats", "tflite", "--output_dir", "other")[0] == 0
    assert manifest("other")["formats"] == list(manifest("other")["parity"]) == ["tflite"]
    assert not {"saved_model.pb", "variables"} & {path.name for path in Path("other").iterdir()}
    assert answers("other", photos / "猫/3.png") == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("option", ["output_graph", "saved_model_dir"])
def test_what_is_made_of_the_saved_model_needs_it(option: str, train: Train) -> None:
    code, said = train("--formats", "tflite", f"--{option}", "beside")
    assert code == 2
    assert f"--{option} is made of the SavedModel: add saved_model to --formats" in " ".join(said.split())
    assert not Path("tf_files").exists()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("saved_model,gato", "gato is not known; choose from saved_model, tflite."),
        ("saved_model,coreml", "coreml is written after a training, by `retrain export`; choose from saved_model"),
        ("saved_model,", "empty name"),
        ("SavedModel", "SavedModel is not known"),
    ],
)
def test_formats_that_make_no_sense_are_refused(value: str, sentence: str, train: Train) -> None:
    code, said = train("--formats", value)
    assert code == 2
    assert sentence in " ".join(said.split())
    assert not Path("tf_files").exists()


def test_where_none_can_be_kept_the_run_goes_on(train: Train) -> None:
    Path("tf_files/bottlenecks").mkdir(parents=True)
    Path("tf_files/bottlenecks/templates").write_text("in the way")
    for _ in range(2):
        assert train()[0] == 0
    assert sorted(path.name for path in Path("tf_files").iterdir()) == ["bottlenecks", "model", "model.previous"]
    assert not list(Path("tf_files/bottlenecks").rglob(".*.tmp"))


def test_full_disk_for_the_template_does_not_fail_the_run(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(template.shutil, "move", full)
    assert train()[0] == 0
    assert templates() == []
    assert "猫" in manifest()["labels"]
    assert sorted(path.name for path in Path("tf_files/model").iterdir() if "template" in path.name) == []


def test_two_runs_that_keep_the_same_template(kept: Path, tmp_path: Path) -> None:
    for name in FILES[SAVED_MODEL]:
        (tmp_path / "new" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "new" / name).write_bytes(b"of the later run")
    keep_template(tmp_path / "new", kept, COVERS, PROOF)
    assert fetch_template(kept, COVERS, tmp_path / "copy") == PROOF
    assert [path.name for path in templates(tmp_path / "b/templates")] == [kept.name]
