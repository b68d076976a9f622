"""How good a classifier is, with an interval beside every accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from retrain.training.paired import Z

Probabilities = npt.NDArray[np.float32]
Classes = npt.NDArray[np.intp]
Groups = npt.NDArray[np.intp]
Shares = npt.NDArray[np.float64]

TOP_K = (1, 2, 3, 5)
BINS = 10  # of a reliability diagram
BLOCK = 1 << 16  # photos whose classes are sorted at a time


@dataclass(frozen=True)
class ClassMetrics:
    """Precision, recall and F1 in 0..1 of one class; 0 where nothing was predicted or present.

    `roc_auc` is that of the class against the rest, None where there are no photos of one of the two.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    roc_auc: float | None


@dataclass(frozen=True)
class Average:
    """Means over the classes that have photos; `roc_auc` is None where no class has one."""

    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None


@dataclass(frozen=True)
class Bin:
    """The photos whose most probable class has a probability in low..high: how sure, and how often right."""

    low: float
    high: float
    photos: float  # not whole where there are several answers to each
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Metrics:
    """How good a set of predictions is.

    `interval` is the 95 % Wilson interval of `accuracy`, as wide as that of the photos that are worth as much as the
    `n` that were tested (see `measure`). `confusion` counts answers, which are several to a photo where several heads
    were asked about each. `top_k` maps k to the share of photos whose
    class is among the k most probable; `cross_entropy` is in nats. `macro` counts every class alike,
    `weighted` every photo. `ece` is the expected calibration error over the bins of `reliability`, and
    `ece_by_chance` that of a model whose probabilities are right, on as many photos: few photos alone
    make one. Row i of `confusion` counts the photos of class i by the class that was predicted. With no photos,
    what would be a mean over them is None.
    """

    n: int
    accuracy: float | None
    interval: tuple[float, float] | None
    top_k: dict[int, float]
    cross_entropy: float | None
    macro: Average | None
    weighted: Average | None
    ece: float | None
    ece_by_chance: float | None
    reliability: tuple[Bin, ...]
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    answers: int = 1

    def __repr__(self) -> str:
        return f"<Metrics: {self}>"

    def __str__(self) -> str:
        """Accuracy with its interval, and cross-entropy (the loss), for people: 80 columns with a name before it."""
        if self.accuracy is None or self.interval is None:
            return "no photos, so no accuracy"
        low, high = self.interval
        return (
            f"accuracy {self.accuracy:.1%} on {self.n} photos (95 % interval {100 * low:.1f}-{high:.1%}), "
            f"loss {self.cross_entropy:.3f}"
        )

    def _repr_html_(self) -> str:
        """In a notebook: the sentence, and a row for each class."""
        rows = "".join(
            f"<tr><td>{escape(one.label)}</td><td>{one.support}</td><td>{_share(one.precision)}</td>"
            f"<td>{_share(one.recall)}</td><td>{_share(one.f1)}</td></tr>"
            for one in self.classes
        )
        names = "".join(f"<th>{name}</th>" for name in ("class", "photos", "precision", "recall", "F1"))
        return f"<p>{escape(str(self))}</p><table><tr>{names}</tr>{rows}</table>"

    def headline(self) -> dict[str, object]:
        """The part that the manifest and `--json` carry."""
        return {"accuracy": self.accuracy, "interval": list(self.interval) if self.interval else None, "n": self.n}


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def wilson_interval(successes: float, trials: float, z: float = Z) -> tuple[float, float]:
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


def measure(
    probabilities: Probabilities,
    classes: Classes,
    labels: Sequence[str],
    groups: Groups | None = None,
    inflation: float = 1.0,
) -> Metrics:
    """Compare predicted probabilities with the true class indices (n,).

    Probabilities are (n, classes), or (answers, n, classes) where several heads were asked about each photo. Photos of
    one of the `groups` (n,), takes of one subject say, are right or wrong together: the interval is that of n divided
    by the `effect_on_accuracy`, and by `inflation`, which is greater than 1 where heads that judge were chosen or
    trained on each other's test photos.
    """
    n, count = len(classes), len(labels)
    stacked = probabilities.reshape(-1, probabilities.shape[-1])
    answers = len(stacked) // n if n else 1
    true = np.tile(classes, answers)
    predicted = stacked.argmax(axis=1) if n else np.zeros(0, np.intp)
    confusion = np.bincount(true * count + predicted, minlength=count * count).reshape(count, count)
    areas = _roc_areas(stacked, true, count)
    per_class = tuple(
        _class_metrics(label, index, confusion, areas[index], answers) for index, label in enumerate(labels)
    )
    table = tuple(tuple(int(value) for value in row) for row in confusion)
    if n == 0:
        return Metrics(0, None, None, {}, None, None, None, None, None, (), per_class, table)
    right = (predicted == true).reshape(answers, n).mean(axis=0)
    accuracy = int(np.trace(confusion)) / len(true)
    worth = n / (inflation * (1.0 if groups is None else effect_on_accuracy(right, groups)))
    likelihood = np.maximum(stacked[np.arange(len(true)), true].astype(np.float64), 1e-12)
    confidences = stacked.max(axis=1)
    reliability = _reliability(confidences, predicted == true, answers)
    return Metrics(
        n,
        accuracy,
        wilson_interval(accuracy * worth, worth),
        _top_k(stacked, true),
        float(-np.log(likelihood).mean()),
        _average(per_class, weighted=False),
        _average(per_class, weighted=True),
        _calibration_error(reliability),
        # Several answers to a photo are no more independent photos.
        _calibration_error_by_chance(confidences) * float(np.sqrt(answers)),
        reliability,
        per_class,
        table,
        answers,
    )


