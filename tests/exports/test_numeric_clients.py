"""Programs that take numbers alone, and the SavedModel: OpenVINO opens its folder and its signature `numeric`."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from calling import python_path
from classifiers import PIXELS, answers_of, assert_same, small_classifier

from label_image.model import Outputs, load_saved_model, named_outputs
from retrain.core.tensorflow import tf
from retrain.exports.classifier import Classifier
from retrain.exports.formats.saved_model import write_saved_model


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return small_classifier()


@pytest.fixture(scope="module")
def folder(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved_model")
    write_saved_model(classifier, folder)
    return folder


def test_the_numeric_signature_answers_as_the_default_one_and_has_no_text(folder: Path, classifier: Classifier) -> None:
    loaded = load_saved_model(folder)
    numeric = loaded.signatures["numeric"]
    assert {name: output.dtype for name, output in numeric.structured_outputs.items()} == {
        "scores": tf.float32, "similarity": tf.float32
    }  # fmt: skip
    said = numeric(image=tf.constant(PIXELS, tf.float32))
    assert_same(named_outputs({name: value.numpy() for name, value in said.items()}), answers_of(classifier))


def test_the_embeddings_are_what_the_head_answers_for(folder: Path, classifier: Classifier) -> None:
    embed = load_saved_model(folder).signatures["embed"]
    assert {name: output.shape.as_list() for name, output in embed.structured_outputs.items()} == {
        "embedding": [None, 3]
    }
    found = embed(image=tf.constant(PIXELS, tf.float32))["embedding"].numpy()
    assert np.array_equal(found, classifier.features(tf.constant(PIXELS, tf.float32)).numpy())
    assert_same(classifier._top.outputs(found), answers_of(classifier))


PAGE = Path(__file__).resolve().parents[2] / "docs/exports.md"
PROGRAM = """
import sys
import numpy as np
from label_image.strangers import import_openvino, import_tensorflow
openvino, tf = import_openvino(), import_tensorflow()
exec(sys.argv[1])
run = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
said = run(np.load(sys.stdin.buffer))
np.savez(sys.stdout.buffer, scores=said["scores"], similarity=said["similarity"])
"""


def as_the_page_says(how: str) -> str:
    """The lines of docs/exports.md that make a model of OpenVINO, of the folder or of the signature."""
    blocks = re.findall(r"(?:^ {4}\S.*\n)+", PAGE.read_text(encoding="utf-8"), re.M)
    ways = [textwrap.dedent(block) for block in blocks if "openvino.convert_model" in block]
    (found,) = [way for way in ways if ("signatures" in way) == (how == "signature")]
    return found


@pytest.mark.parametrize("how", ["folder", "signature"])
def test_openvino_converts_it(folder: Path, classifier: Classifier, how: str, tmp_path: Path) -> None:
    """In a process of its own: what OpenVINO cannot compile, it ends."""
    pytest.importorskip("openvino", reason="in the extra openvino")
    np.save(tmp_path / "pixels.npy", PIXELS.astype(np.float32))
    shutil.copytree(folder, tmp_path / "tf_files/model")
    with open(tmp_path / "pixels.npy", "rb") as pixels, open(tmp_path / "said.npz", "wb") as said:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, as_the_page_says(how)],
            env={**os.environ, "PYTHONPATH": python_path(PAGE.parents[1])}, cwd=tmp_path,
            stdin=pixels, stdout=said, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "said.npz")
    assert_same(Outputs(found["scores"], found["similarity"].reshape(-1)), answers_of(classifier))
    assert (tmp_path / "cats/1/model.xml").is_file()
