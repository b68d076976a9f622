"""How good a classifier is, with an interval beside every accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float32]
Classes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class ClassMetrics:
    """Precision, recall and F1 in 0..1 of one class; 0 where nothing was predicted or present."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Metrics:
    """What a set of predictions is worth.

    `interval` is the 95 % Wilson interval of `accuracy`; `cross_entropy` is in nats. Row i of
    `confusion` counts the photos of class i by the class that was predicted. With no photos,
    accuracy, interval and cross_entropy are None.
    """

    n: int
    accuracy: float | None
    interval: tuple[float, float] | None
    cross_entropy: float | None
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]

    def headline(self) -> dict[str, object]:
        """The part that the manifest and `--json` carry."""
        return {"accuracy": self.accuracy, "interval": list(self.interval) if self.interval else None, "n": self.n}


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion (Wilson 1927), by default at 95 %.

    It stays inside 0..1 and is honest for the few photos that a small test set has.
    """
    if trials == 0:
        return (0.0, 1.0)
    share = successes / trials
    denominator = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / denominator
    half = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / denominator
    # Rounding must not push a share of 0 or 1 out of its own interval.
    return (max(0.0, min(share, float(centre - half))), min(1.0, max(share, float(centre + half))))


def measure(probabilities: Probabilities, classes: Classes, labels: Sequence[str]) -> Metrics:
    """Compare predicted probabilities (n, classes) with the true class indices (n,)."""
    n, count = len(classes), len(labels)
    predicted = probabilities.argmax(axis=1) if n else np.zeros(0, np.intp)
    confusion = np.bincount(classes * count + predicted, minlength=count * count).reshape(count, count)
    per_class = tuple(_class_metrics(label, index, confusion) for index, label in enumerate(labels))
    table = tuple(tuple(int(value) for value in row) for row in confusion)
    if n == 0:
        return Metrics(0, None, None, None, per_class, table)
    right = int(np.trace(confusion))
    likelihood = np.maximum(probabilities[np.arange(n), classes].astype(np.float64), 1e-12)
    return Metrics(n, right / n, wilson_interval(right, n), float(-np.log(likelihood).mean()), per_class, table)


def most_confused(metrics: Metrics, limit: int = 5) -> list[tuple[str, str, int]]:
    """The pairs (true class, predicted class, photos) that were mistaken most often."""
    labels = [entry.label for entry in metrics.classes]
    pairs = [
        (labels[i], labels[j], photos)
        for i, row in enumerate(metrics.confusion)
        for j, photos in enumerate(row)
        if i != j and photos
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))[:limit]


def _class_metrics(label: str, index: int, confusion: npt.NDArray[np.intp]) -> ClassMetrics:
    right = int(confusion[index, index])
    support, predicted = int(confusion[index].sum()), int(confusion[:, index].sum())
    precision = right / predicted if predicted else 0.0
    recall = right / support if support else 0.0
    f1 = 2 * right / (support + predicted) if support + predicted else 0.0
    return ClassMetrics(label, precision, recall, f1, support)
