"""ResNet-50 and MobileNet-V2 in Keras as torchvision defines them, for torchvision's weights.

Keras Applications has networks of these names, but they are not the same. torchvision's ResNet-50 has the stride in the
3x3 convolution of a block (version 1.5), and Keras's in the 1x1 before it; its convolutions have no biases. torchvision
pads with equally many zeros on each side, Keras's MobileNet-V2 as TensorFlow does. Weights of the one in the other
fit by their shapes and give wrong features, so these have names of their own in the registry.
"""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from retrain.backbones import torch_weights
from retrain.backbones.families.base import of_torchvision
from retrain.backbones.normed import NormedConvolution, keras_name, relu6

# Blocks and maps of each stage of ResNet-50; the first block of each stage but the first halves the picture.
RESNET_STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
# Of MobileNet-V2: maps inside a block for each of its input, maps, blocks, stride of the first.
MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def build_network(name: str, input_size: int) -> Any:
    """The network with random weights: float32 (n, input_size, input_size, 3) -> float32 (n, dim)."""
    from retrain.core.keras import keras

    image = keras.Input((input_size, input_size, 3))
    features = {"resnet50_torchvision": _resnet50, "mobilenet_v2_torchvision": _mobilenet_v2}[name](image)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D(name="avg_pool")(features), name=name)


def set_weights(model: Any, checkpoint: Mapping[str, npt.NDArray[Any]]) -> None:
    """Take over torchvision's weights, without the classifier; see `torch_weights.set_weights`."""
    top = {"resnet50_torchvision": "fc.", "mobilenet_v2_torchvision": "classifier."}[model.name]
    torch_weights.set_weights(model, checkpoint, top)


def _resnet50(image: Any) -> Any:
    from retrain.core.keras import keras

    tensor = _relu(NormedConvolution("conv1", "bn1", 64, 7, 2, padding=3)(image), "relu")
    tensor = keras.layers.ZeroPadding2D(1, name="maxpool_padding")(tensor)  # after a ReLU zeros are like PyTorch's -inf
    tensor = keras.layers.MaxPooling2D(3, 2, name="maxpool")(tensor)
    for stage, (blocks, filters) in enumerate(RESNET_STAGES, start=1):
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 1 else 1
            tensor = _bottleneck_block(tensor, f"layer{stage}.{block}", filters, stride, widen=block == 0)
    return tensor


def _bottleneck_block(tensor: Any, name: str, filters: int, stride: int, widen: bool) -> Any:
    """Narrow, filter, widen; the input is added, brought to the same shape where it has another."""
    from retrain.core.keras import keras

    inner = _relu(NormedConvolution(f"{name}.conv1", f"{name}.bn1", filters)(tensor), f"{name}.relu1")
    inner = NormedConvolution(f"{name}.conv2", f"{name}.bn2", filters, 3, stride, padding=1)(inner)
    inner = _relu(inner, f"{name}.relu2")
    inner = NormedConvolution(f"{name}.conv3", f"{name}.bn3", 4 * filters)(inner)
    if widen:
        shortcut = NormedConvolution(f"{name}.downsample.0", f"{name}.downsample.1", 4 * filters, 1, stride)
        tensor = shortcut(tensor)
    return _relu(keras.layers.Add(name=keras_name(f"{name}.add"))([inner, tensor]), f"{name}.relu")


def _relu(tensor: Any, name: str) -> Any:
    from retrain.core.keras import keras

    return keras.layers.ReLU(name=keras_name(name))(tensor)


def _mobilenet_v2(image: Any) -> Any:
    tensor = _normed6(NormedConvolution("features.0.0", "features.0.1", 32, 3, 2, padding=1), image)
    number = 1
    for expansion, filters, blocks, first_stride in MOBILENET_STAGES:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            tensor = _inverted_block(tensor, f"features.{number}.conv", expansion, filters, stride)
            number += 1
    return _normed6(NormedConvolution(f"features.{number}.0", f"features.{number}.1", 1280), tensor)


def _inverted_block(tensor: Any, name: str, expansion: int, filters: int, stride: int) -> Any:
    """Widen, filter map by map, narrow; the input is added where it has the same shape."""
    from retrain.core.keras import keras

    inputs, channels, part = tensor, tensor.shape[-1], 0
    if expansion > 1:
        widen = NormedConvolution(f"{name}.0.0", f"{name}.0.1", channels * expansion)
        tensor, part = _normed6(widen, tensor), 1
    depthwise = NormedConvolution(f"{name}.{part}.0", f"{name}.{part}.1", None, 3, stride, padding=1)
    tensor = _normed6(depthwise, tensor)
    tensor = NormedConvolution(f"{name}.{part + 1}", f"{name}.{part + 2}", filters)(tensor)
    if stride == 1 and channels == filters:
        tensor = keras.layers.Add(name=keras_name(f"{name}.add"))([tensor, inputs])
    return tensor


def _normed6(convolution: NormedConvolution, tensor: Any) -> Any:
    return relu6(convolution(tensor), f"{convolution.norm}.relu6")


FAMILY = (
    of_torchvision("resnet50_torchvision", 2048, "resnet50-0676ba61.pth", build_network, set_weights),
    of_torchvision("mobilenet_v2_torchvision", 1280, "mobilenet_v2-b0353104.pth", build_network, set_weights),
)
