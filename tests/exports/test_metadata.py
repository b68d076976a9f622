import io
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from label_image.model import tflite_runner
from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.core.errors import ExportError
from retrain.core.tensorflow import tf
from retrain.exports import metadata as module
from retrain.exports.classifier import Classifier
from retrain.exports.formats.tflite import append_files, convert
from retrain.exports.metadata import metadata, with_metadata
from retrain.exports.top import Top
from retrain.training.head import Head

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def converted(outputs: dict[str, object]) -> bytes:
    """A small model as the converter leaves it; `outputs` maps names to functions of pixels (1, 8, 8, 3)."""
    spec = tf.TensorSpec((1, 8, 8, 3), tf.float32, name="image")
    function = tf.function(lambda image: {name: make(image) for name, make in outputs.items()}, autograph=False)
    root = tf.Module()
    root.function = function
    return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function(spec)], root).convert()


@pytest.fixture(scope="module")
def plain() -> bytes:
    kernel = tf.constant(np.random.default_rng(1).normal(size=(3, 4)), tf.float32)
    return converted(
        {
            "scores": lambda image: tf.nn.softmax(tf.matmul(tf.reduce_mean(image, (1, 2)), kernel)),
            "similarity": lambda image: tf.reduce_max(image, (1, 2, 3), keepdims=True)[:, 0, 0],
        }
    )


def run(model: bytes, path: Path) -> dict[str, np.ndarray]:
    path.write_bytes(model)
    signature = Interpreter(str(path)).get_signature_runner("serving_default")
    return {name: np.array(value) for name, value in signature(image=PIXELS[:1].astype(np.float32)).items()}


def test_outputs_are_in_order_and_the_signature_still_names_them(plain: bytes, tmp_path: Path) -> None:
    model = with_metadata(plain)
    (tmp_path / "model.tflite").write_bytes(model)
    details = Interpreter(str(tmp_path / "model.tflite")).get_output_details()
    assert [tuple(output["shape"]) for output in details] == [(1, 4), (1, 1)]
    assert [output["name"] for output in details] == ["scores", "similarity"]
    before, after = run(plain, tmp_path / "before.tflite"), run(model, tmp_path / "after.tflite")
    assert before.keys() == after.keys() == {"scores", "similarity"}
    for name, values in before.items():
        assert np.array_equal(values, after[name])


def test_outputs_that_are_in_the_other_order_are_put_in_order(plain: bytes, tmp_path: Path) -> None:
    data = bytearray(plain)
    positions = schema.Model.GetRootAs(data, 0).Subgraphs(0).OutputsAsNumpy()
    positions[:] = positions[::-1].copy()
    assert with_metadata(bytes(data)) == with_metadata(plain)


def test_weights_keep_their_alignment(plain: bytes) -> None:
    assert alignments(with_metadata(plain)).items() >= alignments(plain).items()


def alignments(model: bytes) -> dict[bytes, int]:
    """Of each buffer that is not empty: where it begins, modulo 16."""
    root = schema.Model.GetRootAs(model, 0)
    found = {}
    for buffer in map(root.Buffers, range(root.BuffersLength())):
        if buffer.DataLength():
            table = buffer._tab
            found[buffer.DataAsNumpy().tobytes()] = table.Vector(table.Offset(4)) % 16
    return found


class Table:
    """A table of a flatbuffer, read by the numbers of its fields: no schema is needed."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.table = data, flatbuffers.table.Table(bytearray(data), position)

    def __getitem__(self, slot: int) -> int:
        return self.table.Offset(4 + 2 * slot)

    def text(self, slot: int) -> str:
        return self.table.String(self[slot] + self.table.Pos).decode()

    def byte(self, slot: int) -> int:
        return self.data[self[slot] + self.table.Pos] if self[slot] else 0

    def inner(self, slot: int) -> "Table":
        return Table(self.data, self.table.Indirect(self[slot] + self.table.Pos))

    def inners(self, slot: int) -> list["Table"]:
        if not self[slot]:
            return []
        start = self.table.Vector(self[slot])
        return [
            Table(self.data, self.table.Indirect(start + 4 * index))
            for index in range(self.table.VectorLen(self[slot]))
        ]

    def floats(self, slot: int) -> list[float]:
        start, length = self.table.Vector(self[slot]), self.table.VectorLen(self[slot])
        return np.frombuffer(self.data, "<f4", length, start).tolist()


def read(model: bytes) -> Table:
    """The metadata of a TFLite model."""
    root = schema.Model.GetRootAs(model, 0)
    entries = {entry.Name(): entry.Buffer() for entry in map(root.Metadata, range(root.MetadataLength()))}
    data = root.Buffers(entries[b"TFLITE_METADATA"]).DataAsNumpy().tobytes()
    assert data[4:8] == b"M001"
    return Table(data, int.from_bytes(data[:4], "little"))


def test_metadata_says_what_an_app_needs(plain: bytes) -> None:
    root = read(with_metadata(plain))
    (graph,) = root.inners(3)
    (image,) = graph.inners(2)
    scores, similarity = graph.inners(3)
    assert (image.text(0), scores.text(0), similarity.text(0)) == ("image", "scores", "similarity")
    content = image.inner(3)
    assert (content.byte(0), content.inner(1).byte(0)) == (2, 1)  # image properties: RGB
    (unit,) = image.inners(4)
    assert unit.byte(0) == 1  # normalisation
    assert (unit.inner(1).floats(0), unit.inner(1).floats(1)) == ([0.0], [1.0])
    (labels,) = scores.inners(6)
    assert (labels.text(0), labels.byte(2)) == ("labels.txt", 2)
    assert similarity.inners(6) == []
    assert (scores.inner(5).floats(1), scores.inner(5).floats(0)) == ([0.0], [1.0])


def test_a_model_without_similarity_has_one_output_in_its_metadata() -> None:
    model = with_metadata(converted({"scores": lambda image: tf.nn.softmax(tf.reduce_mean(image, (1, 2)))}))
    (graph,) = read(model).inners(3)
    assert [output.text(0) for output in graph.inners(3)] == ["scores"]


def test_other_outputs_are_refused(plain: bytes) -> None:
    other = converted({"scores": lambda image: tf.reduce_mean(image, (1, 2)), "more": lambda image: image + 1})
    with pytest.raises(ExportError, match="more"):
        with_metadata(other)


def test_tables_that_need_more_room_than_was_left_are_written_too(
    plain: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM", 16)
    model = with_metadata(plain)
    assert alignments(model).items() >= alignments(plain).items()
    assert run(model, tmp_path / "a.tflite")["scores"].shape == (1, 4)


def test_metadata_is_the_same_every_time(plain: bytes) -> None:
    assert metadata(["scores", "similarity"]) == metadata(["scores", "similarity"]) != metadata(["scores"])
    assert with_metadata(plain) == with_metadata(plain)


def test_every_training_has_metadata_and_a_readable_zip(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    top = Top(Head(random.normal(size=(3, 2)).astype(np.float32), np.zeros(2, np.float32)), np.eye(3, 2, dtype="f4"))
    model = convert(Classifier(load_network(find_backbone("fake", Path("."))), top, ("a", "b")))
    data = append_files(model, {"labels.txt": "a\nb\n"})
    assert len(read(data).inners(3)) == 1
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("labels.txt") == b"a\nb\n"
    (tmp_path / "model.tflite").write_bytes(data)
    assert tflite_runner(tmp_path / "model.tflite")(PIXELS).probabilities.shape == (5, 2)
