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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrain.training.fitting.preconditioner import Preconditioner
from retrain.training.fitting.sample import Classes, Matrix, Rows, Sample, Standardised
from retrain.training.fitting.wide_lbfgs import Indices, Memory, Numbers, minimise_together

# Of the loss; a step that gains less is the last one. Three times that of a head that is kept: at the best
# strengths for 12 cat breeds held-out cross-entropies then are within 0.001 of the optimum's; their standard
# errors are 0.015 and more.
TOLERANCE = 3e-4
LEAST_LOSS = 0.3  # nats; a smaller loss counts as this one there
LEAST_LIKELIHOOD = 1e-12


@dataclass(frozen=True)
class HeldOut:
    """What the heads make of the photos that they did not see, one row for each L2 strength of `path`.

    `cross_entropies` (strengths, n) in nats and `right` (strengths, n), photos in the order of the sample;
    `training_losses` (strengths, folds) are the minima that were reached, penalty included, to about 0.0005 nats.
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
    heads = _Heads(sample, folds, classes)
    losses = np.zeros((len(path), len(sample)), np.float32)
    right = np.zeros((len(path), len(sample)), bool)
    training_losses = np.zeros((len(path), heads.count))
    for index, (weights, minima) in enumerate(heads.fit_along(path, tolerance)):
        training_losses[index] = minima
        for positions, cross_entropies, hits in heads.answer_held_out(weights):
            losses[index, positions], right[index, positions] = cross_entropies, hits
    return HeldOut(path, losses, right, training_losses)


class _Heads:
    """One head for each fold: weights are (heads, classes, dim + 1), bias last."""

    def __init__(self, sample: Sample, folds: Rows, classes: int) -> None:
        self.count = int(folds.max()) + 1
        self._classes = classes
        self._order = np.argsort(folds, kind="stable")
        self._labels: Classes = sample.classes[self._order]
        self._bottlenecks = Standardised(sample.take(self._order))
        self._shape = (classes, sample.dim + 1)
        photos = np.bincount(folds, minlength=self.count)
        self._ends = np.cumsum(photos)
        self._seen = photos.sum() - photos
        self._variances = self._seen_variances()
        self._preconditioner = Preconditioner(self._bottlenecks, classes)

    def fit_along(self, path: Sequence[float], tolerance: float) -> Iterator[tuple[Matrix, Numbers]]:
        """The weights (heads, classes, dim + 1) and the minima (heads,) for each strength, from strong to weak."""
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

            def precondition(gradients: Matrix, l2: float = l2) -> Matrix:
                return self._precondition(gradients, l2)

            weights, minima = minimise_together(evaluate, weights, precondition, memories, tolerance, LEAST_LOSS)
            fitted = [*fitted[-1:], (l2, weights)]
            yield weights.reshape(-1, *self._shape), minima

    def answer_held_out(self, weights: Matrix) -> Iterator[tuple[Rows, npt.NDArray[np.float32], npt.NDArray[np.bool_]]]:
        """Photos (positions in the sample), their cross-entropies, and whether the answer is right."""
        for fold, positions, block in self._blocks():
            head = weights[fold]
            scores = head[:, :-1] @ block.T + head[:, -1:]
            labels = self._labels[positions]
            scores -= scores.max(axis=0)
            hits = scores.argmax(axis=0) == labels
            losses = np.log(np.exp(scores).sum(axis=0)) - scores[labels, np.arange(len(labels))]
            yield self._order[positions], np.minimum(losses, -np.log(np.float32(LEAST_LIKELIHOOD))), hits

    def _blocks(self) -> Iterator[tuple[int, slice, Matrix]]:
        """Fold, positions among the sorted photos, and standardised bottlenecks; no block has two folds."""
        for positions, block in self._bottlenecks.blocks():
            start, end = positions.start, positions.start + len(block)
            while start < end:
                fold = int(np.searchsorted(self._ends, start, side="right"))
                stop = min(end, int(self._ends[fold]))
                yield fold, slice(start, stop), block[start - positions.start : stop - positions.start]
                start = stop

    def _losses_and_gradients(self, heads: Indices, weights: Matrix, l2: float) -> tuple[Numbers, Matrix]:
        """Mean cross-entropy + penalty, (m,), and its gradient, (m, classes * (dim + 1)), of some of the heads."""
        weights = weights.reshape(-1, *self._shape)
        losses, gradients = np.zeros(len(heads)), np.zeros_like(weights)
        for fold, positions, block in self._blocks():
            seeing = np.flatnonzero(heads != fold)
            if len(seeing):
                block_losses, block_gradients = self._sums(block, self._labels[positions], weights[seeing])
                losses[seeing] += block_losses
                gradients[seeing] += block_gradients
        photos, variances = self._seen[heads], self._variances[heads]
        losses /= photos
        gradients /= photos[:, None, None].astype(np.float32)
        kernels = weights[:, :, :-1]
        penalties = l2 * variances
        gradients[:, :, :-1] += penalties[:, None, None].astype(np.float32) * kernels
        losses += penalties / 2 * [float(np.vdot(kernel, kernel)) for kernel in kernels]
        return losses, gradients.reshape(len(heads), -1)

    def _sums(self, block: Matrix, labels: Classes, weights: Matrix) -> tuple[Numbers, Matrix]:
        """Sums of the cross-entropies of photos, (m,), and their gradients (m, classes, dim + 1)."""
        wide = weights.reshape(-1, weights.shape[2])
        rows = np.arange(len(labels))
        # Classes before photos: sums over classes are sums of long rows then.
        scores = (wide[:, :-1] @ block.T).reshape(len(weights), self._classes, len(block))
        scores += weights[:, :, -1:]
        scores -= scores.max(axis=1, keepdims=True)
        losses = -scores[:, labels, rows].sum(axis=1, dtype=np.float64)
        # From here on in place: exponentials, probabilities, errors.
        np.exp(scores, out=scores)
        totals = scores.sum(axis=1, keepdims=True)
        losses += np.log(totals).sum(axis=(1, 2), dtype=np.float64)
        scores /= totals
        scores[:, labels, rows] -= 1
        gradients = np.empty_like(weights)
        np.matmul(scores.reshape(-1, len(block)), block, out=gradients.reshape(wide.shape)[:, :-1])
        gradients[:, :, -1] = scores.sum(axis=2)
        return losses, gradients

    def _precondition(self, gradients: Matrix, l2: float) -> Matrix:
        """As a head fitted alone is, for all heads: it knows all folds, but steers only the way to the minima."""
        wide = gradients.reshape(-1, self._shape[1])
        kernels, biases = self._preconditioner.solve(wide[:, :-1].T, wide[:, -1], l2)
        result = np.empty_like(wide)
        result[:, :-1], result[:, -1] = kernels.T, biases
        return result.reshape(gradients.shape)

    def _seen_variances(self) -> Numbers:
        """The mean variance of the features over the photos that each head sees (that over all photos is 1)."""
        sums, squares = np.zeros((self.count, self._bottlenecks.dim)), np.zeros(self.count)
        for fold, _, block in self._blocks():
            sums[fold] += np.ones(len(block), np.float32) @ block
            squares[fold] += float(np.vdot(block, block))
        others = ~np.eye(self.count, dtype=bool)  # sums, not differences: exact whatever a head does not see
        means = others @ sums / self._seen[:, None]
        variances: Numbers = (others @ squares / self._seen - (means**2).sum(axis=1)) / sums.shape[1]
        return np.where(variances > 0, variances, 1.0)
