"""What an export puts on top of the bottlenecks: the head, and the class means that make photos familiar."""

from dataclasses import dataclass

import numpy as np

from label_image.model import Outputs
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
        """All its numbers as TFLite holds them: products turned around, (outputs, inputs)."""
        layers = (array for kernel, bias in self.head.layers for array in (kernel.T, bias))
        return (*layers, self.means.T)


def placeholder_head(top: Top) -> Top:
    """The top of a template, of the same structure: numbers that a file holds once, and nowhere else."""
    random = np.random.default_rng(0)

    def known(values: Matrix) -> Matrix:
        return random.normal(size=values.shape).astype(np.float32)

    head = top.head
    hidden = tuple(Hidden(known(layer.kernel), known(layer.bias), layer.activation) for layer in head.hidden)
    return Top(Head(known(head.kernel), known(head.bias), hidden), known(top.means))
