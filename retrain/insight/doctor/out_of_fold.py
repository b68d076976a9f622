"""What a linear head says of photos that it was not trained on, by cross-validation over groups of copies."""

from collections.abc import Sequence

import numpy as np

from retrain.core.blas import threads_for
from retrain.insight.doctor.findings import Copies
from retrain.photos.dataset import Photo
from retrain.photos.groups import content_groups
from retrain.photos.small_copies import Floats
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.sample import Classes, Rows, Sample
from retrain.training.head import predict

# Stronger than the best one for accuracy: a head that follows single photos believes their wrong labels too.
L2 = 0.3


def groups_with_copies(photos: Sequence[Photo], copies: Sequence[Copies]) -> list[str]:
    """The group of each photo: those of the split, and copies of one picture together."""
    return content_groups(photos, ((group.rows[0], row) for group in copies for row in group.rows[1:]))


def out_of_fold(
    matrix: Floats, classes: Classes, folds: Rows, count: int, l2: float = L2, widths: tuple[int, ...] = ()
) -> Floats:
    """Probabilities (n, count) of `count` classes for each photo, from a head that saw only the other folds.

    `matrix` (n, dim) holds the bottlenecks, `widths` is as in `Sample`. Where a fold is all there is,
    probabilities are equal.
    """
    sample = Sample(matrix, classes, widths=widths)
    empty = sample.take(np.zeros(0, np.intp))
    probabilities = np.full((len(classes), count), 1 / count, np.float32)
    with threads_for(matrix.size):
        for fold in np.unique(folds):
            asked = folds == fold
            if not asked.all():
                fit = fit_to_convergence(sample.take(~asked), empty, count, (l2,))
                probabilities[asked] = predict(fit.head, sample.take(asked))
    return probabilities
