"""From bottlenecks and a division of the photos to a head, and how good it is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.core.errors import DatasetError, OptionError
from retrain.photos.dataset import dataset_digest
from retrain.photos.division import Division, division_digest
from retrain.photos.split import testable
from retrain.training.cross_validation import cross_validate_path
from retrain.training.fitting.checkpoint import Checkpoint, Slot
from retrain.training.fitting.convergence import fit_to_convergence, refit_helps
from retrain.training.fitting.sample import Classes, Matrix, Sample
from retrain.training.head import Fit, Head, Observer, predict
from retrain.training.metrics import Metrics, measure
from retrain.training.recipe import Description, HeadConfig, HeadRecipe, choose_recipe
from retrain.training.trained import TrainedHead

Mask = npt.NDArray[np.bool_]

# Heads of different folds share most of their photos. Plain Wilson intervals of their pooled answers covered the truth
# in 83 to 90 % of cases instead of 95 %, those of two thirds of the photos in 96 % (research/judge_quotes.py).
INFLATION = 1.5


def training_origin(bottlenecks: Bottlenecks, division: Division, config: HeadConfig) -> dict[str, object]:
    """Where the state of a training comes from, in words and numbers that a person can compare.

    `classes` are in the order of their indices.
    """
    return {
        "backbone": bottlenecks.backbone.architecture,
        "classes": list(bottlenecks.labels),
        "data set": dataset_digest(bottlenecks.photos),
        "fingerprint of the bottlenecks": bottlenecks.extraction.fingerprint,
        "testing_percentage": division.testing_percentage,
        "validation_percentage": division.validation_percentage,
        "seed": division.seed,
        "split": division_digest(bottlenecks.photos, division),
        "views": ", ".join(bottlenecks.view_ids),
        **choose_recipe(config, division.seed).identity(),
    }


def origin_digest(origin: Mapping[str, object], *more: str) -> str:
    """12 hex digits that tell trainings of different origin apart."""
    return hashlib.sha256(json.dumps([origin, *more], sort_keys=True).encode()).hexdigest()[:12]


def train_head(
    bottlenecks: Bottlenecks,
    division: Division,
    config: HeadConfig = HeadConfig(),
    tta: bool = False,
    observe: Observer = lambda progress: None,
    checkpoint: Checkpoint | None = None,
) -> TrainedHead:
    """Fit the head to all views of the photos, and measure it on those that it did not see; it is not calibrated yet.

    `tta`: it is judged by the mean answer to all views. With a checkpoint the fits go on from its states, and leave
    theirs there. Raises DatasetError if no photo falls on the training side, OptionError for an
    `early_stopping_patience` without validation photos.
    """
    labels = bottlenecks.labels
    fitter = _Fitter(choose_recipe(config, division.seed), len(labels), observe, checkpoint)
    photos = _Photos(bottlenecks, tta, config.test_batch_size if config.test_batch_size > 0 else None)
    if division.folds is not None:
        if fitter.recipe.optimizer == "lbfgs":
            return _cross_validate_path(photos, division, fitter)
        return _cross_validate(photos, division, fitter)
    training, validating = division.mask("training"), division.mask("validation")
    if not training.any():
        raise DatasetError(
            f"{bottlenecks.dataset.source} leaves no photos for training: all of them are validation or test photos."
        )
    if config.early_stopping_patience is not None and not validating.any():
        raise OptionError(
            "`early_stopping_patience` needs validation photos, and the split has none: change `validation_percentage`."
        )
    refit = validating.any() and refit_helps(int(training.sum()), len(labels))
    everything = photos.all_views(training | validating) if refit else None
    fit = fitter.fit("training", photos.all_views(training), photos.themselves(validating), everything=everything)
    return _measured(photos, division, fit)


def measure_head(bottlenecks: Bottlenecks, division: Division, fit: Fit, tta: bool = False) -> TrainedHead:
    """A head that is there, measured on the sides of one split; it is not calibrated yet."""
    return _measured(_Photos(bottlenecks, tta, None), division, fit)


def _measured(photos: "_Photos", division: Division, fit: Fit) -> TrainedHead:
    labels, classes = photos.bottlenecks.labels, photos.classes
    validating, testing = division.mask("validation"), division.mask("testing")
    validated_head = fit.before_refit or fit.head
    validation = photos.probabilities(validated_head, validating)
    test = photos.probabilities(fit.head, testing)
    return TrainedHead(
        photos.bottlenecks,
        division,
        fit,
        measure(validation, classes[validating], labels, division.groups_of(validating)),
        measure(test, classes[testing], labels, division.groups_of(testing)),
        np.flatnonzero(testing),
        test,
        validated_head,
        np.flatnonzero(validating),
        validation,
    )


def _cross_validate_path(photos: "_Photos", division: Division, fitter: "_Fitter") -> TrainedHead:
    """Every photo is tested by heads of the other folds, which choose the strength; the head is fitted to all."""
    bottlenecks, labels = photos.bottlenecks, photos.bottlenecks.labels
    everything = photos.all_views(np.ones(len(photos.classes), np.bool_))
    tested = np.array(testable(bottlenecks.photos, division.deals[0]), np.bool_)
    nothing = measure(np.zeros((0, len(labels)), np.float32), photos.classes[:0], labels)
    if not tested.any():
        fit = fitter.fit_everything(everything)
        rows, said = np.zeros(0, np.intp), np.zeros((0, len(labels)), np.float32)
        return TrainedHead(bottlenecks, division, fit, nothing, nothing, rows, said)
    folds = np.array(division.deals, np.intp)
    out_of_fold = cross_validate_path(everything, folds, len(labels), fitter.recipe, photos.tta, fitter.observe)
    fit = fitter.fit_everything(everything, out_of_fold.path[out_of_fold.best], start=out_of_fold.mean_head)
    quoted = out_of_fold.quoted()
    return TrainedHead(
        bottlenecks,
        division,
        replace(fit, curve=out_of_fold.curve),
        nothing,
        measure(quoted[:, tested], photos.classes[tested], labels, division.groups_of(tested), INFLATION),
        np.flatnonzero(tested),
        quoted[:, tested].mean(axis=0),
        out_of_fold=out_of_fold,
    )


def _cross_validate(photos: "_Photos", division: Division, fitter: "_Fitter") -> TrainedHead:
    """By mini-batches: each fold is tested once and validates once; the head that is kept is fitted to all photos."""
    labels, folds = photos.bottlenecks.labels, np.array(division.folds)
    count = int(folds.max()) + 1
    # A fold that leaves nothing to train on keeps the answer of someone who knows nothing.
    validation = np.full((len(folds), len(labels)), 1 / len(labels), np.float32)
    test = validation.copy()
    descriptions = []
    for fold in range(count):
        validating, testing = folds == (fold + 1) % count, folds == fold
        training = ~(validating | testing)
        if not training.any():
            continue
        fit = fitter.fit(f"fold {fold}", photos.all_views(training), photos.themselves(validating))
        validation[validating] = photos.probabilities(fit.head, validating)
        test[testing] = photos.probabilities(fit.head, testing)
        descriptions.append(fit.description)
    share = _median_share(descriptions)
    fit = fitter.fit_everything(photos.all_views(np.ones(len(folds), np.bool_)), share=share)
    rows = np.flatnonzero(testable(photos.bottlenecks.photos, folds.tolist()))

    def measured(said: Matrix) -> Metrics:
        return measure(said[rows], photos.classes[rows], labels, division.groups_of(rows), INFLATION)

    return TrainedHead(
        photos.bottlenecks,
        division,
        fit,
        measured(validation),
        measured(test),
        rows,
        test[rows],
        None,
        rows,
        validation[rows],
    )


@dataclass(frozen=True)
class _Photos:
    """All photos with the bottlenecks of their views, as samples. Masks are (n,).

    `tta`: probabilities are the mean over the views. `batch` is how many photos are predicted at a time.
    """

    bottlenecks: Bottlenecks
    tta: bool
    batch: int | None

    @property
    def views(self) -> Matrix:
        """(views * n, dim), view by view, the photos themselves first."""
        return self.bottlenecks.views

    @property
    def classes(self) -> Classes:
        """The classes of the photos, (n,)."""
        return self.bottlenecks.classes

    @property
    def widths(self) -> tuple[int, ...]:
        """Those of `Sample`."""
        return self.bottlenecks.extraction.widths

    @property
    def count(self) -> int:
        """How many views a photo has."""
        return len(self.views) // max(1, len(self.classes))

    def all_views(self, mask: Mask) -> Sample:
        """Every view of these photos: what is trained on."""
        everything = Sample(self.views, np.tile(self.classes, self.count), widths=self.widths)
        return everything.take(np.tile(mask, self.count))

    def themselves(self, mask: Mask, view: int = 0) -> Sample:
        """One view of these photos, by default the photos as they are: what is judged on."""
        rows = np.flatnonzero(mask)
        return Sample(self.views, self.classes[rows], rows + view * len(self.classes), self.widths)

    def probabilities(self, head: Head, mask: Mask) -> Matrix:
        """What a head says of these photos, (n of the mask, classes)."""
        views = range(self.count if self.tta else 1)
        said = [predict(head, self.themselves(mask, view), self.batch) for view in views]
        mean: Matrix = np.mean(said, axis=0) if len(said) > 1 else said[0]
        return mean


@dataclass(frozen=True)
class _Fitter:
    """Fits heads by one recipe, each with its slot in the checkpoint."""

    recipe: HeadRecipe
    classes: int
    observe: Observer
    checkpoint: Checkpoint | None

    def fit(
        self,
        name: str,
        training: Sample,
        validation: Sample,
        path: tuple[float, ...] | None = None,
        stop_after: int | None = None,
        everything: Sample | None = None,
        start: Head | None = None,
    ) -> Fit:
        """Fit a head; `name` is that of its slot. What ends on validation photos is not refitted to `everything`.

        To convergence it may begin at `start`.
        """
        recipe = self.recipe
        slot = self.checkpoint.slot(name) if self.checkpoint else Slot()
        if recipe.optimizer == "lbfgs":
            return fit_to_convergence(
                training,
                validation,
                self.classes,
                path if recipe.l2 is None else (recipe.l2,),
                self.observe,
                label_smoothing=recipe.label_smoothing,
                balanced=recipe.class_weight is not None,
                slot=slot,
                everything=everything,
                start=start,
            )
        # Here, and not above: it imports TensorFlow.
        from retrain.training.fitting.mini_batches import fit_mini_batches

        return fit_mini_batches(training, validation, self.classes, recipe, self.observe, slot, stop_after)

    def fit_everything(
        self, everything: Sample, l2: float | None = None, share: float | None = None, start: Head | None = None
    ) -> Fit:
        """Fit all photos: at an L2 strength, from the head `start`, or for a share of the steps."""
        nobody = everything.take(np.zeros(0, np.intp))
        path = None if l2 is None else (l2,)
        stop_after = None if share is None else max(1, round(share * self.recipe.total_steps(len(everything))))
        return self.fit("all photos", everything, nobody, path, stop_after, start=start)


def _median_share(descriptions: list[Description]) -> float | None:
    """After which share of their steps the fits of the folds were best on their validation photos, in the median."""
    shares = sorted((float(found["best_step"]) + 1) / float(found["steps"]) for found in descriptions)
    return shares[len(shares) // 2] if shares else None
