"""What an export puts on top of the bottlenecks: the head, and the class means that make photos familiar."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from label_image.runtimes import Outputs
from retrain.core.errors import ExportError
from retrain.training.head import Head, Hidden, Matrix
from retrain.training.unknown import similarity


@dataclass(frozen=True)
class Top:
    """A head, and `means` (dim, classes): float32 columns of length 1 as in `retrain.training.unknown.Familiar`."""

    head: Head
    means: Matrix

    def outputs(self, bottlenecks: Matrix) -> Outputs:
        """What an export is to answer for bottlenecks (n, dim)."""
        return Outputs(self.head.probabilities(bottlenecks), similarity(bottlenecks, self.means))

    @property
    def arrays(self) -> tuple[Matrix, ...]:
        """All its numbers; kernels are (inputs, outputs)."""
        return (*(array for layer in self.head.layers for array in layer), self.means)


def placeholder_head(top: Top) -> Top:
    """The top of a template, of the same structure: numbers that a file holds once, and nowhere else."""
    random = np.random.default_rng(0)

    def known(values: Matrix) -> Matrix:
        return random.normal(size=values.shape).astype(np.float32)

    head = top.head
    hidden = tuple(Hidden(known(layer.kernel), known(layer.bias), layer.activation) for layer in head.hidden)
    return Top(Head(known(head.kernel), known(head.bias), hidden), known(top.means))


def exchanged(file: str, data: bytes, old: Sequence[Matrix], new: Sequence[Matrix]) -> bytes:
    """The content of a file with float32 numbers of the same shapes in the places of others.

    Raises ExportError if those are not there exactly once.
    """
    content = bytearray(data)
    for before, after in zip(old, new, strict=True):
        place, length = _only_place(file, content, _bytes(before)), before.size * 4
        content[place : place + length] = _bytes(after)
    return bytes(content)


def _only_place(file: str, content: bytearray, values: bytes) -> int:
    place = content.find(values)
    if place < 0 or content.find(values, place + 1) >= 0:
        raise ExportError(f"{file} does not hold its top exactly once: this TensorFlow is not known.")
    return place


def _bytes(values: Matrix) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()
