from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_image.files import sha256_of_all
from retrain.backbones.engines.registry import start_engine
from retrain.backbones.hub import hub_backbone
from retrain.core.errors import BackboneError, DownloadError, OptionError
from retrain.core.tensorflow import tf


class Colours(tf.Module):
    """Features that are the average colour times a weight."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = tf.Variable([weight, 2.0, 3.0])

    def average(self, photos: Any) -> Any:
        return tf.reduce_mean(photos, axis=[1, 2]) * self.weight


def save(folder: Path, weight: float = 1.0, size: int | None = 16, rank: int = 2) -> Path:
    module = Colours(weight)

    @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.float32, name="inputs")])
    def serve(inputs: Any) -> Any:
        return {"features": module.average(inputs) if rank == 2 else inputs}

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return folder


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("hub") / "colours")


def test_a_saved_model_is_a_backbone(module: Path) -> None:
    backbone = hub_backbone(str(module))
    assert (backbone.dim, backbone.input_size, backbone.weights_file) == (3, 16, module)
    assert str(backbone.preprocessing) == "decode(2)|orient|resize(16,bilinear)|value_range(0,1)"
    photos = np.full((2, 16, 16, 3), 51, np.uint8)
    np.testing.assert_allclose(start_engine(backbone)(photos), [[0.2, 0.4, 0.6]] * 2, rtol=1e-5)


def test_the_size_in_the_name_or_the_option_holds_where_the_model_fixes_none(tmp_path: Path) -> None:
    folder = save(tmp_path / "colours_96", size=None)
    assert hub_backbone(str(folder)).input_size == 96
    assert hub_backbone(str(folder), image_size=20).input_size == 20


def test_another_size_than_the_fixed_one_is_refused(module: Path) -> None:
    assert hub_backbone(str(module), image_size=16).input_size == 16
    with pytest.raises(OptionError, match=r"`image_size` 20: the module .* takes photos of 16 pixels"):
        hub_backbone(str(module), image_size=20)


def test_other_weights_give_another_digest_wherever_the_folder_lies(tmp_path: Path, module: Path) -> None:
    digest = hub_backbone(str(module)).weights_sha256
    assert hub_backbone(str(save(tmp_path / "other", weight=9.0))).weights_sha256 != digest
    assert sha256_of_all(module.rename(module.with_name("moved"))) == digest
    module.with_name("moved").rename(module)


@pytest.mark.parametrize("name", ["missing", ""])
def test_a_folder_that_is_no_saved_model_is_an_error_of_the_call(name: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"neither a web address nor a folder with a saved_model\.pb"):
        hub_backbone(str(tmp_path / name))


def test_a_damaged_saved_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"no protobuf")
    with pytest.raises(BackboneError, match=str(tmp_path)):
        hub_backbone(str(tmp_path))


def test_a_model_without_a_feature_vector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="gives no feature vector"):
        hub_backbone(str(save(tmp_path / "pixels", rank=4)))


def test_a_model_without_a_signature_is_refused(tmp_path: Path) -> None:
    tf.saved_model.save(Colours(1.0), str(tmp_path / "bare"))
    with pytest.raises(BackboneError, match="no serving_default signature"):
        hub_backbone(str(tmp_path / "bare"))


def test_an_address_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow_hub

    def resolve(handle: str) -> str:
        raise OSError("no network")

    monkeypatch.setattr(tensorflow_hub, "resolve", resolve)
    with pytest.raises(
        DownloadError, match=r"https://tfhub\.dev/x cannot be fetched \(no network\)\. Fetch and unpack"
    ):
        hub_backbone("https://tfhub.dev/x")


def test_an_address_is_resolved_by_tensorflow_hub(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow_hub

    monkeypatch.setattr(tensorflow_hub, "resolve", lambda handle: str(module))
    assert hub_backbone("https://tfhub.dev/colours").weights_file == module
