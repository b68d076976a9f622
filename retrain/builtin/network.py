"""The built-in backbone: a small residual network of plain 3x3 convolutions, and its weights.

Dense convolutions instead of depthwise ones, because on a CPU they train several times faster for the same arithmetic;
each learned kernel has its bias, there is no normalisation left at run time (`scripts/pretrain_builtin.py` trains with
one after each convolution and folds it in).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from retrain.array_files import read_npz

INPUT_SIZE = 128
PREPROCESSING = f"decode(2)|orient|resize({INPUT_SIZE},bilinear)|value_range(-1,1)"
WEIGHTS = Path(__file__).with_name("weights.npz")


@dataclass(frozen=True)
class Convolution:
    """One convolution with its ReLU; a residual one adds its input before the ReLU (He et al. 2016)."""

    name: str
    filters: int
    kernel: int
    strides: int = 1
    residual: bool = False


LAYERS = (
    Convolution("stem_1", 24, 3, strides=2),
    Convolution("stem_2", 48, 3, strides=2),
    Convolution("block_1", 48, 3, residual=True),
    Convolution("down_1", 96, 3, strides=2),
    Convolution("block_2", 96, 3, residual=True),
    Convolution("block_3", 96, 3, residual=True),
    Convolution("down_2", 160, 3, strides=2),
    Convolution("block_4", 160, 3, residual=True),
    Convolution("block_5", 160, 3, residual=True),
    Convolution("features", 640, 1),
)
FEATURES = LAYERS[-1].filters


def convolution_with_bias(layer: Convolution, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """The convolution as it runs: kernel and bias."""
    return keras.layers.Conv2D(layer.filters, layer.kernel, layer.strides, padding="same", name=layer.name)(inputs)


def feature_map(
    images: keras.KerasTensor,
    convolution: Callable[[Convolution, keras.KerasTensor], keras.KerasTensor] = convolution_with_bias,
) -> keras.KerasTensor:
    """The last feature map [batch, size / 16, size / 16, FEATURES] of ``images`` [batch, size, size, 3] in [-1, 1]."""
    tensor = images
    for layer in LAYERS:
        outputs = convolution(layer, tensor)
        if layer.residual:
            outputs = keras.layers.Add(name=f"{layer.name}_sum")([tensor, outputs])
        tensor = keras.layers.ReLU(name=f"{layer.name}_relu")(outputs)
    return tensor


def build_network(input_size: int = INPUT_SIZE) -> keras.Model:
    """RGB in [-1, 1], float32 [batch, input_size, input_size, 3] -> features, float32 [batch, FEATURES], >= 0.

    The weights are random; `load_weights` reads the trained ones.
    """
    images = keras.Input((input_size, input_size, 3), name="images")
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(feature_map(images))
    return keras.Model(images, pooled, name="builtin")


def load_weights(network: keras.Model, path: Path = WEIGHTS) -> None:
    """Read ``<layer>/kernel`` and ``<layer>/bias`` (float16) from an ``.npz`` into ``network``; never a pickle."""
    names = {layer.name: [f"{layer.name}/{kind}" for kind in ("kernel", "bias")] for layer in LAYERS}
    # Twice what the network takes in float32, and room for headers: float64 would do, a bomb does not.
    limit = 8 * network.count_params() + 2**20
    arrays = read_npz(path, limit, [name for of_layer in names.values() for name in of_layer])
    for layer in LAYERS:
        network.get_layer(layer.name).set_weights([arrays[name].astype("float32") for name in names[layer.name]])
