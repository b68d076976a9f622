"""What all fits of many linear heads side by side do alike: weights are (heads, classes, dim + 1), bias last."""

import numpy as np

from retrain.training.fitting.preconditioner import Preconditioner
from retrain.training.fitting.sample import Matrix
from retrain.training.fitting.wide_lbfgs import Numbers


def scores_of(block: Matrix, weights: Matrix) -> Matrix:
    """The logits of a block of photos, (heads, classes, photos), less the greatest of each photo."""
    wide = weights.reshape(-1, weights.shape[2])
    # Classes before photos: sums over classes are sums of long rows then.
    scores: Matrix = (wide[:, :-1] @ block.T).reshape(*weights.shape[:2], len(block))
    scores += weights[:, :, -1:]
    scores -= scores.max(axis=1, keepdims=True)
    return scores


def add_penalties(losses: Numbers, gradients: Matrix, weights: Matrix, penalties: Numbers) -> None:
    """Add the penalty of each head's kernel, at its own strength, to its loss, (heads,), and to its gradient."""
    kernels = weights[:, :, :-1]
    gradients[:, :, :-1] += penalties[:, None, None].astype(np.float32) * kernels
    losses += penalties / 2 * [float(np.vdot(kernel, kernel)) for kernel in kernels]


def precondition(preconditioner: Preconditioner, gradients: Matrix, dim: int, l2: float) -> Matrix:
    """Solve for the gradients of all heads, (heads, classes * (dim + 1)), at once, and for their biases apart."""
    wide = gradients.reshape(-1, dim + 1)
    kernels, biases = preconditioner.solve(wide[:, :-1].T, wide[:, -1], l2)
    result = np.empty_like(wide)
    result[:, :-1], result[:, -1] = kernels.T, biases
    return result.reshape(gradients.shape)
