"""What more photos would bring: how good heads are that have seen a part of them, as far as it can be told.

Heads are fitted to an eighth, a quarter, a half and all of the content groups of each class, at the strength that was
chosen, and answer for the photos of their fold, on the folds of the training: that is the learning curve. Nothing is
computed but heads.

What twice the photos bring is foretold from what the last doubling brought, from half of them to all. The error of a
classifier falls with the photos n as a power law, a + b n^-c, with c from 1/2 to 1 (Cortes et al. 1993, "Learning
curves: asymptotic values and rate of convergence"; Viering and Loog 2022, "The shape of learning curves: a review"). So
each doubling brings 2^-c of the one before, whatever a and b are. Four of these ratios were measured: 0.68 and 1.06 on
cats, 0.52 and 0.62 on flowers; the second is mostly chance, and 0.6 the careful choice.

    gain(n to 2n) = 0.6 * gain(n/2 to n)

More photos of one class alone do two things. More is known of it: that is foretold in the same way, by heads that have
seen half of the class, each photo of which counts twice. And it becomes more frequent, so that it is answered more
often, at the cost of the classes that are like it: that is measured, by heads for which the class counts twice.

    gain(class) = 0.3 * (all - half of the class, counted twice) + (all, the class counted twice - all)

The 0.3 is fitted to the cats: with 0.6 the recall was foretold 2.0 +- 0.5 points too high there (20 splits), with 0 it
was 0.7 +- 0.7 too low (6 of these). To take halves as they are, without counting them twice, promised a gain from every
class, where twice the photos of one of equally large classes bring none.

How true it is (research/judge_more_photos.py; the error of what came is allowed for in "held"): from 80 photos of each
of 12 breeds of cats, 10 splits, +1.1 points are foretold of twice as many of all, and +0.9 come (+0.3 +- 0.5 too many;
90 % held). Of one class -0.2 are foretold, and -0.5 come (+0.3 +- 0.1 too many, 96 % held), and of its recall +6.7, and
+6.1 come (95 % held); this is what 0.3 was fitted to. From 32 photos of each of 5 flowers, 20 splits, which had no part
in that: +1.7 of all, and +2.9 come (-1.2 +- 1.8; 95 % held); of one class +0.2, and +0.4 come (all held); of its recall
+4.0, and +7.6 come (-3.6 +- 2.0, all held). So the intervals are to be believed rather than the figures in them, and
whether more photos of one class alone change the accuracy could be told of 2 in 100.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrain.core.blas import one_thread
from retrain.training.fitting.part_heads import PartHeads
from retrain.training.fitting.sample import Classes, Matrix, Rows, Sample
from retrain.training.metrics import design_effect, effect_on_accuracy, wilson_interval
from retrain.training.paired import Z
from retrain.training.train_head import INFLATION
from retrain.training.trained import TrainedHead

PARTS = (1 / 2, 1 / 4, 1 / 8)  # of each class
FURTHER = 0.6  # of what a doubling brought, for the next one
FURTHER_OF_ONE = 0.3  # of what is known of one class alone; fitted to the cats, see above
FEWEST_GROUPS = 5  # of a class, to be told anything
LEAST_GROUPS = 3  # that a part has of a class, if the class has them
MOST_REPETITIONS = 10
# Heads x photos x classes x features, of which there are no more than photos: 2.8e9, for 2,400 photos of 12 classes,
# take 10 seconds of a core.
WORK = 1.7e9  # that repetitions beyond the first may add
MOST_WORK = 6e9  # of the first
SHARPNESS = 4.0  # by which logits are multiplied where it counts how near to another answer a head is

Shares = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Observer = Callable[[int, int], None]  # heads that are fitted, and how many there are in all


@dataclass(frozen=True)
class CurvePoint:
    """The accuracy with so many photos, and its 95 % interval."""

    photos: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """By how much a share of right answers is foretold to change, -1..1, with its 95 % interval."""

    gain: float
    low: float
    high: float

    @property
    def is_told(self) -> bool:
        """Whether it can be told that there is one, and of which sign."""
        return self.low > 0 or self.high < 0

    def plain(self) -> dict[str, object]:
        """As JSON."""
        return {"gain": self.gain, "low": self.low, "high": self.high, "isTold": self.is_told}


@dataclass(frozen=True)
class ClassGain:
    """What twice the photos of one class are foretold to bring; None of a class that has too few to say.

    `accuracy` is that of all photos, `recall` that of the class.
    """

    label: str
    photos: int
    accuracy: Gain | None = None
    recall: Gain | None = None

    def plain(self) -> dict[str, object] | None:
        """As JSON, the accuracy's first; None where nothing is said."""
        if self.accuracy is None or self.recall is None:
            return None
        return {"label": self.label, "photos": self.photos, **self.accuracy.plain(), "recall": self.recall.plain()}


