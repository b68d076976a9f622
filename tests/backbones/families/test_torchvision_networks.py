"""AlexNet, VGG-11 and VGG-13 against torchvision's definitions, on random weights.

torchvision's layers are written out here once more, as its own `Sequential`s are, and run by NumPy with the semantics
of PyTorch; where PyTorch is installed, by PyTorch too.
"""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pytest
import torch_files
from numpy.lib.stride_tricks import sliding_window_view

from retrain.backbones.backbone import find_backbone
from retrain.backbones.families.torchvision_networks import FAMILY, LAYERS, build_network, set_weights
from retrain.backbones.network import load_network
from retrain.backbones.registry import architecture
from retrain.bottlenecks.probe import relative_error
from retrain.core.errors import BackboneError
from retrain.core.tensorflow import tf

# Conv2d(in, out, kernel, stride, padding), MaxPool2d(kernel, stride) and ReLU, as torchvision's `features` lists them.
RELU = ("relu",)
ALEXNET = [
    ("conv", 3, 64, 11, 4, 2), RELU, ("pool", 3, 2),
    ("conv", 64, 192, 5, 1, 2), RELU, ("pool", 3, 2),
    ("conv", 192, 384, 3, 1, 1), RELU,
    ("conv", 384, 256, 3, 1, 1), RELU,
    ("conv", 256, 256, 3, 1, 1), RELU, ("pool", 3, 2),
]  # fmt: skip


def vgg(configuration: str) -> list[tuple]:
    layers, channels = [], 3
    for item in configuration.split():
        if item == "M":
            layers.append(("pool", 2, 2))
        else:
            layers += [("conv", channels, int(item), 3, 1, 1), RELU]
            channels = int(item)
    return layers


FEATURES = {
    "alexnet": ALEXNET,
    "vgg11": vgg("64 M 128 M 256 256 M 512 512 M 512 512 M"),
    "vgg13": vgg("64 64 M 128 128 M 256 256 M 512 512 M 512 512 M"),
}
# The smallest pictures, and ones that do not divide evenly.
SIZES = {"alexnet": (63, 100), "vgg11": (32, 45), "vgg13": (32, 45)}
PARAMETERS = {"alexnet": 61_100_840, "vgg11": 132_863_336, "vgg13": 133_047_848}  # with the classifier, as published
CLASSIFIERS = {"alexnet": (256 * 6 * 6, 4096, 4096, 1000), "vgg11": (512 * 7 * 7, 4096, 4096, 1000)}


