import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.core.errors import ExportError
from retrain.core.tensorflow import tf
from retrain.exports.classifier import Classifier
from retrain.exports.formats.saved_model import write_saved_model
from retrain.exports.serving import _field, prediction_log, write_serving
from retrain.exports.top import Top
from retrain.training.head import Head


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    top = Top(Head(np.eye(3, dtype="f4"), np.zeros(3, "f4")), np.eye(3, dtype="f4"))
    write_saved_model(Classifier(load_network(find_backbone("fake", Path("."))), top, ("a", "b", "c")), folder)
    (folder / "labels.txt").write_text("a\nb\nc\n")
    (folder / "model.json").write_text("{}")
    return folder


def fields(data: bytes) -> dict[int, bytes]:
    """The fields of a protocol buffer that has only some with a length."""
    found, position = {}, 0
    while position < len(data):
        key, position = data[position], position + 1
        assert key & 7 == 2
        length = shift = 0
        while True:
            byte, position = data[position], position + 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        found[key >> 3] = data[position : position + length]
        position += length
    return found


def test_what_is_loaded_is_called_with_pixels_as_photos_have_them(export: Path) -> None:
    loaded = tf.saved_model.load(str(export))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    expected = loaded.signatures["serving_default"](image=tf.constant(pixels, tf.float32))
    for image in (pixels, pixels.astype(np.float32), tf.constant(pixels)):
        said = loaded(image)
        assert said.keys() == expected.keys() == {"scores", "classes", "similarity"}
        assert all((said[name].numpy() == expected[name].numpy()).all() for name in said)


def test_versions_count_up_and_can_be_loaded(export: Path, tmp_path: Path) -> None:
    assert write_serving(export, tmp_path / "cats", 8) == tmp_path / "cats" / "1"
    assert write_serving(export, tmp_path / "cats", 8) == tmp_path / "cats" / "2"
    assert sorted(path.name for path in (tmp_path / "cats").iterdir()) == ["1", "2"]
    loaded = tf.saved_model.load(str(tmp_path / "cats" / "2"))
    assert sorted(loaded.signatures) == ["embed", "numeric", "serve_bytes", "serving_default"]
    assert (tmp_path / "cats" / "2" / "assets.extra" / "labels.txt").read_text() == "a\nb\nc\n"


def test_warm_up_requests_are_ones_that_the_signatures_answer(export: Path, tmp_path: Path) -> None:
    version = write_serving(export, tmp_path / "cats", 8)
    loaded = tf.saved_model.load(str(version))
    records = list(tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests")))
    asked = {}
    for record in records:
        request = fields(fields(fields(record.numpy())[6])[1])
        model, entry = fields(request[1]), fields(request[2])
        tensor = tf.make_ndarray(type(tf.make_tensor_proto(0)).FromString(entry[2]))
        assert model[1] == b"cats"
        asked[model[3].decode()] = {entry[1].decode(): tensor}
    assert asked.keys() == loaded.signatures.keys() - {"embed"}  # which exports of before do not have
    for name, inputs in asked.items():
        said = loaded.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
        assert np.isfinite(said["scores"].numpy()).all()


@given(st.binary(max_size=300), st.integers(1, 15), st.integers(0, 70_000))
@settings(deadline=None, max_examples=50)
def test_a_field_is_read_as_it_was_written(content: bytes, number: int, more: int) -> None:
    content += bytes(more)
    assert fields(_field(number, content)) == {number: content}


def test_the_parts_of_a_request_are_where_the_schema_has_them() -> None:
    log = prediction_log("m", "s", "image", tf.make_tensor_proto([1.0]))
    # predict_log { request { model_spec { name: "m" signature_name: "s" } inputs { key: "image" ...
    assert log[0] == 6 << 3 | 2 and log[2] == 1 << 3 | 2
    assert b"\x0a\x06\x0a\x01m\x1a\x01s\x12" in log and b"\x0a\x05image\x12" in log


def test_a_folder_that_cannot_be_written_is_a_sentence(export: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="serving_dir"):
        write_serving(export, tmp_path / "file", 8)


def test_half_a_version_is_never_seen(export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ExportError, match="No space left"):
        write_serving(export, tmp_path / "cats", 8)
    assert list((tmp_path / "cats").iterdir()) == []
