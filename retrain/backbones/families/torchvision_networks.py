"""AlexNet, VGG-11 and VGG-13 in Keras, as torchvision defines them; Keras Applications lacks these.

Only the convolutional part (`features` in torchvision), averaged over its cells; the classifier
that follows it there answers ImageNet's 1000 classes, and the new head takes its place. AlexNet is
that of "One weird trick for parallelizing convolutional neural networks" (64, 192, 384, 256, 256
filters, no local response normalisation), VGG the one without batch normalisation.

torchvision numbers the layers within `features`, ReLUs included; each convolution here carries the
name of its counterpart, with the dot that Keras's summaries dislike replaced: `features.3.weight`
there is the kernel of `features_3` here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from retrain.backbones import torch_weights
from retrain.backbones.families.base import of_torchvision
from retrain.backbones.torch_weights import named


@dataclass(frozen=True)
class Convolution:
    """A convolution with bias and ReLU. `padding`: zeros on each side; None: as many as keep the size."""

    filters: int
    kernel: int = 3
    stride: int = 1
    padding: int | None = None


@dataclass(frozen=True)
class MaxPool:
    """A maximum over windows that lie within the picture; an incomplete last one is left out."""

    size: int = 2
    stride: int = 2


Layer = Convolution | MaxPool


def _vgg(*convolutions_of_blocks: int) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for convolutions, filters in zip(convolutions_of_blocks, (64, 128, 256, 512, 512), strict=True):
        layers += [Convolution(filters)] * convolutions
        layers.append(MaxPool())
    return tuple(layers)


LAYERS: Mapping[str, Sequence[Layer]] = {
    "alexnet": (
        Convolution(64, kernel=11, stride=4, padding=2),
        MaxPool(3),
        Convolution(192, kernel=5),
        MaxPool(3),
        Convolution(384),
        Convolution(256),
        Convolution(256),
        MaxPool(3),
    ),
    "vgg11": _vgg(1, 1, 2, 2, 2),
    "vgg13": _vgg(2, 2, 2, 2, 2),
}
MINIMUM_SIZES = {"alexnet": 63, "vgg11": 32, "vgg13": 32}  # one cell is left at the end


def build_network(name: str, input_size: int) -> Any:
    """The network with random weights: float32 (n, input_size, input_size, 3) -> float32 (n, dim).

    Its input is what torchvision's `Normalize` gives. Raises ValueError if the photos are too small.
    """
    from retrain.core.keras import keras

    if input_size < MINIMUM_SIZES[name]:
        raise ValueError(f"{MINIMUM_SIZES[name]} is the smallest size.")
    image = keras.Input((input_size, input_size, 3))
    tensor, number = image, 0
    for layer in LAYERS[name]:
        if isinstance(layer, MaxPool):
            tensor = keras.layers.MaxPooling2D(layer.size, layer.stride, name=f"features_{number}")(tensor)
            number += 1
            continue
        if layer.padding is not None:  # Keras's own padding is uneven where the stride is not 1; PyTorch's never is
            tensor = keras.layers.ZeroPadding2D(layer.padding, name=f"features_{number}_padding")(tensor)
        convolution = keras.layers.Conv2D(
            layer.filters,
            layer.kernel,
            layer.stride,
            padding="same" if layer.padding is None else "valid",
            activation="relu",
            kernel_initializer="he_normal",  # with Keras's usual one the signal fades from ReLU to ReLU
            name=f"features_{number}",
        )
        tensor = named(convolution, f"features.{number}")(tensor)
        number += 2  # the ReLU has a number of its own
    return keras.Model(image, keras.layers.GlobalAveragePooling2D(name="avg_pool")(tensor), name=name)


def set_weights(model: Any, checkpoint: Mapping[str, npt.NDArray[Any]]) -> None:
    """Take over torchvision's weights, without the classifier; see `torch_weights.set_weights`."""
    torch_weights.set_weights(model, checkpoint, top="classifier.")


FAMILY = (
    of_torchvision("alexnet", 256, "alexnet-owt-7be5be79.pth", build_network, set_weights),
    of_torchvision("vgg11", 512, "vgg11-8a719046.pth", build_network, set_weights),
    of_torchvision("vgg13", 512, "vgg13-19584684.pth", build_network, set_weights),
)
