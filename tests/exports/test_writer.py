"""All that a run writes: proven before anything is replaced, and the same every time."""

import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from calling import Called, call
from PIL import Image

from label_image.model import Outputs, load_model
from retrain.cli.main import main
from retrain.exports import writer
from retrain.exports.formats import tflite
from retrain.exports.proof import parity
from retrain.exports.proof.parity import compare


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for index, name in enumerate(("a", "b")):
        (folder / "photos" / name).mkdir(parents=True)
        for n in range(4):
            Image.new("RGB", (9, 9), (index * 200, n, 0)).save(folder / "photos" / name / f"{n}.png")
    return folder


@pytest.fixture
def train(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Called]:
    """Runs `retrain` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return partial(call, main, "--image_dir", made / "photos", "--architecture", "fake")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "format", ["The SavedModel", "The SavedModel (serve_bytes)", "model.tflite", "The frozen graph"]
)
def test_export_that_fails_its_proof_leaves_everything_as_it_was(
    format: str, train: Callable[..., Called], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "tf_files/model"
    model.mkdir(parents=True)
    (model / "model.json").write_text('{"format": "retrain-export"}')
    before = contents(model)

    def fail(name: str, said: Outputs, expected: Outputs) -> parity.Parity:
        wrong = Outputs(expected.probabilities[:, ::-1])
        return compare(name, wrong if name == format else said, expected)

    monkeypatch.setattr(writer, "compare", fail)
    code, shown, said = train("--output_graph", "graph.pb", "--output_labels", "labels.txt", "--saved_model_dir", "sm")
    assert code == 1
    assert f"{format} was not kept" in said
    assert "accuracy" in shown and "written" not in shown  # what was found was shown before
    assert contents(model) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tf_files"]
    assert sorted(path.name for path in (tmp_path / "tf_files").iterdir()) == ["bottlenecks", "model"]


def test_full_disk_is_a_sentence_and_leaves_nothing(
    train: Callable[..., Called], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tflite, "append_files", full)
    code, _, said = train()
    assert code == 1
    assert said.splitlines()[-1] == "Error: The export to tf_files/model failed: No space left on device."
    assert sorted(path.name for path in (tmp_path / "tf_files").iterdir()) == ["bottlenecks"]


def test_output_that_cannot_be_written_is_a_sentence(train: Callable[..., Called], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, said = train("--output_dir", "file/model")
    assert code == 1
    assert said.splitlines()[-1].startswith("Error: ")
    code, _, said = train("--output_graph", "file/graph.pb")
    assert code == 1
    assert said.splitlines()[-1].startswith("Error: ")


def test_equal_runs_make_equal_models(train: Callable[..., Called], tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert train("--output_dir", name, "--bottleneck_dir", f"b_{name}").code == 0
    one, other = contents(tmp_path / "one"), contents(tmp_path / "other")
    assert one.keys() == other.keys()
    differing = {name for name in one if one[name] != other[name]}
    # TensorFlow numbers each SavedModel at random, when its template is made.
    assert differing <= {"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"}


def test_manifest_rides_in_the_tflite_file(train: Callable[..., Called], tmp_path: Path) -> None:
    assert train().code == 0
    with zipfile.ZipFile(tmp_path / "tf_files/model/model.tflite") as archive:
        inside = json.loads(archive.read("model.json"))
        labels = archive.read("labels.txt").decode()
    beside = json.loads((tmp_path / "tf_files/model/model.json").read_text())
    assert beside.pop("parity") and beside.pop("template")
    assert inside == beside
    assert labels == "a\nb\n"
    assert load_model(tmp_path / "tf_files/model/model.tflite").labels == ("a", "b")
