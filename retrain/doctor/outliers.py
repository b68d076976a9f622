"""Photos that look like none of the classes: far from all of them in the space of the bottlenecks.

The distance is Mahalanobis', to the nearest class mean, with one covariance for all classes (Lee et al., "A
Simple Unified Framework for Detecting Out-of-Distribution Samples", NeurIPS 2018). Two things keep outliers from
hiding: means and covariance are those of photos in other folds, and the tenth of the photos that is farthest
off at a first glance is left out of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt

from retrain.dataset import Photo
from retrain.doctor.findings import Finding
from retrain.doctor.looks import Floats
from retrain.sample import Classes, Rows

SHRINKAGE = 0.1  # towards a multiple of the identity: there may be fewer photos than features
TRIMMED = 0.1
FENCE = 2.5  # quartile ranges above the upper quartile; Tukey's "far out" is 3, for what is nearly normal
LEAST_PHOTOS = 50
BLOCK = 4096  # photos at a time


def outlier_findings(photos: Sequence[Photo], distances: npt.NDArray[np.float64]) -> list[Finding]:
    """A finding for each photo that is far off; the score is its distance in quartile ranges above the upper one.

    Nothing is suggested: about half of them belong where they are (docs/doctor.md).
    """
    scores = quartile_scores(distances)
    return [
        Finding(
            "outlier",
            photos[row].path,
            photos[row].label,
            float(scores[row]),
            f"Looks like no class: its distance to the nearest one is {distances[row] / np.median(distances):.1f} "
            "times the usual.",
            int(row),
        )
        for row in np.argsort(-scores, kind="stable")
        if scores[row] > FENCE
    ]


def quartile_scores(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far each value (n,) lies above the upper quartile, in quartile ranges."""
    low, high = np.percentile(values, [25, 75])
    scores: npt.NDArray[np.float64] = (values - high) / max(high - low, 1e-12)
    return scores


def class_distances(matrix: Floats, classes: Classes, folds: Rows) -> npt.NDArray[np.float64]:
    """The distance (n,) of each bottleneck (n, dim) to the nearest mean of a class."""
    everything = np.zeros(len(classes), np.intp)
    first = _distances(matrix, classes, everything, np.ones(len(classes), np.bool_))
    usual = first <= np.quantile(first, 1 - TRIMMED)
    return _distances(matrix, classes, folds, usual)


@dataclass(frozen=True)
class _Moments:
    """Counts (classes,), sums (classes, dim) and the sum of the outer products (dim, dim) of some bottlenecks."""

    counts: Floats
    sums: Floats
    squares: Floats

    def __add__(self, other: "_Moments") -> "_Moments":
        return _Moments(self.counts + other.counts, self.sums + other.sums, self.squares + other.squares)

    def __sub__(self, other: "_Moments") -> "_Moments":
        return _Moments(self.counts - other.counts, self.sums - other.sums, self.squares - other.squares)

    def means_and_covariance(self) -> tuple[Floats, Floats]:
        """The means (m, dim) of the classes that have photos, and the shrunk covariance within them (dim, dim)."""
        seen = self.counts > 0
        means, total = self.sums[seen] / self.counts[seen, None], self.counts.sum()
        covariance: Floats = self.squares / total - (means.T * (self.counts[seen] / total)) @ means
        variance = max(float(np.trace(covariance)) / len(covariance), 1e-12)
        covariance *= 1 - SHRINKAGE
        covariance[np.diag_indices_from(covariance)] += SHRINKAGE * variance
        return means, covariance


def _distances(matrix: Floats, classes: Classes, folds: Rows, usual: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Distances (n,) by means and covariance of the usual photos of other folds; of all, if there is one fold."""
    from scipy.linalg import cholesky, solve_triangular

    parts = {fold: _moments(matrix, classes, usual & (folds == fold)) for fold in np.unique(folds)}
    everything = reduce(add, parts.values())
    distances = np.zeros(len(classes))
    for fold, part in parts.items():
        means, covariance = (everything - part if len(parts) > 1 else everything).means_and_covariance()
        factor = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        asked = np.flatnonzero(folds == fold)
        whitened = solve_triangular(factor, matrix[asked].T, lower=True, check_finite=False).T
        centres = solve_triangular(factor, means.T, lower=True, check_finite=False).T
        squared = (whitened**2).sum(axis=1)[:, None] - 2 * whitened @ centres.T + (centres**2).sum(axis=1)
        distances[asked] = np.sqrt(np.maximum(squared.min(axis=1), 0))
    return distances


def _moments(matrix: Floats, classes: Classes, mask: npt.NDArray[np.bool_]) -> _Moments:
    rows, count, dim = np.flatnonzero(mask), int(classes.max()) + 1, matrix.shape[1]
    moments = _Moments(
        np.zeros(count, np.float32), np.zeros((count, dim), np.float32), np.zeros((dim, dim), np.float32)
    )
    for start in range(0, len(rows), BLOCK):
        block_rows = rows[start : start + BLOCK]
        block, membership = matrix[block_rows], np.eye(count, dtype=np.float32)[classes[block_rows]]
        moments += _Moments(membership.sum(axis=0), membership.T @ block, block.T @ block)
    return moments
