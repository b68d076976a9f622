"""Many linear heads over the same bottlenecks, trained together: folds side by side, strong to weak L2.

For each L2 strength the heads of all folds are one wide product: a pass over the bottlenecks that serves
k heads costs far less than k passes, for BLAS does wide products three times as fast as those of one head
with a few classes. Each head sees all photos but those of its own fold; photos are sorted by fold, so
that what a head does not see is never multiplied. From one strength to the next goes what the fit of one head
(`convergence`) takes along too: the curvature that was met, and where the weights point to.

The optimum is that of a head that is fitted alone (`fit_to_convergence` in `convergence`): there the photos
in training give mean and scale, which here all photos give. The mean changes nothing, for the bias is not
penalised; the scale is made up for in the L2 strength. Of bottlenecks side by side it is made up for on average:
how the backbones compare to each other is taken from all photos.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from retrain.training.fitting.lanes import Found, cut, side_by_side
from retrain.training.fitting.preconditioner import Preconditioner
from retrain.training.fitting.sample import Classes, Matrix, Rows, Sample, Standardised, block_rows
from retrain.training.fitting.wide_heads import add_penalties, precondition, scores_of
from retrain.training.fitting.wide_lbfgs import Indices, Memory, Numbers, minimise_together
from retrain.training.head import Head, class_weights, fold

# Of the loss; a step that gains less is the last one. Three times that of a head that is kept: at the best
# strengths for 12 cat breeds held-out cross-entropies then are within 0.001 of the optimum's; a difference
# between two strengths has a standard error of about 0.01.
TOLERANCE = 3e-4
LEAST_LOSS = 0.3  # nats; a smaller loss counts as this one there
LEAST_LIKELIHOOD = 1e-12


@dataclass(frozen=True)
class Answers:
    """What the heads of one L2 strength make of the photos that they did not see.

    `log_probabilities` (n, classes), photos in the order of the sample; `training_losses` (folds,) are the minima
    that were reached, penalty included, to about 0.0005 nats. `training_accuracy` and `training_cross_entropy` are
    means over the heads, on the photos that each has seen. `mean` is the mean of the heads, for bottlenecks as they
    are: a head that is fitted to all photos is near it.
    """

    l2: float
    log_probabilities: Matrix
    training_losses: Numbers
    training_accuracy: float
    training_cross_entropy: float
    mean: Head


@dataclass(frozen=True)
class HeldOut:
    """What the heads make of the photos that they did not see, one row for each L2 strength of `path`.

    `cross_entropies` (strengths, n) in nats and `right` (strengths, n), photos in the order of the sample;
    `training_losses` (strengths, folds) are those of `Answers`.
    """

    path: tuple[float, ...]
    cross_entropies: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
    training_losses: Numbers


def cross_validate(
    sample: Sample, folds: Rows, classes: int, path: Sequence[float], tolerance: float = TOLERANCE
) -> HeldOut:
    """Train one head for each fold and each L2 strength, and ask each about its own fold.

    `folds` (n,) holds the fold of each photo, 0..k-1, of which at least two have photos.
    Strengths are greater than 0; `HeldOut.path` has them sorted, strongest first.
    """
    path = tuple(sorted(set(path), reverse=True))
    rows = np.arange(len(sample))
    losses = np.zeros((len(path), len(sample)), np.float32)
    right = np.zeros((len(path), len(sample)), bool)
    training_losses = np.zeros((len(path), int(folds.max()) + 1))
    for index, answers in enumerate(answers_along(sample, folds, classes, path, tolerance=tolerance)):
        said = answers.log_probabilities
        losses[index] = np.minimum(-said[rows, sample.classes], -np.log(np.float32(LEAST_LIKELIHOOD)))
        right[index] = said.argmax(axis=1) == sample.classes
        training_losses[index] = answers.training_losses
    return HeldOut(path, losses, right, training_losses)


def answers_along(
    sample: Sample,
    folds: Rows,
    classes: int,
    path: Iterable[float],
    *,
    label_smoothing: float = 0.0,
    balanced: bool = False,
    tolerance: float = TOLERANCE,
) -> Iterator[Answers]:
    """As `cross_validate`, but the whole answers, for one strength of the path after the other, strongest first.

    The next strength is asked for when the answers of the last are known. `label_smoothing` and `balanced` are those
    of `fit_to_convergence`.
    """
    heads = _Heads(sample, folds, classes, label_smoothing, balanced)
    for l2, weights, minima in heads.fit_along(path, tolerance):
        said = np.empty((len(sample), classes), np.float32)
        for positions, log_probabilities in heads.answer_held_out(weights):
            said[positions] = log_probabilities
        yield Answers(l2, said, minima, *heads.score_seen(weights), heads.mean(weights))


@dataclass(frozen=True)
class _Lane:
    """Positions among photos that are sorted by fold, all of one fold."""

    fold: int
    positions: slice


class _Heads:
    """One head for each fold: weights are (heads, classes, dim + 1), bias last."""

    def __init__(self, sample: Sample, folds: Rows, classes: int, label_smoothing: float, balanced: bool) -> None:
        self.count = int(folds.max()) + 1
        self._classes = classes
        self._smoothing = np.float32(label_smoothing)
        self._order = np.argsort(folds, kind="stable")
        self._labels: Classes = sample.classes[self._order]
        self._bottlenecks = Standardised(sample.take(self._order))
        self._shape = (classes, sample.dim + 1)
        photos = np.bincount(folds, minlength=self.count)
        self._ends = np.cumsum(photos)
        self._seen = photos.sum() - photos
        self._variances = self._seen_variances()
        self._preconditioner = Preconditioner(self._bottlenecks, classes)
        self._class_weights: Matrix | None = None  # (heads, classes)
        if balanced:
            seen = (sample.classes[folds != head] for head in range(self.count))
            self._class_weights = np.stack([class_weights(labels, classes) for labels in seen])

    def fit_along(self, path: Iterable[float], tolerance: float) -> Iterator[tuple[float, Matrix, Numbers]]:
        """Each strength, its weights (heads, classes, dim + 1) and its minima (heads,), from strong to weak."""
        dim = self._bottlenecks.dim
        weights = np.zeros((self.count, self._classes * (dim + 1)), np.float32)
        memories = [Memory(weights.shape[1]) for _ in range(self.count)]
        penalised = np.ones(self._shape, bool)
        penalised[:, -1] = False
        fitted: list[tuple[float, Matrix]] = []
        for l2 in path:
            if fitted:
                for memory, variance in zip(memories, self._variances, strict=True):
                    memory.add_penalty((l2 - fitted[-1][0]) * variance, penalised.ravel())
            if len(fitted) > 1:
                (l2_before, before), (l2_last, last) = fitted
                weights = last + np.float32(np.log(l2 / l2_last) / np.log(l2_last / l2_before)) * (last - before)

            def evaluate(heads: Indices, weights: Matrix, l2: float = l2) -> tuple[Numbers, Matrix]:
                return self._losses_and_gradients(heads, weights, l2)

            def preconditioned(gradients: Matrix, l2: float = l2) -> Matrix:
                # As a head fitted alone is: it knows all folds, but steers only the way to the minima.
                return precondition(self._preconditioner, gradients, dim, l2)

            weights, minima = minimise_together(evaluate, weights, preconditioned, memories, tolerance, LEAST_LOSS)
            fitted = [*fitted[-1:], (l2, weights)]
            yield l2, weights.reshape(-1, *self._shape), minima

    def answer_held_out(self, weights: Matrix) -> Iterator[tuple[Rows, Matrix]]:
        """Photos (positions in the sample), and the logarithms of their probabilities (photos, classes)."""

        def of_lane(lane: _Lane) -> tuple[Rows, Matrix]:
            own = weights[lane.fold : lane.fold + 1]
            said = np.empty((lane.positions.stop - lane.positions.start, self._classes), np.float32)
            for positions, block in self._bottlenecks.blocks(lane.positions):
                start = positions.start - lane.positions.start
                said[start : start + len(block)] = self._log_probabilities(block, own)[0].T
            return self._order[lane.positions], said

        return self._in_lanes(of_lane, 1)

    def mean(self, weights: Matrix) -> Head:
        """The mean of the heads, for bottlenecks as they are."""
        mean = weights.mean(axis=0)
        return Head(*fold(mean[:, :-1].T, mean[:, -1], self._bottlenecks.mean, self._bottlenecks.scale))

    def score_seen(self, weights: Matrix) -> tuple[float, float]:
        """The accuracy of the heads on what they have seen, and the cross-entropy, weighted by class as the loss is."""

        def of_lane(lane: _Lane) -> tuple[int, float]:
            seeing = np.flatnonzero(np.arange(self.count) != lane.fold)
            asked, right, losses = weights[seeing], 0, 0.0
            for positions, block in self._bottlenecks.blocks(lane.positions):
                said, labels = self._log_probabilities(block, asked), self._labels[positions]
                right += int((said.argmax(axis=1) == labels).sum())
                own = said[:, labels, np.arange(len(labels))]
                photo_weights = self._photo_weights(seeing, labels)
                losses -= float((own if photo_weights is None else own * photo_weights).sum(dtype=np.float64))
            return right, losses

        lanes = list(self._in_lanes(of_lane, self.count))
        seen = int(self._seen.sum())
        return sum(right for right, _ in lanes) / seen, sum(losses for _, losses in lanes) / seen

    def _log_probabilities(self, block: Matrix, weights: Matrix) -> Matrix:
        """What heads (m, classes, dim + 1) say of a block of photos, (m, classes, photos)."""
        scores = scores_of(block, weights)
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return scores

    def _in_lanes(self, job: Callable[["_Lane"], Found], heads: int) -> Iterator[Found]:
        """What a job gives for each lane, in their order, and by all cores; so many heads look at a photo."""
        size, products = block_rows(self._bottlenecks.dim), heads * self._classes * self._bottlenecks.dim
        ends = [0, *self._ends.tolist()]
        lanes = [
            _Lane(fold, positions)
            for fold, (start, end) in enumerate(pairwise(ends))
            for positions in cut(slice(start, end), size, (end - start) * products)
        ]
        return side_by_side(job, lanes, ends[-1] * products)

    def _losses_and_gradients(self, heads: Indices, weights: Matrix, l2: float) -> tuple[Numbers, Matrix]:
        """Mean cross-entropy + penalty, (m,), and its gradient, (m, classes * (dim + 1)), of some of the heads."""
        weights = weights.reshape(-1, *self._shape)
        losses, gradients = np.zeros(len(heads)), np.zeros_like(weights)

        def of_lane(lane: _Lane) -> tuple[Indices, Numbers, Matrix]:
            seeing = np.flatnonzero(heads != lane.fold)
            asked = weights[seeing]
            losses, gradients = np.zeros(len(seeing)), np.zeros_like(asked)
            for positions, block in self._bottlenecks.blocks(lane.positions) if len(seeing) else ():
                labels = self._labels[positions]
                photo_weights = self._photo_weights(heads[seeing], labels)
                block_losses, block_gradients = self._sums(block, labels, asked, photo_weights)
                losses += block_losses
                gradients += block_gradients
            return seeing, losses, gradients

        for seeing, lane_losses, lane_gradients in self._in_lanes(of_lane, len(heads)):
            losses[seeing] += lane_losses
            gradients[seeing] += lane_gradients
        photos, variances = self._seen[heads], self._variances[heads]
        losses /= photos
        gradients /= photos[:, None, None].astype(np.float32)
        add_penalties(losses, gradients, weights, l2 * variances)
        return losses, gradients.reshape(len(heads), -1)

    def _photo_weights(self, heads: Indices, labels: Classes) -> Matrix | None:
        """What each photo counts for each head, (m, photos); None if all count the same."""
        return None if self._class_weights is None else self._class_weights[heads][:, labels]

    def _sums(
        self, block: Matrix, labels: Classes, weights: Matrix, photo_weights: Matrix | None
    ) -> tuple[Numbers, Matrix]:
        """Sums of the losses of photos, (m,), and their gradients (m, classes, dim + 1)."""
        rows, smoothing = np.arange(len(labels)), self._smoothing
        scores = scores_of(block, weights)
        losses = (smoothing - 1) * scores[:, labels, rows]
        if smoothing:
            losses -= smoothing * scores.mean(axis=1)
        # From here on in place: exponentials, probabilities, errors.
        np.exp(scores, out=scores)
        totals = scores.sum(axis=1)
        losses += np.log(totals)
        scores /= totals[:, np.newaxis]
        scores[:, labels, rows] -= 1 - smoothing
        if smoothing:
            scores -= smoothing / np.float32(self._classes)
        if photo_weights is not None:
            losses *= photo_weights
            scores *= photo_weights[:, np.newaxis]
        gradients = np.empty_like(weights)
        flat = gradients.reshape(-1, weights.shape[2])
        np.matmul(scores.reshape(-1, len(block)), block, out=flat[:, :-1])
        gradients[:, :, -1] = scores.sum(axis=2)
        return losses.sum(axis=1, dtype=np.float64), gradients

    def _seen_variances(self) -> Numbers:
        """The mean variance of the features over the photos that each head sees (that over all photos is 1)."""
        sums, squares = np.zeros((self.count, self._bottlenecks.dim)), np.zeros(self.count)
        for head, (start, end) in enumerate(pairwise([0, *self._ends.tolist()])):
            for _, block in self._bottlenecks.blocks(slice(start, end)):
                sums[head] += np.ones(len(block), np.float32) @ block
                squares[head] += float(np.vdot(block, block))
        others = ~np.eye(self.count, dtype=bool)  # sums, not differences: exact whatever a head does not see
        means = others @ sums / self._seen[:, None]
        variances: Numbers = (others @ squares / self._seen - (means**2).sum(axis=1)) / sums.shape[1]
        return np.where(variances > 0, variances, 1.0)