@dataclass(frozen=True)
class MorePhotos:
    """The learning curve, and what twice the photos are foretold to bring: `twice` of all classes, or of one each."""

    curve: tuple[CurvePoint, ...]
    twice: Gain | None
    classes: tuple[ClassGain, ...]

    def plain(self) -> dict[str, object]:
        """As JSON; classes of which nothing is said are left out."""
        return {
            "curve": [
                {"photos": one.photos, "accuracy": one.accuracy, "low": one.low, "high": one.high} for one in self.curve
            ],
            "twice": self.twice.plain() if self.twice else None,
            "classes": [plain for one in self.classes if (plain := one.plain()) is not None],
        }


def what_more_would_bring(trained: TrainedHead, observe: Observer = lambda done, total: None) -> MorePhotos:
    """What more photos would bring a cross-validated head.

    Nothing is told of one that was measured by one split, and where there are so many photos that it would take long.
    """
    photos_of = np.bincount(trained.bottlenecks.classes, minlength=len(trained.labels)).tolist()
    experiment = None
    if trained.out_of_fold is not None and trained.test.accuracy is not None:
        experiment = _Experiment(trained)
    if experiment is None or experiment.is_too_much:
        unknown = (ClassGain(label, count) for label, count in zip(trained.labels, photos_of, strict=True))
        return MorePhotos((), None, tuple(unknown))
    with one_thread():
        tries = experiment.run(observe)
    sure = np.array([one.sure for one in tries])
    whole, half, of_classes = sure[:, 0], sure[:, 1], sure[:, 1 + len(PARTS) :]
    known, frequent = np.split(of_classes, 2, axis=1)
    groups, classes = experiment.groups[trained.test_rows], trained.bottlenecks.classes[trained.test_rows]
    gains = {}
    for place, index in enumerate(experiment.told):
        own = classes == index
        gained = FURTHER_OF_ONE * (whole - known[:, place]) + frequent[:, place] - whole
        gains[index] = (_foretold(gained, groups), _foretold(gained[:, own], groups[own]))
    return MorePhotos(
        _curve(trained, tries, groups),
        _foretold(FURTHER * (whole - half), groups) if experiment.has_halves else None,
        tuple(
            ClassGain(label, count, *gains.get(index, (None, None)))
            for index, (label, count) in enumerate(zip(trained.labels, photos_of, strict=True))
        ),
    )


@dataclass(frozen=True, eq=False)
class _Try:
    """Heads that have seen all photos, and the parts of an experiment, each on the photos that are tested.

    Both are (heads, photos): whether an answer is `right`, and how `sure` it is to be. The latter is 1 or 0 but for
    photos that are near to another answer, of which more photos turn some, it cannot be told which: changes of it
    are nearly those of the accuracy, with 0.7 of the error. `photos` are in the parts.
    """

    right: Mask
    sure: Shares
    photos: Rows