def design_effect(right: Shares, groups: Groups) -> float:
    """By how much the variance of the mean of `right` (n,) is that of independent photos; at least 1.

    The estimate for a sample of clusters of unequal size (Kish 1965, "Survey Sampling"): squared sums over the
    `groups` (n,) of what each photo is above or below the mean, against the sum of their squares. Where all photos
    are alike nothing can be told, and it is 1.
    """
    above = right - right.mean()
    alone = float((above**2).sum())
    if alone == 0:
        return 1.0
    _, places = np.unique(groups, return_inverse=True)
    together = float((np.bincount(places, above) ** 2).sum())
    return max(1.0, together / alone)


def effect_on_accuracy(right: Shares, groups: Groups) -> float:
    """The `design_effect` on the mean of answers that are right, 1, or wrong, 0, or right for a share of heads (n,).

    Only groups with a wrong answer (or a right one, where these are fewer) tell how alike the answers of a group are:
    200 takes of two subjects that are all right say nothing of it, and are worth two photos. So the estimate counts as
    much as there are such groups, and beside them one in which all answers are the same (research/judge_effects.py).
    """
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    all_the_same = float((sizes**2).sum()) / len(right)
    if np.ptp(right) == 0:
        return all_the_same
    some = [int((np.bincount(places, answers) > 0).sum()) for answers in (right, 1 - right)]
    return (min(some) * design_effect(right, groups) + all_the_same) / (min(some) + 1)


def most_confused(metrics: Metrics, limit: int = 5) -> list[tuple[str, str, int]]:
    """The pairs (true class, predicted class, photos) that were mistaken most often; of several answers the mean."""
    labels = [entry.label for entry in metrics.classes]
    pairs = [
        (labels[i], labels[j], round(answers / metrics.answers))
        for i, row in enumerate(metrics.confusion)
        for j, answers in enumerate(row)
        if i != j and 2 * answers > metrics.answers
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))[:limit]


def roc_area(scores: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]) -> float | None:
    """How often a positive is given a higher score than a negative, (n,) and (n,); None without one of the two.

    The rank sum form of the area under the ROC curve (Hanley and McNeil 1982); ties count a half.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return None
    _, places, photos = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(photos) - (photos - 1) / 2)[places]  # of equal scores their mean
    rank_sum = float(ranks[positive].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def _class_metrics(
    label: str, index: int, confusion: npt.NDArray[np.intp], roc_auc: float | None, answers: int
) -> ClassMetrics:
    right = int(confusion[index, index])
    support, predicted = int(confusion[index].sum()), int(confusion[:, index].sum())
    precision = right / predicted if predicted else 0.0
    recall = right / support if support else 0.0
    f1 = 2 * right / (support + predicted) if support + predicted else 0.0
    return ClassMetrics(label, precision, recall, f1, support // answers, roc_auc)


def _average(classes: Sequence[ClassMetrics], weighted: bool) -> Average:
    present = [entry for entry in classes if entry.support]

    def mean(name: str) -> float | None:
        known = [entry for entry in present if getattr(entry, name) is not None]
        weights = [entry.support if weighted else 1 for entry in known]
        return float(np.average([getattr(entry, name) for entry in known], weights=weights)) if known else None

    return Average(mean("precision"), mean("recall"), mean("f1"), mean("roc_auc"))


def _top_k(probabilities: Probabilities, classes: Classes) -> dict[int, float]:
    """For each k below the number of classes, how often the true class is among the k most probable."""
    # Of classes that are equally probable the first counts as the more probable, as argmax has it.
    place = np.empty(len(classes), np.intp)
    for start in range(0, len(classes), BLOCK):
        rows = slice(start, start + BLOCK)
        order = np.argsort(-probabilities[rows], axis=1, kind="stable")
        place[rows] = (order == classes[rows, None]).argmax(axis=1)
    return {k: float((place < k).mean()) for k in TOP_K if k < probabilities.shape[1]}


def _reliability(confidences: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], answers: int) -> tuple[Bin, ...]:
    """The bins of equal width that hold photos (Guo et al. 2017), of which there are `answers` answers each."""
    places = np.minimum((confidences * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(
            place / BINS,
            (place + 1) / BINS,
            int((places == place).sum()) / answers,
            float(confidences[places == place].mean()),
            float(right[places == place].mean()),
        )
        for place in np.unique(places).tolist()
    )


def _calibration_error(bins: Sequence[Bin]) -> float:
    photos = sum(bin.photos for bin in bins)
    return sum(bin.photos / photos * abs(bin.accuracy - bin.confidence) for bin in bins)


def _calibration_error_by_chance(confidences: npt.NDArray[np.float32]) -> float:
    """What is expected if each answer is right with the probability that the model gives it.

    How many of a bin are right is then a sum of Bernoulli draws, nearly normal, and the mean absolute
    deviation of a normal distribution is sqrt(2 / pi) of its standard deviation.
    """
    places = np.minimum((confidences * BINS).astype(int), BINS - 1)
    variances = np.bincount(places, confidences * (1.0 - confidences))
    return float(np.sqrt(2 / np.pi) * np.sqrt(np.maximum(variances, 0)).sum() / len(confidences))


def _roc_areas(probabilities: Probabilities, classes: Classes, count: int) -> list[float | None]:
    """For each class, how well its probability tells its photos from the others."""
    if len(classes) == 0:
        return [None] * count
    return [roc_area(probabilities[:, index], classes == index) for index in range(count)]