def random_checkpoint(name: str, seed: int = 0) -> dict[str, np.ndarray]:
    """Names and arrays as in a published file, without the classifier."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for number, (kind, *rest) in enumerate(FEATURES[name]):
        if kind == "conv":
            channels, filters, kernel, _, _ = rest
            scale = np.sqrt(2 / (channels * kernel**2))  # keeps the signal's size
            weight = rng.normal(0, scale, (filters, channels, kernel, kernel))
            arrays[f"features.{number}.weight"] = weight.astype(np.float32)
            arrays[f"features.{number}.bias"] = rng.normal(0, 0.1, filters).astype(np.float32)
    return arrays


def run_numpy(name: str, arrays: dict[str, np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """`features` and the mean over all cells, on (n, channels, height, width)."""
    tensor = pixels.astype(np.float64)
    for number, (kind, *rest) in enumerate(FEATURES[name]):
        if kind == "relu":
            tensor = np.maximum(tensor, 0)
        elif kind == "pool":
            size, stride = rest
            tensor = sliding_window_view(tensor, (size, size), axis=(2, 3))[:, :, ::stride, ::stride].max(axis=(4, 5))
        else:
            _, _, size, stride, padding = rest
            padded = np.pad(tensor, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
            windows = sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
            weight = arrays[f"features.{number}.weight"].astype(np.float64)
            tensor = np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
            tensor += arrays[f"features.{number}.bias"][:, None, None]
    return tensor.mean(axis=(2, 3))


TORCH = """
import json, sys, numpy, torch
makers = {"conv": torch.nn.Conv2d, "pool": torch.nn.MaxPool2d, "relu": torch.nn.ReLU}
features = torch.nn.Sequential(*(makers[kind](*rest) for kind, *rest in json.loads(sys.argv[1])))
arrays = dict(numpy.load(sys.argv[2]))
pixels = torch.tensor(arrays.pop("pixels"))
features.load_state_dict({key.removeprefix("features."): torch.tensor(array) for key, array in arrays.items()})
numpy.save(sys.argv[3], features(pixels).mean(dim=(2, 3)).detach().numpy())
"""


def run_torch(name: str, arrays: dict[str, np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """The same by PyTorch, in a process of its own: with TensorFlow in one process it may crash."""
    with TemporaryDirectory() as folder:
        given, result = Path(folder) / "given.npz", Path(folder) / "result.npy"
        np.savez(given, pixels=pixels, **arrays)
        subprocess.run([sys.executable, "-c", TORCH, json.dumps(FEATURES[name]), given, result], check=True)
        return np.load(result)


REFERENCES = [run_numpy, *([run_torch] if find_spec("torch") else [])]


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("name", FEATURES)
def test_the_features_are_those_of_torchvision(name: str, reference) -> None:
    arrays = random_checkpoint(name)
    for size in SIZES[name]:
        pixels = np.random.default_rng(size).normal(size=(2, 3, size, size)).astype(np.float32)
        expected = reference(name, arrays, pixels)
        model = build_network(name, size)
        set_weights(model, arrays)
        ours = model(pixels.transpose(0, 2, 3, 1), training=False).numpy()
        assert ours.shape == (2, architecture(name).dim)
        assert expected.std() > 0.1  # the signal has not faded out on its way
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", FEATURES)
def test_at_the_usual_size_the_adaptive_pooling_of_torchvision_changes_nothing(name: str) -> None:
    """6 x 6 or 7 x 7 cells are what it would make, and what the classifier takes."""
    model = build_network(name, architecture(name).input_size)
    cells = {"alexnet": 6, "vgg11": 7, "vgg13": 7}[name]
    assert model.get_layer("avg_pool").input.shape == (None, cells, cells, architecture(name).dim)
    sizes = CLASSIFIERS.get(name, CLASSIFIERS["vgg11"])
    classifier = sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
    assert model.count_params() + classifier == PARAMETERS[name]


@pytest.mark.parametrize("name", FEATURES)
def test_the_whole_backbone_takes_raw_rgb(name: str) -> None:
    """0..255 in, divided by 255, ImageNet's mean and deviation taken out channel by channel: red is first."""
    size = SIZES[name][0]
    backbone = find_backbone(name, Path("x"), "random", image_size=size)
    network = load_network(backbone)
    arrays = random_checkpoint(name, seed=1)
    set_weights(network.model, arrays)
    pixels = np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype(np.float32)
    normalised = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = run_numpy(name, arrays, normalised.transpose(0, 3, 1, 2))
    ours = network(tf.constant(pixels)).numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
    assert relative_error(network(tf.constant(pixels[..., ::-1])).numpy(), expected) > 0.01


