"""PyTorch's weights in a Keras network: by the names that its layers have in the checkpoint."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from retrain.core.errors import BackboneError

# The checkpoint's name of each weight of a layer, in Keras's order, and the axes of PyTorch's array in that of Keras.
Parts = tuple[tuple[str, tuple[int, ...]], ...]
CONVOLUTION: Parts = (("weight", (2, 3, 1, 0)), ("bias", (0,)))
DEPTHWISE_CONVOLUTION: Parts = (("weight", (2, 3, 0, 1)),)
BATCH_NORM: Parts = (("weight", (0,)), ("bias", (0,)), ("running_mean", (0,)), ("running_var", (0,)))


def named(layer: Any, name: str) -> Any:
    """A Keras layer that remembers what it is called in the checkpoint; Keras itself dislikes dots."""
    layer.checkpoint_name = name
    return layer


def set_weights(model: Any, checkpoint: Mapping[str, npt.NDArray[Any]], top: str) -> None:
    """Take over the weights of a checkpoint, its names and arrays.

    Passed over are those of the classifier, whose names begin with `top`, and counts of training batches. Raises
    BackboneError, with the difference named, unless the others are exactly those of this network, of the right shapes
    and finite.
    """
    wanted = {layer: _names(layer) for layer in model.layers if layer.weights}
    expected = {name for names in wanted.values() for name, _ in names}
    given = {name for name in checkpoint if not name.startswith(top) and not name.endswith(".num_batches_tracked")}
    for missing, verb in ((expected - given, "lack"), (given - expected, "also have")):
        if missing:
            raise BackboneError(f"These are not the weights of {model.name}: they {verb} {_some(missing)}.")
    for layer, names in wanted.items():
        arrays = []
        for weight, (name, axes) in zip(layer.weights, names, strict=True):
            shape = tuple(weight.shape[axes.index(axis)] for axis in range(len(axes)))
            arrays.append(_checked(checkpoint, name, shape, model.name).transpose(axes))
        layer.set_weights(arrays)


def _names(layer: Any) -> list[tuple[str, tuple[int, ...]]]:
    from retrain.core.keras import keras

    parts = CONVOLUTION
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        parts = DEPTHWISE_CONVOLUTION
    elif isinstance(layer, keras.layers.BatchNormalization):
        parts = BATCH_NORM
    return [(f"{layer.checkpoint_name}.{part}", axes) for part, axes in parts[: len(layer.weights)]]


def _checked(
    checkpoint: Mapping[str, npt.NDArray[Any]], name: str, shape: tuple[int, ...], network: str
) -> npt.NDArray[np.float32]:
    array = np.asarray(checkpoint[name])
    if array.shape != shape:
        raise BackboneError(f"These are not the weights of {network}: {name} is of shape {array.shape}, not {shape}.")
    with np.errstate(over="ignore"):  # what overflows is not finite, and refused
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise BackboneError(f"{name} holds numbers that are not finite; get the checkpoint again.")
    return array


def _some(names: Collection[str]) -> str:
    """`a, b, c and 4 more`"""
    shown = ", ".join(sorted(names)[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
