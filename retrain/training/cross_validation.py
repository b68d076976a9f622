"""Every photo is a test photo: heads that take turns are asked about the photos that they have not seen.

For each L2 strength of the path there is one head for each fold. Their answers choose the strength and the
temperature of the head that is kept, which is fitted to all photos; and they say how good it is. A number that judges
what was chosen leaves the photos out that it judges: the strength and the temperature behind the answers to one fold
are chosen on the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from retrain.training.calibration import TINY, WIDE_SPREAD, Calibration, calibrate
from retrain.training.fitting.convergence import L2_PATH, strength
from retrain.training.fitting.linear_heads import Answers, answers_along
from retrain.training.fitting.sample import Classes, Matrix, Rows, Sample
from retrain.training.head import Head, Observer, Progress, class_weights
from retrain.training.recipe import HeadRecipe

MOST_STRENGTHS = 13  # down to 1e-6
LEAST_GAIN = 0.001  # nats; less than that a step beyond the path is not worth, and the fits are not that exact
MUCH_WORSE = 1.1  # times the least cross-entropy: weaker penalties are not tried any more

Losses = npt.NDArray[np.float64]
Which = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Answers to n photos by heads that have not seen them.

    `folds` (deals, n) are the deals of the folds, `path` the strengths, strongest first. `probabilities`
    (deals, strengths, n, classes) are those of the photos as they are, which is what an export sees, and `judged` those
    that count as the answers: the same, or the means over all views. `losses` (deals, strengths, n) are the
    cross-entropies of the former, each strength of a deal at its best temperature, and weighted by class as the loss
    is; 0 of photos that no head can know (`has_others`). `curve` is that of the first deal, and `mean_head` the mean of
    its heads at the best strength.
    """

    classes: Classes
    folds: npt.NDArray[np.intp]
    path: tuple[float, ...]
    probabilities: Matrix
    judged: Matrix
    losses: Losses
    curve: tuple[Progress, ...]
    mean_head: Head

    @cached_property
    def judges(self) -> Which:
        """Which photos (n,) choose the strength and the temperature: those that some head can know."""
        return has_others(self.classes, self.folds[0])

    @property
    def best(self) -> int:
        """Which strength of the path is the best over all photos."""
        return _best(self.losses)

    def calibration(self) -> Calibration:
        """The temperature for a head of the best strength that is fitted to all photos, and sees them as they are."""
        said, classes = self.probabilities[:, self.best, self.judges], self.classes[self.judges]
        chosen = calibrate(said.reshape(-1, said.shape[-1]), np.tile(classes, len(said)), WIDE_SPREAD)
        return Calibration(chosen.temperature, len(self.classes))

    def quoted(self) -> Matrix:
        """The answers (deals, n, classes) by the strength and the temperature that the other folds choose."""
        quoted = np.empty_like(self.judged[:, 0])
        for deal, folds in enumerate(self.folds):
            for fold in np.unique(folds):
                own, others = folds == fold, (folds != fold) & self.judges
                best = int(self.losses[deal][:, others].sum(axis=1).argmin())
                said = self.judged[deal, best]
                chosen = calibrate(said[others], self.classes[others], WIDE_SPREAD)
                quoted[deal, own] = chosen.of_probabilities(said[own])
        return quoted

    def uncalibrated(self) -> Matrix:
        """What heads of the best strength say before the temperature, (deals, n, classes)."""
        return self.judged[:, self.best]


def has_others(classes: Classes, folds: Rows) -> Which:
    """Whether the class of each photo (n,) is in several folds: else no head that is asked about it has seen one."""
    in_folds = np.unique(np.stack([classes, folds]), axis=1)[0]
    known: Which = np.bincount(in_folds)[classes] > 1
    return known


