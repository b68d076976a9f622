"""What a linear head says of photos that it was not trained on, by cross-validation over groups of copies.

A training asks its heads the same (`retrain.training.cross_validation`): they go from strong to weak penalties, and
pass the doctor's. So where a run has their answers, they are the doctor's, too; else they are asked here, by the same
function, at that one penalty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrain.core.blas import one_thread
from retrain.insight.doctor.findings import Copies
from retrain.photos.dataset import Photo
from retrain.photos.groups import content_groups
from retrain.photos.small_copies import Floats
from retrain.training.fitting.linear_heads import answers_along
from retrain.training.fitting.sample import Classes, Rows, Sample
from retrain.training.trained import TrainedHead

# A head that follows single photos believes their wrong labels too. Of 5 % wrong labels among the cats, over 5 seeds
# and with mobilenet_v2, heads of the penalties 1, 0.3, 0.1, 0.03 and 0.01 name 0.90, 0.91, 0.93, 0.95 and 0.96, with a
# precision of 0.85, 0.82, 0.73, 0.61 and 0.52; the answers that the training quotes, by the penalty that the other
# folds choose, 0.94 with 0.75. A strength of the training's own path, so that its answers serve both.
L2 = 0.3


@dataclass(frozen=True)
class Asked:
    """Probabilities (n, classes) by heads that have not seen the photos, and the folds (deals, n) that took turns."""

    deals: Rows
    probabilities: Floats

    def keeps_together(self, groups: Sequence[str]) -> bool:
        """Whether no head was asked about a photo of which it has seen another of the group."""
        _, numbers = np.unique(np.array(groups), return_inverse=True)
        _, first = np.unique(numbers, return_index=True)
        return bool((self.deals == self.deals[:, first][:, numbers]).all())


def groups_with_copies(photos: Sequence[Photo], copies: Sequence[Copies]) -> list[str]:
    """The group of each photo: those of the split, and copies of one picture together."""
    return content_groups(photos, ((group.rows[0], row) for group in copies for row in group.rows[1:]))


def asked_in_training(trained: TrainedHead, labels: Sequence[str]) -> Asked | None:
    """What the heads of a training said at the penalty L2, by `labels`, as the mean over the deals of its folds.

    None where there were no such heads: with one split, with a given penalty, or with another loss.
    """
    found = trained.out_of_fold
    other_loss = {"label_smoothing", "class_weight"} & set(trained.description)
    if found is None or other_loss or L2 not in found.path:
        return None
    columns = [trained.labels.index(label) for label in labels]
    return Asked(found.folds, found.probabilities[:, found.path.index(L2)].mean(axis=0)[:, columns])


def out_of_fold(
    matrix: Floats, classes: Classes, folds: Rows, count: int, l2: float = L2, widths: tuple[int, ...] = ()
) -> Floats:
    """Probabilities (n, count) of `count` classes for each photo, from a head that saw only the other folds.

    `matrix` (n, dim) holds the bottlenecks, `widths` is as in `Sample`. Where a fold is all there is,
    probabilities are equal.
    """
    used, numbers = np.unique(folds, return_inverse=True)
    if len(used) < 2:
        return np.full((len(classes), count), 1 / count, np.float32)
    with one_thread():
        answers = next(answers_along(Sample(matrix, classes, widths=widths), numbers, count, (l2,)))
    probabilities: Floats = np.exp(answers.log_probabilities)
    return probabilities
