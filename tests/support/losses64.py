"""The documented losses of linear heads, written independently in float64."""

import numpy as np
from scipy.special import softmax

from retrain.training.fitting.sample import Sample
from retrain.training.head import Head


def standardised(sample: Sample) -> np.ndarray:
    x = sample.bottlenecks.astype(np.float64)
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0).mean())


def loss64(flat: np.ndarray, x: np.ndarray, classes: np.ndarray, count: int, l2: float) -> float:
    """The documented loss, written independently in float64."""
    weights = flat.reshape(x.shape[1] + 1, count)
    logits = x @ weights[:-1] + weights[-1]
    top = logits.max(axis=1, keepdims=True)
    log_p = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(x)), classes].mean() + 0.5 * l2 * (weights[:-1] ** 2).sum())


def gradient64(flat: np.ndarray, x: np.ndarray, classes: np.ndarray, count: int, l2: float) -> tuple[float, np.ndarray]:
    """The documented loss with its gradient, in float64."""
    weights = flat.reshape(x.shape[1] + 1, count)
    p = softmax(x @ weights[:-1] + weights[-1], axis=1)
    error = (p - np.eye(count)[classes]) / len(x)
    gradient = np.vstack([x.T @ error + l2 * weights[:-1], error.sum(axis=0)])
    return loss64(flat, x, classes, count, l2), gradient.ravel()


def parameters_of(fitted: Head, sample: Sample) -> np.ndarray:
    """The parameters on standardised bottlenecks that a head on raw ones was folded from."""
    x = sample.bottlenecks.astype(np.float64)
    scale = np.sqrt(x.var(axis=0).mean())
    kernel = fitted.kernel.astype(np.float64)
    return np.concatenate([kernel * scale, (fitted.bias + x.mean(axis=0) @ kernel)[None]]).ravel()


def general_loss64(
    flat: np.ndarray, x: np.ndarray, labels: np.ndarray, count: int, l2: float, smoothing: float, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """Weighted mean cross-entropy with smoothed targets and a penalty, in float64, from the definitions."""
    matrix = flat.reshape(x.shape[1] + 1, count)
    p = softmax(x @ matrix[:-1] + matrix[-1], axis=1)
    targets = (1 - smoothing) * np.eye(count)[labels] + smoothing / count
    photo_weights = weights[labels] / weights[labels].sum()
    loss = -(photo_weights * (targets * np.log(p)).sum(axis=1)).sum() + 0.5 * l2 * (matrix[:-1] ** 2).sum()
    error = (p - targets) * photo_weights[:, None]
    return loss, np.vstack([x.T @ error + l2 * matrix[:-1], error.sum(axis=0)]).ravel()