def test_random_weights_depend_on_the_seed_and_let_the_signal_through() -> None:
    pixels = tf.constant(np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)), tf.float32)
    one, again, other = (
        np.asarray(load_network(find_backbone("vgg11", Path("x"), "random", image_size=32, seed=seed))(pixels))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert relative_error(one, other) > 0.1
    assert one.std() > 0.05


@pytest.mark.parametrize(("name", "minimum"), [("alexnet", 63), ("vgg11", 32), ("vgg13", 32)])
def test_photos_that_are_too_small_are_named(name: str, minimum: int) -> None:
    assert build_network(name, minimum).output_shape == (None, architecture(name).dim)
    with pytest.raises(BackboneError, match=f"{name} cannot take photos of {minimum - 1} pixels: {minimum} is the"):
        load_network(find_backbone(name, Path("x"), "random", image_size=minimum - 1))


# What a checkpoint may hold


@pytest.fixture(scope="module")
def alexnet() -> SimpleNamespace:
    return SimpleNamespace(model=build_network("alexnet", 63), arrays=random_checkpoint("alexnet"))


def refusal(alexnet: SimpleNamespace, **changes: object) -> str:
    """The sentence with which a checkpoint is refused; a change to None leaves the array out."""
    arrays = {**alexnet.arrays, **{f"features.{key}": value for key, value in changes.items()}}
    with pytest.raises(BackboneError) as error:
        set_weights(alexnet.model, {key: value for key, value in arrays.items() if value is not None})
    return str(error.value)


def test_the_classifier_is_passed_over(alexnet: SimpleNamespace) -> None:
    set_weights(alexnet.model, {**alexnet.arrays, "classifier.1.weight": np.full((2, 2), np.nan)})
    kernel = alexnet.model.get_layer("features_3").get_weights()[0]
    assert np.array_equal(kernel[1, 2, 3, 4], alexnet.arrays["features.3.weight"][4, 3, 1, 2])


def test_arrays_that_are_missing_are_named(alexnet: SimpleNamespace) -> None:
    sentence = refusal(alexnet, **{"3.bias": None})
    assert sentence == "These are not the weights of alexnet: they lack features.3.bias."


def test_the_weights_of_another_network_are_refused_by_name(alexnet: SimpleNamespace) -> None:
    with pytest.raises(
        BackboneError, match=r"not the weights of alexnet: they lack features\.3\.bias, .* and \d+ more"
    ):
        set_weights(alexnet.model, random_checkpoint("vgg13"))
    with pytest.raises(BackboneError, match=r"not the weights of vgg11: they lack features\.11\.bias, .* and \d+ more"):
        set_weights(build_network("vgg11", 32), random_checkpoint("vgg13"))


def test_batch_normalisation_is_not_passed_over(alexnet: SimpleNamespace) -> None:
    assert "also have features.1.running_mean" in refusal(alexnet, **{"1.running_mean": np.zeros(64)})


def test_an_array_of_another_shape_is_named(alexnet: SimpleNamespace) -> None:
    keras_order = alexnet.arrays["features.3.weight"].transpose(2, 3, 1, 0)
    sentence = refusal(alexnet, **{"3.weight": keras_order})
    assert "features.3.weight is of shape (5, 5, 64, 192), not (192, 64, 5, 5)" in sentence


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_are_refused(alexnet: SimpleNamespace, value: float) -> None:
    bias = np.zeros(192)
    bias[7] = value
    assert "features.3.bias holds numbers that are not finite" in refusal(alexnet, **{"3.bias": bias})


def test_the_registry_and_the_definitions_name_the_same_networks() -> None:
    ours = {entry.name for entry in FAMILY}
    assert set(LAYERS) == ours == set(FEATURES)


def test_weights_of_the_other_vgg_are_refused_when_loading(tmp_path: Path) -> None:
    path = tmp_path / "vgg11.weights.h5"
    build_network("vgg11", 32).save_weights(str(path))
    backbone = find_backbone("vgg13", tmp_path, "random", image_size=32)
    with pytest.raises(BackboneError, match="do not fit the architecture vgg13"):
        load_network(replace(backbone, weights_file=path))


# A checkpoint as it is published


def published(folder: Path, write, arrays: dict[str, np.ndarray]) -> Path:
    """A file whose name ends in the beginning of its digest, with a classifier, as torchvision's have."""
    data = write({**arrays, "classifier.6.bias": np.zeros(1000, np.float32)})
    path = folder / f"alexnet-owt-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("write", [torch_files.legacy, torch_files.zipped])
def test_a_published_file_works_as_it_stands(write, alexnet: SimpleNamespace, tmp_path: Path) -> None:
    path = published(tmp_path, write, alexnet.arrays)
    model = load_network(find_backbone("alexnet", tmp_path / "none", str(path), image_size=63)).model
    for number in (0, 3, 6, 8, 10):
        kernel, bias = model.get_layer(f"features_{number}").get_weights()
        assert np.array_equal(kernel.transpose(3, 2, 0, 1), alexnet.arrays[f"features.{number}.weight"])
        assert np.array_equal(bias, alexnet.arrays[f"features.{number}.bias"])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("vgg11", {}, "not the weights of vgg11"),
        ("alexnet", {"features.3.bias": np.full(192, np.nan, np.float32)}, "features.3.bias holds numbers that are"),
        ("resnet50", {}, r"must be a file whose name ends in \.h5"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    name: str, change: dict[str, np.ndarray], words: str, alexnet: SimpleNamespace, tmp_path: Path
) -> None:
    path = published(tmp_path, torch_files.zipped, {**alexnet.arrays, **change})
    with pytest.raises(BackboneError, match=words):
        load_network(find_backbone(name, tmp_path, str(path), image_size=64))