class _Experiment:
    """Fits heads to parts of the photos of a training, and asks them about the others."""

    def __init__(self, trained: TrainedHead) -> None:
        assert trained.out_of_fold is not None
        matrix, self._classes = trained.bottlenecks.matrix, trained.bottlenecks.classes
        self._count = len(trained.labels)
        self._deals, self._tested = trained.out_of_fold.folds, trained.test_rows
        self._folds = range(int(self._deals.max()) + 1)
        self.groups: Rows = np.array(trained.division.groups, np.intp)
        self._class_of_group = np.zeros(self.groups.max() + 1, np.intp)
        self._class_of_group[self.groups] = self._classes
        sizes = np.bincount(self._class_of_group, minlength=self._count)
        self.told: list[int] = np.flatnonzero(sizes >= FEWEST_GROUPS).tolist()
        self.has_halves = len(self.told) > 0
        a_head = len(matrix) * min(matrix.shape) * self._count
        work = a_head * len(self._folds) * np.array([len(PARTS), len(PARTS) + 2 * len(self.told)])
        self.is_too_much = bool(work[0] > MOST_WORK)
        if work[1] > MOST_WORK:
            self.told = []
        self.repetitions = int(np.clip(WORK / work[1 if self.told else 0], 1, MOST_REPETITIONS))
        self._sample = Sample(matrix, self._classes, widths=trained.bottlenecks.extraction.widths)
        self._l2 = trained.out_of_fold.path[trained.out_of_fold.best]

    def run(self, observe: Observer) -> list[_Try]:
        """The tries, each with other parts, and by the next deal of the folds."""
        fitter = PartHeads(self._sample, self._count, self._l2)
        deals = self._deals[: self.repetitions]
        heads = len(self._folds) * (len(deals) + self.repetitions * (len(PARTS) + 2 * len(self.told)))
        observe(0, heads)
        of_all = [np.array([folds != fold for fold in self._folds], np.float32) for folds in deals]
        whole = [fitter.fit(seen) for seen in of_all]
        done = len(self._folds) * len(deals)
        observe(done, heads)
        tries = []
        for repetition in range(self.repetitions):
            deal = repetition % len(deals)
            random = np.random.default_rng(repetition)
            seen = np.stack([self._parts(fold, deals[deal], random) for fold in self._folds], axis=1)
            start = np.tile(whole[deal], (len(seen), 1, 1))
            weights = fitter.fit(seen.reshape(-1, seen.shape[2]), start)
            shares = seen[: len(PARTS)].sum(axis=(1, 2)) / of_all[deal].sum()
            photos = np.rint(len(self._classes) * np.array([1.0, *shares])).astype(np.intp)
            tries.append(self._asked(fitter, np.concatenate([whole[deal], weights]), deals[deal], photos))
            done += len(weights)
            observe(done, heads)
        return tries

    def _parts(self, fold: int, folds: Rows, random: np.random.Generator) -> Matrix:
        """How much photos count for heads that leave out a fold, (heads, photos).

        Heads of PARTS of all classes, each a part of the one before; of all photos but half of a class, which count
        for the others of it, for each of `told`; and of all photos, those of such a class twice.
        """
        others = folds != fold
        class_of = self._class_of_group[self.groups]
        places = np.zeros(len(self._class_of_group), np.intp)  # of a group among those of its class
        sizes = np.zeros(self._count, np.intp)
        for index in range(self._count):
            own = np.unique(self.groups[others & (class_of == index)])
            places[own], sizes[index] = random.permutation(len(own)), len(own)
        parts = []
        for share in PARTS:
            kept = np.maximum(np.ceil(share * sizes), np.minimum(sizes, LEAST_GROUPS))
            parts.append(others & (places[self.groups] < kept[class_of]))
        known, frequent = [], []
        for index in self.told:
            own = class_of == index
            weight = (own & others).sum() / (own & parts[0]).sum()
            known.append(np.where(own, weight * parts[0], others))
            frequent.append(np.where(own, 2, 1) * others)
        return np.array([*parts, *known, *frequent], np.float32)

    def _asked(self, fitter: PartHeads, weights: Matrix, folds: Rows, photos: Rows) -> _Try:
        """What heads that take turns, fold by fold, make of the photos that are tested."""
        turns = weights.reshape(-1, len(self._folds), *weights.shape[1:])
        right = np.zeros((len(turns), len(self._tested)), np.bool_)
        sure = np.zeros(right.shape)
        for fold in self._folds:
            places = np.flatnonzero(folds[self._tested] == fold)
            rows = self._tested[places]
            classes: Classes = self._classes[rows]
            scores = fitter.scores(turns[:, fold], rows)
            right[:, places] = scores.argmax(axis=1) == classes
            powers = np.exp(SHARPNESS * scores)
            sure[:, places] = powers[:, classes, np.arange(len(rows))] / powers.sum(axis=1)
        return _Try(right, sure, photos)


def _curve(trained: TrainedHead, tries: Sequence[_Try], groups: Rows) -> tuple[CurvePoint, ...]:
    """From few photos to all, whose accuracy is the quoted one; the others differ from it as they were found to."""
    quoted = trained.test.accuracy or 0.0
    right = np.mean([one.right for one in tries], axis=0)
    points: dict[int, CurvePoint] = {}
    for place, photos in enumerate(np.mean([one.photos for one in tries], axis=0)):
        accuracy = float(np.clip(quoted + (right[place] - right[0]).mean(), 0, 1))
        worth = len(groups) / (INFLATION * effect_on_accuracy(right[place], groups))
        points.setdefault(round(photos), CurvePoint(round(photos), accuracy, *wilson_interval(accuracy * worth, worth)))
    return tuple(points[photos] for photos in sorted(points))


def _foretold(gained: Shares, groups: Rows) -> Gain:
    """What is gained in the mean of photos, (repetitions, n).

    The error is that of photos which are right or wrong together in `groups` (n,), as if one group more had changed
    (Agresti and Min 2005 add half a photo to each of four cells), and that of the halves that were drawn.
    """
    of_photo = gained.mean(axis=0)
    mean, n = float(of_photo.mean()), len(of_photo)
    squares = INFLATION * design_effect(of_photo, groups) * float(((of_photo - mean) ** 2).sum())
    drawn = float(gained.mean(axis=1).var(ddof=1)) / len(gained) if len(gained) > 1 else 0.0
    one_more = (n / len(np.unique(groups))) ** 2
    error = Z * float(np.sqrt((squares + one_more) / (n + 2) ** 2 + drawn))
    return Gain(mean, mean - error, mean + error)
