"""Many linear heads over the same bottlenecks at one L2 strength, for each of which photos count as much as is said.

As `linear_heads` fits those of folds: side by side, so that wide products take the place of many narrow ones. Here
parts are any: a head multiplies what it does not see, too, and counts it as nothing.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from retrain.core.machine import cores
from retrain.training.fitting.preconditioner import Preconditioner
from retrain.training.fitting.sample import Classes, Matrix, Rows, Sample, Standardised
from retrain.training.fitting.wide_heads import add_penalties, precondition, scores_of
from retrain.training.fitting.wide_lbfgs import Indices, Memory, Numbers, minimise_together

# Of the loss; a step that gains less is the last one. Heads are compared that differ by little: on 12 cat breeds the
# accuracy that a half of the photos gives was by 0.2 points another one from weights at zero than from those of all
# photos at 1e-4, and the same at 1e-5.
TOLERANCE = 2e-5
LEAST_LOSS = 0.1  # nats; a smaller loss counts as this one there
TOGETHER_BYTES = 64 << 20  # what the memories of the heads that a thread fits at a time may take
PAIRS = 10  # that such a memory holds
NOTHING = 1e-7  # of the greatest variance: that of a direction in which photos differ by rounding


class PartHeads:
    """Fits heads to parts of a sample at one strength; weights are (heads, classes, features + 1), bias last."""

    def __init__(self, sample: Sample, classes: int, l2: float) -> None:
        self._bottlenecks = Standardised(sample)
        if len(sample) < sample.dim:
            sample, l2 = _rotated(self._bottlenecks, sample.classes, l2)
            self._bottlenecks = Standardised(sample)
        self._labels: Classes = sample.classes
        self._classes, self._l2 = classes, l2
        self._preconditioner = Preconditioner(self._bottlenecks, classes)
        self._squares = np.concatenate([(block**2).sum(axis=1) for _, block in self._bottlenecks.blocks()])

    def fit(self, counts: Matrix, start: Matrix | None = None) -> Matrix:
        """A head for each row of `counts` (heads, n): how much each photo counts, of which one at least is not 0.

        From the weights `start`, by default zeros. Each core fits some of the heads.
        """
        if start is None:
            start = np.zeros((len(counts), self._classes, self._bottlenecks.dim + 1), np.float32)
        most = max(1, TOGETHER_BYTES // (2 * PAIRS * start[0].nbytes))
        size = min(most, -(-len(counts) // cores()))
        parts = [slice(first, first + size) for first in range(0, len(counts), size)]
        self._preconditioner.prepare(self._l2)
        with ThreadPoolExecutor(cores(), thread_name_prefix="heads") as threads:
            return np.concatenate(list(threads.map(lambda part: self._fit(counts[part], start[part]), parts)))

    def scores(self, weights: Matrix, rows: Rows) -> Matrix:
        """What each head says of some of the photos, (heads, classes, rows): logits less the greatest of each photo."""
        said = np.empty((len(weights), self._classes, len(rows)), np.float32)
        for positions, block in self._bottlenecks.part(rows).blocks():
            said[:, :, positions] = scores_of(block, weights)
        return said

    def _fit(self, counts: Matrix, start: Matrix) -> Matrix:
        shares = counts / counts.sum(axis=1, keepdims=True)
        penalties = self._l2 * self._variances(shares)

        def evaluate(heads: Indices, weights: Matrix) -> tuple[Numbers, Matrix]:
            return self._losses_and_gradients(weights, shares[heads], penalties[heads])

        memories = [Memory(start[0].size, PAIRS) for _ in start]
        flat = start.reshape(len(start), -1)
        weights, _ = minimise_together(evaluate, flat, self._precondition, memories, TOLERANCE, LEAST_LOSS)
        return weights.reshape(start.shape)

    def _losses_and_gradients(self, weights: Matrix, shares: Matrix, penalties: Numbers) -> tuple[Numbers, Matrix]:
        """Mean cross-entropy + penalty, (m,), and its gradient, (m, classes * (dim + 1))."""
        weights = weights.reshape(len(shares), self._classes, -1)
        losses, gradients = np.zeros(len(shares)), np.zeros_like(weights)
        for positions, block in self._bottlenecks.blocks():
            labels, rows = self._labels[positions], np.arange(len(block))
            own = shares[:, positions]
            scores = scores_of(block, weights)
            losses -= (scores[:, labels, rows] * own).sum(axis=1, dtype=np.float64)
            # From here on in place: exponentials, probabilities, errors.
            np.exp(scores, out=scores)
            totals = scores.sum(axis=1)
            losses += (np.log(totals) * own).sum(axis=1, dtype=np.float64)
            scores /= totals[:, np.newaxis]
            scores[:, labels, rows] -= 1
            scores *= own[:, np.newaxis]
            gradients[:, :, :-1] += (scores.reshape(-1, len(block)) @ block).reshape(*weights.shape[:2], -1)
            gradients[:, :, -1] += scores.sum(axis=2)
        add_penalties(losses, gradients, weights, penalties)
        return losses, gradients.reshape(len(shares), -1)

    def _precondition(self, gradients: Matrix) -> Matrix:
        return precondition(self._preconditioner, gradients, self._bottlenecks.dim, self._l2)

    def _variances(self, shares: Matrix) -> Numbers:
        """The mean variance of the features over what each head sees, for which the strength is meant; 1 over all."""
        means = np.zeros((len(shares), self._bottlenecks.dim))
        for positions, block in self._bottlenecks.blocks():
            means += shares[:, positions] @ block
        variances: Numbers = (shares @ self._squares - (means**2).sum(axis=1)) / self._bottlenecks.dim
        return np.where(variances > NOTHING, variances, 1.0)


def _rotated(bottlenecks: Standardised, labels: Classes, l2: float) -> tuple[Sample, float]:
    """Fewer photos than features lie in a space of as many dimensions as photos: there, with an l2 that means the same.

    Weights are in that space, too, so that nothing changes but the time.
    """
    standardised = np.concatenate([block.astype(np.float64) for _, block in bottlenecks.blocks()])
    squares, directions = np.linalg.eigh(standardised @ standardised.T)
    kept = squares > NOTHING * squares[-1]
    if not kept.any():  # all photos are alike
        kept[-1] = True
    rotated = (directions[:, kept] * np.sqrt(np.maximum(squares[kept], 0))).astype(np.float32)
    # One scale is made so that features have a mean variance of 1, of which there are fewer now.
    return Sample(np.ascontiguousarray(rotated), labels), l2 * rotated.shape[1] / bottlenecks.dim
