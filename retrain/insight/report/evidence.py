"""What a report shows of a run: the photos and figures from which a person learns most.

Everything comes from bottlenecks and probabilities that the run has; no network runs here.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from retrain.core.defaults import TOP_K
from retrain.core.unit_rows import unit_rows
from retrain.runs.train import Run
from retrain.training.fitting.sample import Classes, Matrix, Rows, Sample
from retrain.training.metrics import (
    ClassMetrics,
    Metrics,
    Shares,
    effect_on_accuracy,
    wilson_interval,
)
from retrain.training.train_head import INFLATION

PAIRS, PHOTOS_OF_PAIR = 6, 4
MISTAKES, NEIGHBOURS = 12, 3
PREDICTIONS = 24
LEAST_FAMILIAR = 6
WIDEST_CONFUSION = 30  # classes


@dataclass(frozen=True)
class Answer:
    """A class and the probability that a photo is given of it."""

    label: str
    probability: float


@dataclass(frozen=True)
class Neighbour:
    """A photo that was trained on, and the cosine of its bottleneck to another's."""

    path: str
    label: str
    cosine: float


@dataclass(frozen=True)
class Prediction:
    """A test photo and the answers to it, the most probable first; `own` is the probability of its own class."""

    row: int
    path: str
    label: str
    answers: tuple[Answer, ...]
    own: float

    @property
    def right(self) -> bool:
        """Whether the first answer is the photo's class."""
        return self.answers[0].label == self.label


@dataclass(frozen=True)
class Mistake:
    """A test photo that was taken for another class, with the training photos that are most like it."""

    prediction: Prediction
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes of which one was taken for the other, `photos` times, in `share` of the first one's photos.

    `mistaken` are such photos; `lookalikes` photos of the second class that were trained on and are most like them.
    """

    true: str
    predicted: str
    photos: int
    share: float
    mistaken: tuple[Prediction, ...]
    lookalikes: tuple[Neighbour, ...]


@dataclass(frozen=True)
class ClassRow:
    """A line of the class table; `interval` is the 95 % interval of the recall, None without test photos."""

    label: str
    trained: int
    tested: int
    precision: float
    recall: float
    f1: float
    roc_auc: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class ConfusionRow:
    """A row of the confusion matrix: counts, and their shares of the class's photos.

    `others` counts the answers of classes that have no column. Of all `answers` to its photos `right` ones; `mistaken`
    are the others by class, also of classes without a column, the most frequent first.
    """

    label: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]
    others: int
    right: int
    answers: int
    mistaken: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix that fits on a page: all `classes`, or those of the most frequent mistakes."""

    rows: tuple[ConfusionRow, ...]
    classes: int

    @property
    def partial(self) -> bool:
        """Whether classes are left out."""
        return len(self.rows) < self.classes


