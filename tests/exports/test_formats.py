"""SavedModel, TFLite and frozen graph answer like the classifier that they were written from, with another top too."""

import errno
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from classifiers import LABELS, PIXELS, answers_of, assert_same, small_classifier, small_top, top_with

from label_image.files import is_temporary
from label_image.model import load_saved_model, pixels_runner, saved_model_runner, tflite_runner
from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.core.errors import ExportError
from retrain.core.tensorflow import tf
from retrain.exports.classifier import Classifier
from retrain.exports.formats.graph_def import write_graph_def
from retrain.exports.formats.saved_model import make_template, put_top_in, write_saved_model
from retrain.exports.formats.tflite import append_files, convert, exchange_top
from retrain.exports.frozen_graph import name_captures
from retrain.exports.proof.parity import bytes_runner, graph_def_runner
from retrain.exports.top import Top
from retrain.training.head import Head


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return small_classifier()


@pytest.fixture
def top() -> Top:
    return small_top()


def test_all_formats_answer_like_the_classifier(classifier: Classifier, tmp_path: Path) -> None:
    write_saved_model(classifier, tmp_path / "saved_model")
    (tmp_path / "model.tflite").write_bytes(convert(classifier))
    write_graph_def(classifier, 8, tmp_path / "graph.pb", "answer")
    reference = answers_of(classifier)
    assert np.ptp(reference.probabilities) > 0.1 and np.ptp(reference.similarity) > 0.01
    runners = {
        "saved_model": saved_model_runner(tmp_path / "saved_model", batch=2),
        "bytes": bytes_runner(load_saved_model(tmp_path / "saved_model")),
        "tflite": tflite_runner(tmp_path / "model.tflite"),
    }
    for run in runners.values():
        assert_same(run(PIXELS), reference)
    said = graph_def_runner(tmp_path / "graph.pb", "answer")(PIXELS)
    assert np.allclose(said.probabilities, reference.probabilities, atol=1e-5)
    assert said.similarity is None


def test_a_top_says_what_the_classifier_says(classifier: Classifier, top: Top) -> None:
    bottlenecks = load_network(find_backbone("fake", Path(".")))(tf.constant(PIXELS, tf.float32)).numpy()
    assert_same(top.outputs(bottlenecks), answers_of(classifier))


def test_frozen_graph_is_the_same_file_every_time(classifier: Classifier, tmp_path: Path) -> None:
    for name in ("1.pb", "2.pb"):
        write_graph_def(classifier, 8, tmp_path / name)
    assert (tmp_path / "1.pb").read_bytes() == (tmp_path / "2.pb").read_bytes()


def test_frozen_graph_of_a_saved_model_is_the_same_file_every_time(classifier: Classifier, tmp_path: Path) -> None:
    write_saved_model(classifier, tmp_path)
    for name in ("1.pb", "2.pb"):
        loaded = load_saved_model(tmp_path)
        serve = loaded.signatures["serving_default"]
        write_graph_def(lambda image, serve=serve: serve(image=image), 8, tmp_path / name)
    assert (tmp_path / "1.pb").read_bytes() == (tmp_path / "2.pb").read_bytes()
    said = graph_def_runner(tmp_path / "1.pb", "final_result")(PIXELS)
    assert np.allclose(said.probabilities, answers_of(classifier).probabilities, atol=1e-5)


def test_captures_are_renamed_wherever_they_are_named() -> None:
    graph = tf.compat.v1.GraphDef()
    for name, op, inputs in (
        ("constant_0", "Const", []),
        ("77", "Const", []),
        ("5", "Identity", ["77:0", "^77", "constant_0", "770"]),
        ("770", "Const", []),
    ):
        graph.node.add(name=name, op=op, input=inputs)
    graph.node[2].attr["_class"].list.s.append(b"loc:@77")
    named = name_captures(graph).node
    assert [node.name for node in named] == ["constant_0", "constant_1", "5", "constant_2"]
    assert list(named[2].input) == ["constant_1:0", "^constant_1", "constant_0", "constant_2"]
    assert list(named[2].attr["_class"].list.s) == [b"loc:@constant_1"]


