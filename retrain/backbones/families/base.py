"""What a family declares of its architectures. Nothing here imports TensorFlow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from label_image.preprocessing import Preprocessing

# What each family's authors fed it with; see keras.applications.*.preprocess_input.
MINUS_ONE_TO_ONE = "value_range(-1,1)"
IMAGENET_STATISTICS = "value_range(0,1)|standardize(0.485,0.456,0.406,0.229,0.224,0.225)"
CAFFE_BGR = "bgr|standardize(103.939,116.779,123.68,1,1,1)"

KERAS_WEIGHTS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
TORCHVISION_WEIGHTS_URL = "https://download.pytorch.org/models/"
KERNELS = "weights_tf_dim_ordering_tf_kernels_notop.h5"  # how most of Keras's files end
TORCHVISION_LICENCE = "not stated"  # torchvision says that models "may have their own licenses"

SetWeights = Callable[[Any, Mapping[str, npt.NDArray[Any]]], None]


@dataclass(frozen=True)
class Architecture:
    """A network of the registry, and its published weights.

    `build(name, size)` makes it with random weights, for photos of that size: a Keras model whose output is the
    bottleneck, `dim` numbers. `arithmetic` is what the pixels go through before. `licence` is that of the weights.

    `weights_file` lies below `weights_url`, or is a file of the Python package `package`; one that has none is a
    fixed function instead of a network, which `build` returns. `checksum` is its published MD5 or SHA-256, None where
    none is published. Where it is a checkpoint in PyTorch's format, `set_weights` puts its arrays into the model.
    `namesake` is the architecture that other people's checkpoints of a network of this name are for.
    """

    name: str
    build: Callable[[str, int], Any]
    dim: int
    input_size: int
    arithmetic: str
    licence: str = ""
    weights_file: str = ""
    weights_url: str = ""
    checksum: str | None = None
    package: str = ""
    set_weights: SetWeights | None = None
    feature_layer: str = "avg_pool"
    namesake: str = ""

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing.parse(f"decode(2)|orient|resize({self.input_size},bilinear)|{self.arithmetic}")


def of_torchvision(
    name: str, dim: int, weights_file: str, build: Callable[[str, int], Any], set_weights: SetWeights
) -> Architecture:
    """A network as torchvision defines it, with torchvision's weights."""
    return Architecture(
        name=name,
        build=build,
        dim=dim,
        input_size=224,
        arithmetic=IMAGENET_STATISTICS,
        licence=TORCHVISION_LICENCE,
        weights_url=TORCHVISION_WEIGHTS_URL,
        weights_file=weights_file,
        set_weights=set_weights,
    )


@dataclass(frozen=True)
class KerasApplication:
    """Builds a network of keras.applications without its classifier."""

    builder: str
    arguments: tuple[tuple[str, object], ...] = ()

    def __call__(self, name: str, size: int) -> Any:
        from retrain.core.keras import keras

        builder = getattr(keras.applications, self.builder)
        shape = (size, size, 3)
        return builder(include_top=False, pooling="avg", weights=None, input_shape=shape, **dict(self.arguments))


# For networks that scale their input themselves, unless they are told not to.
NO_PREPROCESSING = (("include_preprocessing", False),)
