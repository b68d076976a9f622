"""Answers "none of these": how unlike a photo is to everything that was trained on.

A photo's similarity is the cosine between its bottleneck and the nearest class mean. It takes one
more product in the network, no larger than the head's, so every export has it as an output. Of the
scores compared on cats against flowers and noise (docs/evaluation.md) it was as good as the distance
to the nearest training photos, and better than Gaussians with a shared covariance (Lee et al. 2018),
the energy of the logits (Liu et al. 2020) and the largest probability.

Bottlenecks of several backbones side by side are one vector here, whatever their scales: at worst one with much
larger numbers decides alone, as it would without the others.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrain.training.fitting.sample import Classes, Matrix, Sample

Similarities = npt.NDArray[np.float32]

OUTPUT = "similarity"  # its name in every export
REFUSED = 0.02  # the share of known photos that the threshold refuses


@dataclass(frozen=True, eq=False)
class Familiar:
    """What is familiar: `means` (dim, classes), float32, columns of length 1, and the `threshold`.

    A photo whose similarity, in -1..1, is below the threshold is none of the classes. The threshold was chosen by
    `left_out` (n,), how like the others each of the known photos is.
    """

    means: Matrix
    threshold: float
    left_out: Similarities

    @property
    def photos(self) -> int:
        """On how many photos the threshold was chosen."""
        return len(self.left_out)

    def similarity(self, bottlenecks: Matrix) -> Similarities:
        """How like the nearest class mean: (n, dim) -> (n,), in -1..1."""
        return similarity(bottlenecks, self.means)


def similarity(bottlenecks: Matrix, means: Matrix) -> Similarities:
    """The cosine to the nearest of `means` (dim, classes), columns of length 1: (n, dim) -> (n,)."""
    similarities: Similarities = (_unit(bottlenecks) @ means).max(axis=1)
    return similarities


def fit_novelty_detector(known: Sample, classes: int, refused: float = REFUSED) -> Familiar:
    """The class means of these photos, and the threshold that refuses a share `refused` of them.

    For the threshold each photo is compared with the means of the others (leave one out): so all of
    them count as photos that were not seen, and few are enough. A class without photos has no mean.
    """

    def sums_of(lane: slice) -> npt.NDArray[np.float64]:
        sums = np.zeros((classes, known.dim))
        for positions, block in known.blocks(lane=lane):
            np.add.at(sums, known.classes[positions], _unit(block))
        return sums

    sums = sum(known.in_lanes(sums_of, classes), np.zeros((classes, known.dim)))
    means = np.ascontiguousarray(_unit(sums).T, np.float32)
    similarities = np.empty(len(known), np.float32)

    def compare(lane: slice) -> None:
        for positions, block in known.blocks(lane=lane):
            similarities[positions] = _of_the_others(_unit(block), known.classes[positions], sums, means)

    for _ in known.in_lanes(compare, classes):
        pass
    return Familiar(means, float(np.quantile(similarities, refused)), similarities)


def refused_by_others(similarities: Similarities, folds: npt.NDArray[np.intp]) -> int:
    """How many photos are below the threshold that the photos of the other folds, (n,), would have chosen."""
    count = 0
    for fold in np.unique(folds):
        own = folds == fold
        if not own.all():
            count += int((similarities[own] < np.quantile(similarities[~own], REFUSED)).sum())
    return count


def _of_the_others(photos: Matrix, classes: Classes, sums: npt.NDArray[np.float64], means: Matrix) -> Similarities:
    """The similarity of each photo, (n, dim) of length 1, to the nearest class mean that it has no part in."""
    cosines = photos @ means
    others = sums[classes] - photos
    cosines[np.arange(len(photos)), classes] = (photos * _unit(others)).sum(axis=1)
    similarities: Similarities = cosines.max(axis=1)
    return similarities


def _unit(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Rows of length 1; one of nothing but zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # What is left of a class after its only photo is rounding, not a direction.
    unit: npt.NDArray[np.floating] = np.divide(vectors, lengths, where=lengths > 1e-6, out=np.zeros_like(vectors))
    return unit
