"""Photos that look like none of the classes: far from all of them in the space of the bottlenecks.

The distance is Mahalanobis', to the nearest class mean, with one covariance for all classes (Lee et al., "A
Simple Unified Framework for Detecting Out-of-Distribution Samples", NeurIPS 2018). Two things keep outliers from
hiding: means and covariance are those of photos in other folds, and the tenth of the photos that is farthest
off at a first glance is left out of them. Where nearly all photos are copies there is no covariance to measure
with: then nothing is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt

from retrain.core.language import message
from retrain.insight.doctor.findings import Finding
from retrain.photos.dataset import Photo
from retrain.photos.small_copies import Floats
from retrain.training.fitting.sample import Classes, Rows

Doubles = npt.NDArray[np.float64]

SHRINKAGE = 0.1  # towards a multiple of the identity: there may be fewer photos than features
TRIMMED = 0.1
FENCE = 2.5  # quartile ranges above the upper quartile; Tukey's "far out" is 3, for what is nearly normal
LEAST_PHOTOS = 50
LEAST_SPREAD = 1e-6  # of numbers, beside their size; below it there are only copies, and rounding
BLOCK = 4096  # photos at a time


def outlier_findings(photos: Sequence[Photo], distances: Doubles) -> list[Finding]:
    """A finding for each photo that is far off; the score is its distance in quartile ranges above the upper one.

    Nothing is suggested: about half of them belong where they are (docs/doctor.md). Nothing is found where
    `can_judge` says no.
    """
    if not can_judge(distances):
        return []
    scores = quartile_scores(distances)
    return [
        Finding(
            "outlier",
            photos[row].path,
            photos[row].label,
            float(scores[row]),
            message(
                "Looks like no class: its distance to the nearest one is {times:.1f} times the usual.",
                times=float(distances[row] / np.median(distances)),
            ),
            int(row),
        )
        for row in np.argsort(-scores, kind="stable")
        if scores[row] > FENCE
    ]


def can_judge(distances: Doubles) -> bool:
    """Whether distances (n,) tell photos apart: they are known, and half of them or more differ."""
    if not np.isfinite(distances).all():
        return False
    low, high = np.percentile(distances, [25, 75])
    return bool(high - low > LEAST_SPREAD * high)


def quartile_scores(values: Doubles) -> Doubles:
    """How far each value (n,) lies above the upper quartile, in quartile ranges."""
    low, high = np.percentile(values, [25, 75])
    scores: Doubles = (values - high) / max(high - low, 1e-12)
    return scores


def class_distances(matrix: Floats, classes: Classes, folds: Rows) -> Doubles:
    """The distance (n,) of each bottleneck (n, dim) to the nearest mean of a class; NaN where there is no measure."""
    everything = np.zeros(len(classes), np.intp)
    first = _distances(matrix, classes, everything, np.ones(len(classes), np.bool_))
    if not np.isfinite(first).all():
        return first
    usual = first <= np.quantile(first, 1 - TRIMMED)
    return _distances(matrix, classes, folds, usual)


@dataclass(frozen=True)
class _Moments:
    """Counts (classes,), sums (classes, dim) and the sum of the outer products (dim, dim) of some bottlenecks."""

    counts: Doubles
    sums: Doubles
    squares: Doubles

    def __add__(self, other: "_Moments") -> "_Moments":
        return _Moments(self.counts + other.counts, self.sums + other.sums, self.squares + other.squares)

    def __sub__(self, other: "_Moments") -> "_Moments":
        return _Moments(self.counts - other.counts, self.sums - other.sums, self.squares - other.squares)

    @property
    def mean_square(self) -> float:
        """Of all numbers in the bottlenecks."""
        return float(np.trace(self.squares) / max(1, self.counts.sum()) / len(self.squares))

    def means_and_covariance(self, least_variance: float) -> tuple[Doubles, Doubles] | None:
        """The means (m, dim) of the classes that have photos, and the shrunk covariance within them (dim, dim).

        None if there are no photos, or the variance within the classes is not above the least one.
        """
        seen, total = self.counts > 0, self.counts.sum()
        if total == 0:
            return None
        means = self.sums[seen] / self.counts[seen, None]
        covariance: Doubles = self.squares / total - (means.T * (self.counts[seen] / total)) @ means
        variance = np.trace(covariance) / len(covariance)
        if variance <= least_variance:
            return None
        covariance *= 1 - SHRINKAGE
        covariance[np.diag_indices_from(covariance)] += SHRINKAGE * variance
        return means, covariance


def _distances(matrix: Floats, classes: Classes, folds: Rows, usual: npt.NDArray[np.bool_]) -> Doubles:
    """Distances (n,) by means and covariance of the usual photos of other folds; of all, if there is one fold.

    They are NaN if the usual photos of some fold's other folds are no measure.
    """
    from scipy.linalg import cholesky, solve_triangular

    # Far from 0 the covariance would be a small difference of large numbers.
    middle = matrix.mean(axis=0, dtype=np.float64)
    parts = {fold: _moments(matrix, middle, classes, usual & (folds == fold)) for fold in np.unique(folds)}
    everything = reduce(add, parts.values())
    least_variance = LEAST_SPREAD * everything.mean_square
    distances = np.full(len(classes), np.nan)
    for fold, part in parts.items():
        measured = everything - part if len(parts) > 1 else everything
        measure = measured.means_and_covariance(least_variance)
        if measure is None:
            return np.full(len(classes), np.nan)
        means, covariance = measure
        factor = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        centres = solve_triangular(factor, means.T, lower=True, check_finite=False).T
        asked = np.flatnonzero(folds == fold)
        for start in range(0, len(asked), BLOCK):
            rows = asked[start : start + BLOCK]
            whitened = solve_triangular(factor, (matrix[rows] - middle).T, lower=True, check_finite=False).T
            nearest = ((centres**2).sum(axis=1) - 2 * whitened @ centres.T).argmin(axis=1)
            distances[rows] = np.linalg.norm(whitened - centres[nearest], axis=1)
    return distances


def _moments(matrix: Floats, middle: Doubles, classes: Classes, mask: npt.NDArray[np.bool_]) -> _Moments:
    """The moments of the bottlenecks of `mask`, less `middle` (dim,)."""
    rows, count, dim = np.flatnonzero(mask), int(classes.max()) + 1, matrix.shape[1]
    moments = _Moments(np.zeros(count), np.zeros((count, dim)), np.zeros((dim, dim)))
    for start in range(0, len(rows), BLOCK):
        block_rows = rows[start : start + BLOCK]
        block, membership = matrix[block_rows] - middle, np.eye(count)[classes[block_rows]]
        moments += _Moments(membership.sum(axis=0), membership.T @ block, block.T @ block)
    return moments