class Evidence:
    """Picks from a run what is worth showing. Test photos are those of `run.trained.test_rows`."""

    def __init__(self, run: Run, top_k: int = TOP_K) -> None:
        self._run, self._top_k = run, top_k
        self._photos, self._matrix = run.extraction.photos, run.extraction.matrix
        self._classes: Classes = run.trained.bottlenecks.classes
        self._rows: Rows = run.trained.test_rows.astype(np.intp)
        self._probabilities: Matrix = run.trained.test_probabilities
        self._folds = None if run.division.folds is None else np.array(run.division.folds)
        self._trained_on = np.array([side != "testing" for side in run.division.splits]) | (self._folds is not None)

    @property
    def mistaken(self) -> int:
        """How many test photos are mistaken; of several answers to a photo the mean counts."""
        return len(self._mistaken())

    def class_rows(self) -> tuple[ClassRow, ...]:
        """All classes, those with the lowest F1 first; those without test photos last."""
        trained = np.bincount(self._classes[self._trained_on], minlength=len(self._run.labels))
        rows = [
            ClassRow(
                entry.label,
                int(photos),
                entry.support,
                entry.precision,
                entry.recall,
                entry.f1,
                entry.roc_auc,
                self._interval(index, entry) if entry.support else None,
            )
            for index, (entry, photos) in enumerate(zip(self._run.trained.test.classes, trained, strict=True))
        ]
        return tuple(sorted(rows, key=lambda row: (row.tested == 0, row.f1, row.label)))

    def _interval(self, index: int, entry: ClassMetrics) -> tuple[float, float]:
        """That of the recall of a class, by the rule of the accuracy: as wide as what its photos are worth."""
        own = self._classes[self._rows] == index
        groups = self._run.division.groups_of(self._rows[own])
        effect = 1.0 if groups is None else effect_on_accuracy(self._right[own], groups)
        worth = entry.support / (effect * (1.0 if self._folds is None else INFLATION))
        return wilson_interval(entry.recall * worth, worth)

    @cached_property
    def _right(self) -> Shares:
        """Which share of the answers to each test photo is right, (n,)."""
        out_of_fold = self._run.trained.out_of_fold
        said = self._probabilities if out_of_fold is None else out_of_fold.quoted()[:, self._rows]
        right = (said.argmax(axis=-1) == self._classes[self._rows]).reshape(-1, len(self._rows))
        share: Shares = right.mean(axis=0)
        return share

    def predictions(self, most: int = PREDICTIONS) -> tuple[Prediction, ...]:
        """Test photos at even distances over all, and so over the classes."""
        places = np.unique(np.linspace(0, len(self._rows) - 1, min(most, len(self._rows))).round().astype(np.intp))
        return tuple(self._prediction(int(place)) for place in places)

    def worst_mistakes(self, most: int = MISTAKES) -> tuple[Mistake, ...]:
        """The mistaken test photos whose own class was given the lowest probability, the worst first."""
        places = self._mistaken()
        places = places[np.argsort(self._own()[places], kind="stable")][:most]
        neighbours = self._nearest(self._rows[places], np.flatnonzero(self._trained_on), NEIGHBOURS)
        return tuple(
            Mistake(self._prediction(int(place)), near) for place, near in zip(places, neighbours, strict=True)
        )

    def confused_pairs(self, most: int = PAIRS) -> tuple[ConfusedPair, ...]:
        """The pairs whose photos were taken for the other class most often; of several answers by the mean."""
        labels, classes, own = self._run.labels, self._run.trained.test.classes, self._own()
        places_of: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place in self._mistaken().tolist():
            pair = int(self._classes[self._rows[place]]), int(self._probabilities[place].argmax())
            places_of[pair].append(place)
        pairs = []
        for true, other in sorted(
            places_of, key=lambda pair: (-len(places_of[pair]), labels[pair[0]], labels[pair[1]])
        )[:most]:
            found = np.array(places_of[true, other], np.intp)
            places = found[np.argsort(own[found], kind="stable")][:PHOTOS_OF_PAIR]
            pool = np.flatnonzero(self._trained_on & (self._classes == other))
            near = self._nearest(self._rows[places], pool, PHOTOS_OF_PAIR)
            # The nearest of each mistaken photo in turn, each training photo once.
            ranked = [photo for rank in range(PHOTOS_OF_PAIR) for one in near for photo in one[rank : rank + 1]]
            lookalikes = tuple({photo.path: photo for photo in ranked}.values())[:PHOTOS_OF_PAIR]
            mistaken = tuple(self._prediction(int(place)) for place in places)
            share = len(found) / classes[true].support
            pairs.append(ConfusedPair(labels[true], labels[other], len(found), share, mistaken, lookalikes))
        return tuple(pairs)

    def photos_at(self, places: Sequence[int]) -> tuple[Prediction, ...]:
        """The test photos at these places among the test photos."""
        return tuple(self._prediction(place) for place in places)

    def test_bottlenecks(self) -> Sample:
        """The bottlenecks of the test photos."""
        return Sample(self._matrix, self._classes[self._rows], self._rows)

    def _prediction(self, place: int) -> Prediction:
        photo = self._photos[self._rows[place]]
        probabilities = self._probabilities[place]
        best = np.argsort(-probabilities, kind="stable")[: self._top_k]
        answers = tuple(Answer(self._run.labels[index], float(probabilities[index])) for index in best)
        return Prediction(int(self._rows[place]), photo.path, photo.label, answers, float(self._own()[place]))

    def _own(self) -> Matrix:
        """The probability that each test photo is given of its own class, (n,)."""
        places = np.arange(len(self._rows))
        own: Matrix = self._probabilities[places, self._classes[self._rows]]
        return own

    def _mistaken(self) -> Rows:
        """The places of the mistaken photos among the test photos."""
        if not len(self._rows):
            return np.zeros(0, np.intp)
        return np.flatnonzero(self._probabilities.argmax(axis=1) != self._classes[self._rows])

    def _nearest(self, rows: Rows, pool: Rows, most: int) -> list[tuple[Neighbour, ...]]:
        """For each of these photos those of the pool with the highest cosine of bottlenecks, the nearest first.

        Where each photo is tested by a head of its own (cross-validation), those of its fold are not in the pool.
        """
        cosines = np.full((len(rows), most), -np.inf, np.float32)
        found = np.zeros((len(rows), most), np.intp)
        if len(rows):
            asked = unit_rows(self._matrix[rows])
            sample = Sample(self._matrix, self._classes[pool], pool)
            for positions, block in sample.blocks():
                here = pool[positions]
                more = asked @ unit_rows(block).T
                if self._folds is not None:
                    more[self._folds[rows][:, None] == self._folds[here]] = -np.inf
                both = np.concatenate([cosines, more], axis=1)
                all_rows = np.concatenate([found, np.broadcast_to(here, more.shape)], axis=1)
                best = np.argsort(-both, axis=1, kind="stable")[:, :most]
                cosines, found = np.take_along_axis(both, best, axis=1), np.take_along_axis(all_rows, best, axis=1)
        return [
            tuple(
                Neighbour(self._photos[row].path, self._photos[row].label, float(cosine))
                for row, cosine in zip(near, cosines_of_one, strict=True)
                if np.isfinite(cosine)
            )
            for near, cosines_of_one in zip(found.tolist(), cosines, strict=True)
        ]


