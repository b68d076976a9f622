"""Probabilities that mean what they say: a head is divided by one temperature.

Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks"): the logits are
divided by the T that makes the probabilities of photos the head has not seen most likely. It changes
no answer, only how sure it is, and folded into the kernel it is in every export.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from retrain.training.head import Head
from retrain.training.metrics import Classes, Probabilities

Matrix = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float64]

# Few photos are to change little. The default head's L2 strength is chosen by what is left of the loss at the best T.
# Over 10 splits (research/choose_strength.py), test accuracy and cross-entropy with no T in the choice, and with a
# SPREAD of 0.1, 0.3 and 2, on EfficientNet-Lite0: 12 breeds of cats 0.8855, 0.8869, 0.8905, 0.8905 (the gain of 0.0050
# has a standard error of 0.0051) and 0.334, 0.328, 0.316, 0.316; 5 flowers (35 validation photos) 0.8847, 0.8847,
# 0.8847, 0.8811 and 0.332, 0.331, 0.337, 0.364.
SPREAD = 0.3
# Where many photos choose, or where a head is not known to be about as sure as it should be: one with smoothed targets,
# with a given strength, with balanced classes, by mini-batches.
WIDE_SPREAD = 1.0
LIMITS = (math.log(0.2), math.log(5.0))
EXACT = 1e-4  # of ln T
MOST_STEPS = 50
BLOCK = 1 << 22  # values looked at at a time: a million photos of 100 classes would take gigabytes
TINY = 1e-30  # a probability; its logarithm is a float32 and finite


@dataclass(frozen=True)
class Calibration:
    """The `temperature` that logits were divided by, and the `photos` it was chosen on."""

    temperature: float
    photos: int

    def of_head(self, head: Head) -> Head:
        """The head whose logits are divided by the temperature."""
        scale = np.float32(1 / self.temperature)
        return replace(head, kernel=head.kernel * scale, bias=head.bias * scale)

    def of_probabilities(self, probabilities: Probabilities) -> Probabilities:
        """What the divided head says where the head said `probabilities` (n, classes)."""
        scaled = np.empty(probabilities.shape, np.float32)
        for rows in _blocks(probabilities):
            logits = np.log(np.maximum(probabilities[rows], TINY)) / np.float32(self.temperature)
            powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
            scaled[rows] = powers / powers.sum(axis=1, keepdims=True)
        return scaled


UNCALIBRATED = Calibration(1.0, 0)


def calibrate(probabilities: Probabilities, classes: Classes, spread: float = SPREAD) -> Calibration:
    """Choose the temperature for a head by what it says, (n, classes), of photos it has not seen.

    It minimises their cross-entropy, with a normal prior on ln T of standard deviation `spread`.
    Without photos it is 1.
    """
    if len(classes) == 0:
        return UNCALIBRATED
    log_temperature, _ = _best(probabilities, classes, np.ones(len(classes)), spread)
    return Calibration(math.exp(log_temperature), len(classes))


def calibrated_loss(
    probabilities: Probabilities, classes: Classes, class_weights: Matrix | None = None, spread: float = SPREAD
) -> float:
    """What a head that says `probabilities`, (n, classes), of n > 0 photos loses once it is calibrated, in nats.

    The mean cross-entropy at the best temperature, and a share of the prior that `calibrate` has. Unlike the plain
    cross-entropy it does not prefer a head for being as sure as it should be, which the temperature mends anyhow.
    """
    weights = np.ones(len(classes)) if class_weights is None else class_weights[classes].astype(np.float64)
    return _best(probabilities, classes, weights, spread)[1] / max(float(weights.sum()), TINY)


def _best(probabilities: Probabilities, classes: Classes, weights: Weights, spread: float) -> tuple[float, float]:
    """The logarithm of the temperature with the least sum of losses, prior included, and that sum.

    Newton's method for the slope's root, by halves where a step leaves the range in which it is. scipy's search along
    a line evaluates three times as often, and its import is a twentieth of a warm run.
    """
    logits = np.empty(probabilities.shape, np.float32)
    for rows in _blocks(probabilities):
        np.log(np.maximum(probabilities[rows], TINY), out=logits[rows])
    low, high = LIMITS
    place = 0.0
    for _ in range(MOST_STEPS):
        loss, slope, curvature = _loss(logits, classes, weights, place, spread)
        low, high = (low, place) if slope > 0 else (place, high)
        step = slope / curvature if curvature > 0 else math.inf
        nearer = place - step if low < place - step < high else (low + high) / 2
        if abs(nearer - place) < EXACT:
            break
        place = nearer
    return place, loss


def _loss(
    logits: Probabilities, classes: Classes, weights: Weights, log_temperature: float, spread: float
) -> tuple[float, float, float]:
    """The sum of losses at a temperature, prior included, with its first two derivatives by ln T."""
    loss = slope = curvature = 0.0
    for rows in _blocks(logits):
        of_rows = _sums(logits[rows].astype(np.float64), classes[rows], weights[rows], log_temperature)
        loss, slope, curvature = loss + of_rows[0], slope + of_rows[1], curvature + of_rows[2]
    return (
        loss + log_temperature**2 / (2 * spread**2),
        slope + log_temperature / spread**2,
        curvature + 1 / spread**2,
    )


def _sums(logits: Weights, classes: Classes, weights: Weights, log_temperature: float) -> tuple[float, float, float]:
    """What these photos add to the loss and to its first two derivatives by ln T."""
    scaled = logits * math.exp(-log_temperature)
    own = scaled[np.arange(len(classes)), classes]
    highest = scaled.max(axis=1)
    powers = np.exp(scaled - highest[:, None])
    totals = powers.sum(axis=1)
    powers /= totals[:, None]
    mean = (powers * scaled).sum(axis=1)
    variance = (powers * (scaled - mean[:, None]) ** 2).sum(axis=1)
    return (
        float(weights @ (highest + np.log(totals) - own)),
        float(weights @ (own - mean)),
        float(weights @ (variance + mean - own)),
    )


def _blocks(values: Probabilities) -> Iterator[slice]:
    """Rows that are looked at together."""
    size = max(1, BLOCK // max(1, values.shape[1]))
    return (slice(start, start + size) for start in range(0, len(values), size))
