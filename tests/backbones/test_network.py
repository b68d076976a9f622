import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications import efficientnet_v2
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils

from label_image.preprocessing import Preprocessing
from retrain.backbones.backbone import find_backbone
from retrain.backbones.families.base import KERAS_WEIGHTS_URL
from retrain.backbones.network import Network, apply_arithmetic, freeze, load_network, with_constants
from retrain.backbones.registry import architecture
from retrain.bottlenecks.probe import relative_error
from retrain.core.errors import BackboneError
from retrain.core.tensorflow import tf

SMALL = "mobilenet_0.25_128"


@pytest.mark.parametrize(
    "name",
    [
        # One of each family is looked at in test_every_family.
        "mobilenet_0.75_160",
        "mobilenet_v2_0.35_96",
        "mobilenet_v2_1.4_224",
        "vgg11",
        "vgg13",
        "resnet50_torchvision",
        "efficientnet_lite1",
        "efficientnet_lite2",
    ],
)
def test_networks_give_as_many_numbers_as_the_registry_says(name: str) -> None:
    size = 64  # the size changes no width
    network = load_network(find_backbone(name, Path("x"), "random", image_size=size))
    features = network(tf.zeros((1, size, size, 3)))
    assert features.shape == (1, architecture(name).dim)
    assert features.dtype == tf.float32
    assert parameters(network) == documented_parameters(name)


def parameters(network: Network) -> str:
    """In millions."""
    return f"{network.model.count_params() / 1e6:.1f}"


def documented_parameters(name: str) -> str:
    """What docs/architectures.md says."""
    page = Path(__file__).resolve().parents[2] / "docs" / "architectures.md"
    row = re.compile(r"\| `" + re.escape(re.sub(r"^(mobilenet_.*\d)_\d+$", r"\1", name)) + r"(_[{\d][^|]*)?` \|")
    (line,) = [
        line for line in page.read_text(encoding="utf-8").splitlines() if row.match(line) and line.count("|") == 7
    ]
    return line.split(" | ")[4]


# Keras's modules, and the layer whose output is pooled (without the number that Keras gives to those without a name).
KERAS = {
    "inception_v3": ("inception_v3", "mixed10"),
    "vgg16": ("vgg16", "block5_pool"),
    "vgg19": ("vgg19", "block5_pool"),
    "resnet50": ("resnet50", "conv5_block3_out"),
    "resnet50v2": ("resnet_v2", "post_relu"),
    "densenet121": ("densenet", "relu"),
    "efficientnet_v2_b0": ("efficientnet_v2", "top_activation"),
    "mobilenet_v3_small": ("mobilenet_v3", "activation"),
    "mobilenet_v3_large": ("mobilenet_v3", "activation"),
    "convnext_tiny": ("convnext", "add"),
    "nasnet_mobile": ("nasnet", "activation"),
}


@dataclass(frozen=True)
class Published:
    """What Keras itself would do with an architecture: from where it loads, and what it computes then."""

    model: keras.Model
    address: str
    checksum: str


def keras_network(name: str, size: int) -> Published:
    """Keras's own network, told to load its published weights, but with random ones instead."""
    asked: list[tuple[str, str]] = []

    def get_file(file: str, address: str, file_hash: str, **_: object) -> str:
        asked.append((address, file_hash))
        return file

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_utils, "get_file", get_file)
        patch.setattr(keras.Model, "load_weights", lambda self, path: None)
        builder = getattr(keras.applications, architecture(name).build.builder)
        model = builder(include_top=False, pooling="avg", weights="imagenet", input_shape=(size, size, 3))
    rng = np.random.default_rng(0)
    model.set_weights([differing(weight, rng) for weight in model.get_weights()])
    ((address, checksum),) = asked
    return Published(model, address, checksum)


def differing(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random values like those of a trained network: all differ, and the signal keeps its size from layer to layer."""
    if weight.ndim == 4:
        height, width, channels, filters = weight.shape
        inputs = height * width * (1 if filters == 1 else channels)  # one filter: depthwise
        return rng.normal(0, np.sqrt(2 / inputs), weight.shape)
    return weight * rng.uniform(0.8, 1.2, weight.shape) + rng.uniform(-0.05, 0.05, weight.shape)


def write_as_published(model: keras.Model, path: Path) -> None:
    """Write weights in the format of the published files, which is not that of `save_weights`."""
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


@pytest.fixture
def zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels begin as zeros, which saves a third of the time where others replace them."""
    monkeypatch.setattr(
        keras.initializers.VarianceScaling, "__call__", lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype)
    )


