"""The loss of one linear head and its gradient, in a pass over bottlenecks that all cores share."""

from dataclasses import dataclass

import numpy as np

from retrain.training.fitting.sample import Classes, Matrix, Standardised


@dataclass(frozen=True)
class Loss:
    """What is minimised: mean cross-entropy, with targets `label_smoothing` of the way to 1 / classes.

    With `class_weights` (classes,) each photo counts with the weight of its class.
    """

    label_smoothing: float = 0.0
    class_weights: Matrix | None = None


CROSS_ENTROPY = Loss()


def loss_and_gradient(
    bottlenecks: Standardised, labels: Classes, weights: Matrix, l2: float, loss: Loss = CROSS_ENTROPY
) -> tuple[float, Matrix]:
    """The loss + l2 / 2 * ||W||^2 and its gradient, in one pass."""

    def of_lane(lane: slice) -> tuple[float, Matrix]:
        total, by_class = 0.0, np.zeros(weights.shape[::-1], np.float32)
        for positions, block in bottlenecks.blocks(lane):
            block_loss, block_gradient = _sums(block, labels[positions], weights, loss)
            total += block_loss
            by_class += block_gradient
        return total, by_class

    total, by_class = 0.0, np.zeros(weights.shape[::-1], np.float32)
    for lane_loss, lane_gradient in bottlenecks.in_lanes(of_lane, weights.shape[1]):
        total += lane_loss
        by_class += lane_gradient
    gradient = np.ascontiguousarray(by_class.T)
    gradient /= len(bottlenecks)
    kernel = weights[:-1]
    gradient[:-1] += np.float32(l2) * kernel
    return total / len(bottlenecks) + 0.5 * l2 * float(np.vdot(kernel, kernel)), gradient


def _sums(bottlenecks: Matrix, labels: Classes, weights: Matrix, loss: Loss) -> tuple[float, Matrix]:
    """Sum of the losses of photos, and its gradient (classes, dim + 1)."""
    rows, smoothing = np.arange(len(labels)), np.float32(loss.label_smoothing)
    scores = bottlenecks @ weights[:-1]
    scores += weights[-1]
    scores -= scores.max(axis=1, keepdims=True)
    losses = (smoothing - 1) * scores[rows, labels]
    if smoothing:
        losses -= smoothing * scores.mean(axis=1)
    # From here on in place: exponentials, probabilities, errors.
    np.exp(scores, out=scores)
    totals = scores.sum(axis=1, keepdims=True)
    losses += np.log(totals[:, 0])
    scores /= totals
    scores[rows, labels] -= 1 - smoothing
    if smoothing:
        scores -= smoothing / np.float32(scores.shape[1])
    if loss.class_weights is not None:
        photo_weights = loss.class_weights[labels]
        losses *= photo_weights
        scores *= photo_weights[:, np.newaxis]
    gradient = np.empty(weights.shape[::-1], np.float32)
    np.matmul(scores.T, bottlenecks, out=gradient[:, :-1])
    gradient[:, -1] = scores.sum(axis=0)
    return float(losses.sum(dtype=np.float64)), gradient