def confusion_of(metrics: Metrics, widest: int = WIDEST_CONFUSION) -> Confusion:
    """The confusion matrix; where there are more than `widest` classes, those of the most frequent mistakes."""
    counts = np.array(metrics.confusion)
    wrong = counts - np.diag(np.diag(counts))
    kept = _most_mistaken(wrong, widest)
    totals = np.maximum(1, counts.sum(axis=1))
    rows = tuple(
        ConfusionRow(
            metrics.classes[i].label,
            tuple(counts[i, kept].tolist()),
            tuple((counts[i, kept] / totals[i]).tolist()),
            int(counts[i].sum() - counts[i, kept].sum()),
            int(counts[i, i]),
            int(counts[i].sum()),
            tuple(
                (metrics.classes[j].label, int(counts[i, j]))
                for j in np.argsort(-wrong[i], kind="stable").tolist()
                if wrong[i, j]
            ),
        )
        for i in kept.tolist()
    )
    return Confusion(rows, len(metrics.classes))


def _most_mistaken(wrong: Rows, widest: int) -> Rows:
    """At most so many classes, in their order: both of each pair, the most frequent mistakes (true, answer) first.

    Classes that are mistaken often, each for others, would have hardly a mistake in the matrix of just them.
    """
    if len(wrong) <= widest:
        return np.arange(len(wrong))
    totals = wrong.sum(axis=0) + wrong.sum(axis=1)
    trues, answers = np.nonzero(wrong)
    order = np.lexsort((-(totals[trues] + totals[answers]), -wrong[trues, answers]))
    kept: dict[int, None] = {}
    for place in order.tolist():
        if len(kept) >= widest - 1:
            break
        pair = {int(trues[place]), int(answers[place])} - kept.keys()
        if len(kept) + len(pair) <= widest:
            kept.update(dict.fromkeys(pair))
    for place in np.argsort(-totals, kind="stable").tolist():  # where there are few mistakes
        if len(kept) < widest:
            kept.setdefault(place)
    return np.array(sorted(kept), np.intp)