@pytest.mark.usefixtures("zeros")
@pytest.mark.filterwarnings("ignore:`input_shape` is undefined or non-square:UserWarning")
@pytest.mark.parametrize("name", KERAS)
def test_the_network_is_that_of_keras(name: str, tmp_path: Path) -> None:
    """With the weights that Keras itself would load, raw RGB gives Keras's own pooled features."""
    entry = architecture(name)
    size = 107 if name == "inception_v3" else 64  # the smallest that leave more than one cell to pool
    theirs = keras_network(name, size)
    assert (theirs.address, theirs.checksum) == (KERAS_WEIGHTS_URL + entry.weights_file, entry.checksum)

    module, pooled_layer = KERAS[name]
    photo = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.float32)
    pixels = np.stack([photo, photo[..., ::-1], photo * 0.8])
    preprocessed = getattr(keras.applications, module).preprocess_input(pixels.copy())
    expected = np.asarray(theirs.model(preprocessed, training=False))
    write_as_published(theirs.model, tmp_path / Path(entry.weights_file).name)
    network = load_network(find_backbone(name, tmp_path, image_size=size))
    ours = network(tf.constant(pixels)).numpy()
    assert ours.shape == (3, entry.dim)
    assert parameters(network) == documented_parameters(name)
    assert relative_error(ours, expected) < 1e-4
    # The features tell another order of the channels, or another scale.
    assert relative_error(expected[1:2], expected[:1]) > 1e-3
    assert relative_error(expected[2:3], expected[:1]) > 1e-3

    layers = network.model.layers
    pooling = max(i for i, layer in enumerate(layers) if isinstance(layer, keras.layers.GlobalAveragePooling2D))
    cells = layers[pooling].input
    assert cells._keras_history.operation.name.rstrip("_0123456789") == pooled_layer.rstrip("_0123456789")
    assert cells.shape[1] > 1 and cells.shape[3] == entry.dim
    # Keras puts ConvNeXt's last normalisation behind the pooling, as its authors do.
    after = [type(layer).__name__ for layer in layers[pooling + 1 :]]
    assert after == (["LayerNormalization"] if name == "convnext_tiny" else [])


@pytest.mark.parametrize("version", ["b0", "b1", "b2", "b3"])
def test_the_checksums_are_those_of_keras(version: str) -> None:
    assert architecture(f"efficientnet_v2_{version}").checksum == efficientnet_v2.WEIGHTS_HASHES[version][1]


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("mobilenet_1.0_224", "mobilenet"),
        ("mobilenet_v2_1.0_224", "mobilenet_v2"),
        # Of the others that have an arithmetic outside of the network; the rest is compared as a whole above.
        ("xception", "xception"),
        *((name, module) for name, (module, _) in KERAS.items() if not architecture(name).build.arguments),
    ],
)
def test_the_arithmetic_is_that_of_keras(name: str, module: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3)).astype(np.float32)
    expected = getattr(keras.applications, module).preprocess_input(pixels.copy())
    ours = apply_arithmetic(tf.constant(pixels), architecture(name).preprocessing.arithmetic()).numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


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


# Freezing


def run_graph(graph: tf.compat.v1.GraphDef, feed: str, fetch: str, values: np.ndarray) -> np.ndarray:
    with tf.Graph().as_default() as imported:
        tf.import_graph_def(graph, name="")
        with tf.compat.v1.Session(graph=imported) as session:
            return session.run(fetch, {feed: values})


@pytest.mark.parametrize("name", [SMALL, "mobilenet_v3_small"])
def test_both_ways_to_freeze_give_the_same(name: str) -> None:
    network = load_network(find_backbone(name, Path("x"), "random", image_size=64))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    frozen = with_constants(network.function)
    assert frozen is not None
    answers = run_graph(frozen.graph_def, frozen.input, frozen.output, pixels)
    function = freeze(network.function)
    slow = run_graph(function.graph.as_graph_def(), function.inputs[0].name, function.outputs[0].name, pixels)
    assert relative_error(answers, slow) < 1e-6


HELD = tf.constant(np.eye(3, dtype=np.float32))


def variable_in_a_call(kernel: tf.Variable) -> object:
    inner = tf.function(lambda x: tf.matmul(x, kernel))
    return lambda x: inner(x)


@pytest.mark.parametrize(
    "forward",
    [
        variable_in_a_call,
        lambda kernel: lambda x: tf.gather(kernel, tf.cast(x[:, 0], tf.int32)),  # reads some rows
        lambda kernel: lambda x: x @ HELD + kernel[0],
    ],
    ids=["in a call", "gathered", "a captured tensor"],
)
def test_what_is_more_than_a_read_of_a_variable_is_left_to_tensorflow(forward: object) -> None:
    kernel = tf.Variable(np.arange(9, dtype=np.float32).reshape(3, 3))
    spec = tf.TensorSpec((None, 3), tf.float32)
    function = tf.function(forward(kernel)).get_concrete_function(spec)
    assert with_constants(function) is None
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(freeze(function)(tf.constant(x))[0], function(tf.constant(x)))


def test_graph_without_variables_is_frozen_already() -> None:
    network = load_network(find_backbone("fake", Path("x")))
    frozen = with_constants(network.function)
    assert frozen is not None
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.float32)
    answers = run_graph(frozen.graph_def, frozen.input, frozen.output, pixels)
    np.testing.assert_allclose(answers, network(tf.constant(pixels)), rtol=1e-5)


def test_a_joined_network_gives_what_its_parts_give_each_with_its_arithmetic() -> None:
    joined = load_network(find_backbone(f"{SMALL}+alexnet", Path("x"), "random", image_size=64))
    parts = [load_network(part) for part in joined.backbone.parts]
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3)).astype(np.float32)
    expected = np.concatenate([part(pixels) for part in parts], axis=1)
    assert np.ptp(expected[:, :256]) > 0 and np.ptp(expected[:, 256:]) > 0
    assert relative_error(np.asarray(joined(pixels)), expected) < 1e-5
    frozen = joined.frozen
    with tf.Graph().as_default() as graph:
        (output,) = tf.graph_util.import_graph_def(frozen.graph_def, return_elements=[frozen.output], name="")
        with tf.compat.v1.Session(graph=graph) as session:
            assert relative_error(session.run(output, {frozen.input: pixels}), expected) < 1e-5
    for part in parts:
        assert relative_error(np.asarray(joined.of(part.backbone)(pixels)), np.asarray(part(pixels))) < 1e-5
    assert joined.of(joined.backbone) is joined
