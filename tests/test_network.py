import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrain.backbones import architecture, find_backbone
from retrain.errors import BackboneError
from retrain.images import Preprocessing
from retrain.network import apply_arithmetic, load_network
from retrain.probe import relative_error
from retrain.tensorflow import tf

SMALL = "mobilenet_0.25_128"


@pytest.mark.parametrize(
    "name", [SMALL, "mobilenet_v2_0.35_96", "mobilenet_v3_small", "efficientnet_v2_b0", "resnet50v2"]
)
def test_networks_give_as_many_numbers_as_the_registry_says(name: str) -> None:
    size = 64  # the size changes no width
    backbone = find_backbone(name, Path("x"), "random", image_size=size)
    features = load_network(backbone)(tf.zeros((1, size, size, 3)))
    assert features.shape == (1, architecture(name).dim)
    assert features.dtype == tf.float32


def test_the_same_seed_gives_the_same_random_network() -> None:
    pixels = tf.constant(np.random.default_rng(0).uniform(0, 255, (1, 128, 128, 3)), tf.float32)

    def run(seed: int) -> np.ndarray:
        return np.asarray(load_network(find_backbone(SMALL, Path("x"), "random", seed=seed))(pixels))

    assert np.array_equal(run(1), run(1))
    assert relative_error(run(1), run(2)) > 0.1


def test_the_network_cannot_be_trained_by_accident() -> None:
    assert load_network(find_backbone(SMALL, Path("x"), "random")).model.trainable_weights == []


@pytest.mark.parametrize(
    ("name", "module", "mode"),
    [("mobilenet_1.0_224", "mobilenet", "tf"), ("resnet50", "resnet50", "caffe"), ("densenet121", "densenet", "torch")],
)
def test_the_arithmetic_is_that_of_keras(name: str, module: str, mode: str) -> None:
    import keras

    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3)).astype(np.float32)
    expected = getattr(keras.applications, module).preprocess_input(pixels.copy())
    ours = apply_arithmetic(tf.constant(pixels), architecture(name).preprocessing.arithmetic()).numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4, err_msg=mode)


def test_bgr_statistics_apply_in_the_order_that_is_written() -> None:
    pixels = tf.constant([[[[10.0, 20.0, 30.0]]]])
    for text, expected in (
        ("bgr|standardize(1,2,3,1,1,1)", [29, 18, 7]),
        ("standardize(1,2,3,1,1,1)|bgr", [27, 18, 9]),
    ):
        arithmetic = Preprocessing.parse(f"decode|resize(8,box)|{text}").arithmetic()
        assert apply_arithmetic(pixels, arithmetic).numpy().ravel().tolist() == expected


def with_weights(file: Path, name: str = SMALL) -> str:
    """The sentence with which weights are refused."""
    backbone = replace(find_backbone(name, Path("x"), "random"), weights_file=file)
    with pytest.raises(BackboneError) as error:
        load_network(backbone)
    return str(error.value)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    load_network(find_backbone(SMALL, Path("x"), "random", seed=7)).model.save_weights(str(path))
    return path


def test_saved_weights_load_again(saved: Path) -> None:
    wanted = load_network(find_backbone(SMALL, Path("x"), "random", seed=7))
    loaded = load_network(replace(find_backbone(SMALL, Path("x"), "random", seed=8), weights_file=saved))
    for one, other in zip(wanted.model.get_weights(), loaded.model.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("other", ["mobilenet_0.50_128", "mobilenet_v2_0.35_96"])
def test_weights_of_another_architecture_are_refused_by_both_names(other: str, saved: Path) -> None:
    sentence = with_weights(saved, other)
    assert str(saved) in sentence and other in sentence


def test_a_file_that_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.weights.h5"
    garbage.write_bytes(b"<html>not found</html>")
    sentence = with_weights(garbage)
    assert str(garbage) in sentence and SMALL in sentence


def test_a_file_cut_short_is_refused(saved: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.weights.h5"
    cut.write_bytes(saved.read_bytes()[:100_000])
    assert str(cut) in with_weights(cut)


def test_only_hdf5_is_loaded(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "net.keras"  # may hold code
    shutil.copy(saved, other)
    sentence = with_weights(other)
    assert str(other) in sentence and ".h5" in sentence


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    network = load_network(find_backbone(SMALL, Path("x"), "random"))
    weights = network.model.get_weights()
    weights[0][0, 0, 0, 0] = np.nan
    network.model.set_weights(weights)
    path = tmp_path / "nan.weights.h5"
    network.model.save_weights(str(path))
    assert "not finite" in with_weights(path)


def test_a_size_that_the_network_cannot_take_is_named() -> None:
    with pytest.raises(BackboneError, match="inception_v3 cannot take photos of 32 pixels"):
        load_network(find_backbone("inception_v3", Path("x"), "random", image_size=32))