def cross_validate_path(
    sample: Sample,
    folds: npt.NDArray[np.intp],
    classes: int,
    recipe: HeadRecipe,
    tta: bool = False,
    observe: Observer = lambda progress: None,
) -> OutOfFold:
    """Fit heads to the views of photos, by deals of folds (deals, n), at the strengths of the path.

    The sample holds one or more views of each photo, view by view, the photos as they are first. The path goes on
    beyond L2_PATH while its weakest strength is the best; a strength that the recipe gives is the only one. With `tta`
    the mean answer to all views counts.
    """
    given = None if recipe.l2 is None else (recipe.l2,)
    labels = sample.classes[: folds.shape[1]]
    judges = has_others(labels, folds[0])
    first = _OfDeal.along(sample, folds[0], judges, classes, recipe, tta, given, observe)
    deals = [first]
    for deal in folds[1:]:
        deals.append(_OfDeal.along(sample, deal, judges, classes, recipe, tta, tuple(first.path)))
    probabilities = np.array([deal.probabilities for deal in deals])
    judged = np.array([deal.judged for deal in deals]) if tta else probabilities
    losses = np.array([deal.losses for deal in deals])
    mean = first.means[_best(losses)]
    return OutOfFold(labels, folds, tuple(first.path), probabilities, judged, losses, tuple(first.curve), mean)


def _best(losses: Losses) -> int:
    return int(losses.sum(axis=(0, 2)).argmin())


@dataclass
class _OfDeal:
    """What becomes of one deal of the folds, strength by strength; as in `OutOfFold`.

    `photo_weights` (n,) are 0 of photos that are no `judges`.
    """

    classes: Classes
    judges: Which
    photo_weights: Losses
    path: list[float] = field(default_factory=list)
    probabilities: list[Matrix] = field(default_factory=list)
    judged: list[Matrix] = field(default_factory=list)
    losses: list[Losses] = field(default_factory=list)
    curve: list[Progress] = field(default_factory=list)
    means: list[Head] = field(default_factory=list)

    @classmethod
    def along(
        cls,
        sample: Sample,
        folds: Rows,
        judges: Which,
        classes: int,
        recipe: HeadRecipe,
        tta: bool,
        path: tuple[float, ...] | None,
        observe: Observer = lambda progress: None,
    ) -> "_OfDeal":
        """Go along a path that is given, or as far as it gets better."""
        labels, balanced = sample.classes[: len(folds)], recipe.class_weight is not None
        weights = class_weights(labels, classes)[labels] if balanced else np.ones(len(labels), np.float32)
        deal = cls(labels, judges, weights.astype(np.float64) * judges)
        answers_of_all_views = answers_along(
            sample,
            np.tile(folds, len(sample) // len(folds)),
            classes,
            path or deal.strengths(),
            label_smoothing=recipe.label_smoothing,
            balanced=balanced,
        )
        for answers in answers_of_all_views:
            deal.add(answers, tta, len(path or L2_PATH))
            observe(deal.curve[-1])
        return deal

    def add(self, answers: Answers, tta: bool, total: int) -> None:
        """The answers of the next strength, (views * n, classes)."""
        n, rows = len(self.classes), np.arange(len(self.classes))
        views = np.exp(answers.log_probabilities).reshape(-1, n, answers.log_probabilities.shape[1])
        own = views[0]
        judges = self.judges
        calibrated = calibrate(own[judges], self.classes[judges], WIDE_SPREAD).of_probabilities(own)
        plain, calibrated_losses = (
            -np.log(np.maximum(said[rows, self.classes], TINY)).astype(np.float64) * self.photo_weights
            for said in (own, calibrated)
        )
        right = float((own.argmax(axis=1) == self.classes)[judges].mean())
        training = (answers.training_accuracy, answers.training_cross_entropy)
        loss = float(plain.sum() / self.photo_weights.sum())
        self.curve.append(Progress(len(self.path), *training, right, loss, max(total, len(self.path) + 1)))
        self.path.append(answers.l2)
        self.probabilities.append(own)
        self.judged.append(views.mean(axis=0) if tta else own)
        self.losses.append(calibrated_losses)
        self.means.append(answers.mean)

    def strengths(self) -> Iterator[float]:
        """Strong to weak: to the end of the path, and on while the weakest is the best."""
        for step in range(MOST_STRENGTHS):
            if self._much_worse or (step >= len(L2_PATH) and not self._last_is_best):
                return
            yield strength(step)

    @property
    def _much_worse(self) -> bool:
        """The plain loss is least at a weaker penalty than the calibrated one; from there on both only get worse."""
        plain = [point.validation_cross_entropy or 0.0 for point in self.curve]
        return bool(plain) and plain[-1] > MUCH_WORSE * min(plain)

    @property
    def _last_is_best(self) -> bool:
        means = [float(losses[self.judges].mean()) for losses in self.losses]
        return means[-1] < min(means[:-1]) - LEAST_GAIN
