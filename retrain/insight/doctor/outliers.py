"""Photos that look like none of the classes: the photos most like them are far away.

The distance is one less the cosine of two bottlenecks, to the photo that is k-th nearest (Sun et al.,
"Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022). k is half of the photos of the class, so that
small classes have near ones as well, and NEIGHBOURS at most: fewer strangers than that cannot make each other usual.
Neighbours are sought in other folds, where no copy of the photo is. Where nearly all photos are copies distances tell
nothing, and nothing is said.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retrain.bottlenecks.nearest import nearest
from retrain.core.language import message
from retrain.insight.doctor.findings import Finding
from retrain.photos.dataset import Photo
from retrain.photos.small_copies import Floats
from retrain.training.fitting.sample import Classes, Rows

Doubles = npt.NDArray[np.float64]

NEIGHBOURS = 50
MOST_COMPARED = 4096  # photos of other folds, drawn at random: more find the same outliers
FENCE = 2.5  # quartile ranges above the upper quartile; Tukey's "far out" is 3, for what is nearly normal
LEAST_PHOTOS = 50
LEAST_SPREAD = 1e-6  # of distances; below it there are only copies, and rounding
BLOCK = 4096  # photos at a time


def outlier_findings(photos: Sequence[Photo], distances: Doubles) -> list[Finding]:
    """A finding for each photo that is far off; the score is its distance in quartile ranges above the upper one.

    Nothing is suggested: some of them belong where they are (docs/doctor.md). Nothing is found where
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
                "Looks like no class: the photos most like it are {times:.1f} times as far away as usual.",
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
    return bool(high - low > LEAST_SPREAD)


def quartile_scores(values: Doubles) -> Doubles:
    """How far each value (n,) lies above the upper quartile, in quartile ranges."""
    low, high = np.percentile(values, [25, 75])
    scores: Doubles = (values - high) / max(high - low, 1e-12)
    return scores


def neighbour_distances(matrix: Floats, classes: Classes, folds: Rows) -> Doubles:
    """How far each bottleneck (n, dim) is from its like in other folds, 0..2; NaN where there is no other fold.

    (n,): one less the cosine to the k-th nearest photo, see above.
    """
    random = np.random.default_rng(0)
    distances = np.full(len(classes), np.nan)
    for fold in np.unique(folds):
        others = np.flatnonzero(folds != fold)
        if not len(others):
            continue
        if len(others) > MOST_COMPARED:
            others = np.sort(random.choice(others, MOST_COMPARED, replace=False))
        counts = np.bincount(classes[others], minlength=int(classes.max()) + 1)
        compared = matrix[others]
        asked = np.flatnonzero(folds == fold)
        for start in range(0, len(asked), BLOCK):
            rows = asked[start : start + BLOCK]
            cosines = nearest(compared, matrix[rows], NEIGHBOURS).cosines
            last = np.clip(counts[classes[rows]] // 2, 1, cosines.shape[1]) - 1
            distances[rows] = 1 - cosines[np.arange(len(rows)), last]
    return distances
