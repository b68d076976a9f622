"""torchvision's ResNet-50 and MobileNet-V2, against what torchvision 0.29 gave for the same weights and pixels."""

import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest
import torch_files

from retrain.backbones.backbone import find_backbone
from retrain.backbones.families.torchvision_residual import build_network, set_weights
from retrain.backbones.network import load_network
from retrain.backbones.registry import architecture
from retrain.core.errors import BackboneError

# The first five features of `pixels(size)`, and the length of the whole vector.
EXPECTED = {
    ("resnet50_torchvision", 64): ([425.06, 37.5991, 1054.23, 3664.52, 13106.7], 255029.5),
    ("resnet50_torchvision", 75): ([420.822, 554.254, 1386.34, 3003.24, 12688.4], 332231.5),
    ("mobilenet_v2_torchvision", 64): ([3.13675, 0.123189, 0.0, 2.33044, 0.0], 76.89814),
    ("mobilenet_v2_torchvision", 75): ([2.57173, 0.214922, 0.116868, 1.43122, 0.0], 77.91886),
}
NAMES = sorted({name for name, _ in EXPECTED})


def checkpoint(model: keras.Model) -> dict[str, np.ndarray]:
    """Random weights by torchvision's names; in torchvision they were made in the same way."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{layer.checkpoint_name}.{part}"] = tuple(layer.gamma.shape)
        elif layer.weights:
            height, width, *channels = layer.kernel.shape
            filters = channels if isinstance(layer, keras.layers.DepthwiseConv2D) else channels[::-1]
            shapes[f"{layer.checkpoint_name}.weight"] = (*filters, height, width)
    rng = np.random.default_rng(0)
    arrays = {}
    for name in sorted(shapes):
        shape = shapes[name]
        if len(shape) == 4:
            array = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        elif name.endswith((".weight", ".running_var")):
            array = rng.uniform(0.5, 1.5, shape)
        else:
            array = rng.uniform(-0.2, 0.2, shape)
        arrays[name] = array.astype(np.float32)
    return arrays


def pixels(size: int) -> np.ndarray:
    values = np.random.default_rng(size).normal(size=(1, 3, size, size)).astype(np.float32)
    return values.transpose(0, 2, 3, 1)


@pytest.mark.parametrize(("name", "size"), EXPECTED)
def test_the_features_are_those_of_torchvision(name: str, size: int) -> None:
    model = build_network(name, size)
    set_weights(model, checkpoint(model))
    (vector,) = model(pixels(size), training=False).numpy()
    first, length = EXPECTED[name, size]
    assert vector[:5] == pytest.approx(first, rel=1e-3, abs=1e-4)
    assert np.linalg.norm(vector) == pytest.approx(length, rel=1e-4)
    assert vector.shape == (architecture(name).dim,)


@pytest.mark.parametrize("name", NAMES)
def test_a_published_file_works_as_it_stands(name: str, tmp_path: Path) -> None:
    entry = architecture(name)
    arrays = checkpoint(build_network(name, 64))
    top = "fc" if name.startswith("resnet50") else "classifier.1"
    counted = {
        f"{key.removesuffix('.running_var')}.num_batches_tracked": np.array(3) for key in arrays if "_var" in key
    }
    data = torch_files.zipped({**arrays, **counted, f"{top}.bias": np.zeros(1000, np.float32)})
    path = tmp_path / f"{entry.weights_file.split('-')[0]}-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    path.write_bytes(data)
    network = load_network(find_backbone(name, tmp_path, str(path), image_size=64))
    assert network.model(pixels(64)).numpy()[0, :5] == pytest.approx(EXPECTED[name, 64][0], rel=1e-3, abs=1e-4)

    keras_name = {"resnet50_torchvision": "resnet50", "mobilenet_v2_torchvision": "mobilenet_v2_1.0_224"}[name]
    with pytest.raises(BackboneError, match=f"Weights of torchvision are for `architecture` {name}"):
        load_network(find_backbone(keras_name, tmp_path, str(path), image_size=64))