def test_tflite_file_holds_the_weights(tmp_path: Path) -> None:
    """From a Keras model the converter can make, without a word, a file without weights."""
    network = load_network(find_backbone("mobilenet_0.25_128", Path("."), weights="random"))
    random = np.random.default_rng(0)
    head = Head(random.normal(size=(256, 3)).astype(np.float32), np.zeros(3, np.float32))
    classifier = Classifier(network, top_with(head), LABELS)
    (tmp_path / "model.tflite").write_bytes(convert(classifier))
    # Batch normalisation is folded into the kernels, so only those count.
    kernels = sum(int(np.prod(v.shape)) for v in network.model.trainable_weights + network.model.weights if v.ndim > 1)
    assert (tmp_path / "model.tflite").stat().st_size > kernels * 4 > 500_000
    pixels = random.integers(0, 256, (3, 128, 128, 3), np.uint8)
    answers = tflite_runner(tmp_path / "model.tflite")(pixels)
    assert np.isfinite(answers.probabilities).all()
    assert_same(answers, answers_of(classifier, pixels), atol=1e-4)


def test_what_the_converter_keeps_meanwhile_lies_where_a_killed_run_is_tidied_up(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    make = tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *names: made.append(Path(make(*names))) or str(made[-1]))
    before = tempfile.gettempdir()
    convert(classifier)
    assert made and all(is_temporary(folder.parent.name) for folder in made)
    assert not any(folder.parent.exists() for folder in made) and tempfile.gettempdir() == before


def test_a_network_that_cannot_be_saved_meanwhile_is_a_sentence(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The converter then takes another way, without a word, and loses the names of the outputs."""

    from tensorflow.lite.python import lite

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lite._save, "save", full)
    with pytest.raises(ExportError, match=r"could not save the network in /\S*\. Make room there, .* TMPDIR\."):
        convert(classifier)


def test_text_files_ride_along_the_same_every_time() -> None:
    files = {"labels.txt": "猫\n犬\n", "model.json": "{}"}
    data = append_files(b"TFL3" * 100, files)
    assert data == append_files(b"TFL3" * 100, files)
    assert data.startswith(b"TFL3" * 100)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == files


def test_top_can_be_exchanged_in_both_formats(classifier: Classifier, top: Top, tmp_path: Path) -> None:
    head = Head(np.eye(3, dtype=np.float32) * 2, np.array([0.5, 0, -0.5], np.float32))
    other = Top(head, np.eye(3, dtype=np.float32))
    network = load_network(find_backbone("fake", Path(".")))
    expected = other.outputs(network(tf.constant(PIXELS, tf.float32)).numpy())
    assert np.abs(expected.probabilities - answers_of(classifier).probabilities).max() > 0.1
    make_template(classifier, tmp_path / "template")
    put_top_in(tmp_path / "template", tmp_path, top, other)
    (tmp_path / "model.tflite").write_bytes(exchange_top(convert(classifier), top, other))
    loaded = load_saved_model(tmp_path)
    for run in (pixels_runner(loaded), bytes_runner(loaded), tflite_runner(tmp_path / "model.tflite")):
        assert_same(run(PIXELS), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.tflite", "saved_model.pb", "template", "variables",
    ]  # fmt: skip


@pytest.mark.parametrize("copies", [0, 2])
def test_top_that_is_not_in_the_file_exactly_once_is_not_exchanged(copies: int) -> None:
    random = np.random.default_rng(0)
    old = Top(
        Head(random.normal(size=(4, 3)).astype(np.float32), random.normal(size=3).astype(np.float32)),
        random.normal(size=(4, 3)).astype(np.float32),
    )
    new = Top(Head(old.head.kernel + 1, old.head.bias + 1), old.means + 1)
    kernel, bias, means = (array.T.tobytes() for array in old.arrays)
    exchanged = b"b".join(array.T.tobytes() for array in new.arrays)
    assert exchange_top(b"a" + kernel + b"b" + bias + b"b" + means, old, new) == b"a" + exchanged
    for data in (kernel * copies + bias + means, kernel + bias * copies + means, kernel + bias + means * copies):
        with pytest.raises(ExportError, match="exactly once"):
            exchange_top(data, old, new)


def test_weights_are_in_the_saved_model_once(tmp_path: Path) -> None:
    network = load_network(find_backbone("mobilenet_0.25_128", Path("."), weights="random"))
    head = Head(np.zeros((256, 3), np.float32), np.zeros(3, np.float32))
    write_saved_model(Classifier(network, top_with(head), LABELS), tmp_path)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    weights = sum(int(np.prod(weight.shape)) for weight in network.model.weights) * 4
    assert weights * 0.9 < size < weights + 800_000
