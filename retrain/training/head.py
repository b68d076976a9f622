"""The head on top of the bottlenecks: a softmax layer, with hidden layers before it where they are asked for.

`training.fitting.convergence` fits the default one, `training.fitting.mini_batches` those with hidden layers. They
fold the scaling of the bottlenecks into the first kernel and bias, so a head takes raw bottlenecks wherever
it is exported to; a linear one is one product and one addition.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from retrain.core.errors import OptionError
from retrain.training.fitting.sample import Classes as Classes
from retrain.training.fitting.sample import Matrix as Matrix
from retrain.training.fitting.sample import Sample as Sample
from retrain.training.recipe import Description


@dataclass(frozen=True)
class Hidden:
    """A hidden layer: `kernel` (inputs, units) and `bias` (units,), float32, then relu, gelu or tanh."""

    kernel: Matrix
    bias: Matrix
    activation: str

    def __call__(self, values: Matrix) -> Matrix:
        """(n, inputs) -> (n, units)."""
        sums: Matrix = values @ self.kernel + self.bias
        if self.activation == "relu":
            return np.maximum(sums, 0)
        if self.activation == "tanh":
            return np.tanh(sums)
        assert self.activation == "gelu", self.activation
        from scipy.special import erf  # 0.2 s that linear heads need not wait for

        gelu: Matrix = sums * np.float32(0.5) * (1 + erf(sums * np.float32(math.sqrt(0.5))))
        return gelu


@dataclass(frozen=True)
class Head:
    """A linear layer with softmax, after hidden layers where there are any.

    `kernel` is (inputs, classes) and `bias` (classes,), both float32; the inputs are those of the
    last hidden layer, else the bottleneck's.
    """

    kernel: Matrix
    bias: Matrix
    hidden: tuple[Hidden, ...] = ()

    def logits(self, bottlenecks: Matrix) -> Matrix:
        """Scores before the softmax: (n, dim) -> (n, classes)."""
        values = bottlenecks
        for layer in self.hidden:
            values = layer(values)
        return values @ self.kernel + self.bias

    def probabilities(self, bottlenecks: Matrix) -> Matrix:
        """Class probabilities, rows summing to 1: (n, dim) -> (n, classes).

        Raises OptionError for bottlenecks of another length.
        """
        if np.shape(bottlenecks)[-1:] != self.sizes[:1]:
            raise OptionError(
                f"`bottlenecks` are of the shape {np.shape(bottlenecks)}, and the head takes (n, {self.sizes[0]}): "
                "pass those of its own backbone."
            )
        return np.exp(log_softmax(self.logits(bottlenecks)))

    @property
    def layers(self) -> tuple[tuple[Matrix, Matrix], ...]:
        """Kernel and bias of each layer, the first one first."""
        return (*((layer.kernel, layer.bias) for layer in self.hidden), (self.kernel, self.bias))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The length of a bottleneck, the units of each hidden layer, the number of classes."""
        return (self.layers[0][0].shape[0], *(len(bias) for _, bias in self.layers))

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        return tuple(layer.activation for layer in self.hidden)

    @property
    def parameters(self) -> int:
        """How many numbers it holds."""
        return sum(kernel.size + bias.size for kernel, bias in self.layers)


@dataclass(frozen=True)
class Progress:
    """One point of a training curve. `step` counts L2 strengths or mini-batch steps, `total` is their number.

    Cross-entropies are those of the true class, weighted by class where training is.
    """

    step: int
    training_accuracy: float
    training_cross_entropy: float
    validation_accuracy: float | None
    validation_cross_entropy: float | None
    total: int | None = None


@dataclass(frozen=True)
class Fit:
    """A fitted head, how it was chosen, and the curve that led to it.

    A head that was refitted to the validation photos too has `before_refit`: the head that was chosen, which
    has not seen them. `curve` and the strength in `description` belong to that one.
    """

    head: Head
    description: Description
    curve: tuple[Progress, ...]
    before_refit: Head | None = None


Observer = Callable[[Progress], None]


def class_weights(labels: Classes, classes: int) -> Matrix:
    """Weights (classes,) with which all classes count the same, and photos 1 on average; 0 without photos."""
    photos = np.bincount(labels, minlength=classes)
    weights = np.zeros(classes, np.float32)
    weights[photos > 0] = len(labels) / (np.count_nonzero(photos) * photos[photos > 0])
    return weights


def predict(head: Head, sample: Sample, size: int | None = None) -> Matrix:
    """Class probabilities (n, classes) of a sample, `size` photos at a time."""
    probabilities = np.empty((len(sample), len(head.bias)), np.float32)

    def of_lane(lane: slice) -> None:
        for positions, block in sample.blocks(size, lane):
            probabilities[positions] = head.probabilities(block)

    for _ in sample.in_lanes(of_lane, head.parameters // sample.dim, size):
        pass
    return probabilities


def log_softmax(logits: Matrix) -> Matrix:
    """Logarithm of the softmax over the last axis, without overflow."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Matrix = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def fold(kernel: Matrix, bias: Matrix, mean: Matrix, scale: Matrix) -> tuple[Matrix, Matrix]:
    """Kernel and bias for raw bottlenecks from those for standardised ones: W / s, and b - m W / s.

    `mean` m and `scale` s are (dim,).
    """
    raw = kernel.astype(np.float64) / scale.astype(np.float64)[:, np.newaxis]
    return raw.astype(np.float32), (bias - mean.astype(np.float64) @ raw).astype(np.float32)


def score(head: Head, sample: Sample, class_weights: Matrix | None = None) -> tuple[float, float]:
    """Accuracy, and mean cross-entropy with each photo weighted by its class. The sample needs photos."""

    def of_lane(lane: slice) -> tuple[int, float, float]:
        right, loss, total = 0, 0.0, 0.0
        for positions, block in sample.blocks(lane=lane):
            labels = sample.classes[positions]
            log_p = log_softmax(head.logits(block))
            right += int((log_p.argmax(axis=1) == labels).sum())
            weights = np.ones(len(labels), np.float32) if class_weights is None else class_weights[labels]
            loss -= float((log_p[np.arange(len(labels)), labels] * weights).sum(dtype=np.float64))
            total += float(weights.sum(dtype=np.float64))
        return right, loss, total

    lanes = sample.in_lanes(of_lane, head.parameters // sample.dim)
    right, loss, total = map(sum, zip(*lanes, strict=True))
    return right / len(sample), loss / total if total else 0.0
