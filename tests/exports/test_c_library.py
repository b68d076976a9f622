"""TensorFlow's C library answers as its Python does, and says what is wrong with a model."""

import ctypes
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from classifiers import LABELS, PIXELS, answers_of, assert_same, small_classifier, top_with

from label_image.errors import ModelError
from label_image.model import load_saved_model, pixels_runner
from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.exports.classifier import Classifier
from retrain.exports.formats.saved_model import SIGNATURES, make_template
from retrain.exports.proof import c_library as module
from retrain.exports.proof.c_library import c_library, c_session
from retrain.exports.proof.parity import bytes_runner, c_bytes_runner, c_pixels_runner
from retrain.training.head import Head


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    found = c_library()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return small_classifier()


@pytest.fixture(scope="module")
def template(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A written SavedModel, with the names of its tensors; not to be changed."""
    folder = tmp_path_factory.mktemp("c") / "template"
    make_template(classifier, folder)
    return folder


@pytest.fixture
def unknown_library() -> Iterator[None]:
    """Nothing is remembered of a library that was looked for in a test."""
    c_library.cache_clear()
    yield
    c_library.cache_clear()


def tensors(template: Path, signature: str) -> dict[str, str]:
    return json.loads((template / SIGNATURES).read_text())[signature]


def test_it_answers_as_python_does(library: ctypes.CDLL, classifier: Classifier, template: Path) -> None:
    loaded, many = load_saved_model(template), np.concatenate([PIXELS] * 8)  # more than a batch
    with c_session(library, template) as session:
        pixels = c_pixels_runner(session, tensors(template, "serving_default"))
        encoded = c_bytes_runner(session, tensors(template, "serve_bytes"))
        assert_same(pixels(PIXELS), answers_of(classifier))
        assert_same(pixels(many), pixels_runner(loaded)(many), atol=1e-6)
        assert_same(encoded(many), bytes_runner(loaded)(many), atol=1e-6)
        assert_same(encoded(PIXELS), answers_of(classifier))


def test_a_tensor_that_is_not_there_is_a_sentence(library: ctypes.CDLL, template: Path) -> None:
    with c_session(library, template) as session, pytest.raises(ModelError, match="it has no tensor nothing:0"):
        session.run("nothing:0", PIXELS.astype(np.float32), ["nothing:0"])


def test_what_cannot_be_run_is_a_sentence(library: ctypes.CDLL, template: Path) -> None:
    names = tensors(template, "serving_default")
    with c_session(library, template) as session, pytest.raises(ModelError, match="cannot be run: "):
        session.run(names["image"], [b"no numbers"], [names["scores"]])


@pytest.mark.parametrize("left", [40, 0])
def test_a_damaged_graph_is_a_sentence(left: int, library: ctypes.CDLL, template: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "model"))
    (folder / "saved_model.pb").write_bytes((folder / "saved_model.pb").read_bytes()[:left])
    with pytest.raises(ModelError, match=f"The SavedModel {folder} cannot be run: "), c_session(library, folder):
        pass


def test_damaged_weights_are_a_sentence(library: ctypes.CDLL, tmp_path: Path) -> None:
    network = load_network(find_backbone("mobilenet_0.25_128", Path("."), weights="random"))
    top = top_with(Head(np.zeros((256, 3), np.float32), np.zeros(3, np.float32)))
    make_template(Classifier(network, top, LABELS), tmp_path)
    names, pixels = tensors(tmp_path, "serving_default"), np.zeros((1, 128, 128, 3), np.float32)

    def answer() -> np.ndarray:
        with c_session(library, tmp_path) as session:
            return session.run(names["image"], pixels, [names["scores"]])[0]

    assert answer().shape == (1, 3)
    data = tmp_path / "variables/variables.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be run: "):
        answer()
    (tmp_path / "variables/variables.index").unlink()
    with pytest.raises(ModelError, match="cannot be run: "):
        answer()


def test_a_path_that_it_would_misread(library: ctypes.CDLL, template: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "m[1] 猫"))
    names = tensors(template, "serving_default")
    with c_session(library, folder) as session:
        assert session.run(names["image"], PIXELS.astype(np.float32), [names["scores"]])[0].shape == (5, 3)


@pytest.mark.usefixtures("unknown_library")
def test_where_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "NAMES", ("libelsewhere.so",))
    assert c_library() is None
    c_library.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert c_library() is None


@pytest.mark.parametrize("content", [b"no library", None], ids=["damaged", "another"])
@pytest.mark.usefixtures("unknown_library")
def test_a_library_that_is_not_known_is_not_used(
    content: bytes | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import _ctypes

    other = Path(_ctypes.__file__) if content is None else tmp_path / "lib.so"
    if content is not None:
        other.write_bytes(content)
    monkeypatch.setattr(module, "NAMES", (str(other),))
    assert c_library() is None
