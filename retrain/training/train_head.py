"""From bottlenecks and a division of the photos to a head, and how good it is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from retrain.backbones.backbone import Backbone
from retrain.bottlenecks.extraction import Extraction
from retrain.core.errors import DatasetError, OptionError
from retrain.photos.dataset import dataset_digest
from retrain.photos.split import Division
from retrain.photos.views import Augmentation, View, choose_views
from retrain.training.confidence import Confidence
from retrain.training.fitting.checkpoint import Checkpoint, Slot
from retrain.training.fitting.convergence import fit_to_convergence, refit_helps
from retrain.training.fitting.sample import Matrix, Sample
from retrain.training.head import Fit, Head, Observer, predict
from retrain.training.metrics import Metrics, measure
from retrain.training.recipe import HeadRecipe, choose_recipe

if TYPE_CHECKING:
    from retrain.runs.train import Options

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Trained:
    """A head with how good it is. `test_probabilities` belong to `test_rows` of the extraction.

    `fit.head` is the head to export; where photos are few, the linear head of L-BFGS is refitted to training
    and validation photos together, after its L2 strength was chosen. `validated_head` is the one that has not
    seen the validation photos, the same where nothing is refitted, and None where the data set is
    cross-validated, as each photo then has a head of its own. `validation` and the `validation_probabilities`
    (n, classes) of `validation_rows` are always answers of heads that have not seen the photos; `test` is that
    of `fit.head`. `confidence` is there once the head is calibrated.
    """

    fit: Fit
    validation: Metrics
    test: Metrics
    test_rows: np.ndarray
    test_probabilities: np.ndarray
    validated_head: Head | None = None
    validation_rows: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    validation_probabilities: Matrix = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    confidence: Confidence | None = None


def recipe_of(options: "Options") -> HeadRecipe:
    """The recipe that the options ask for. Raises OptionError if they do not go together."""
    return choose_recipe(
        optimizer=options.optimizer,
        l2=options.l2,
        label_smoothing=options.label_smoothing,
        class_weight=options.class_weight,
        hidden_units=options.hidden_units,
        activation=options.activation,
        dropout=options.dropout,
        epochs=options.epochs,
        how_many_training_steps=options.how_many_training_steps,
        learning_rate=options.learning_rate,
        learning_rate_schedule=options.learning_rate_schedule,
        train_batch_size=options.train_batch_size,
        eval_step_interval=options.eval_step_interval,
        validation_batch_size=options.validation_batch_size,
        early_stopping_patience=options.early_stopping_patience,
        seed=options.seed,
    )


def augmentation_of(options: "Options") -> Augmentation:
    """How far the options let views be distorted."""
    return Augmentation(
        options.flip_left_right,
        options.random_crop,
        options.random_scale,
        options.random_brightness,
        options.random_rotation,
    )


def views_asked(options: "Options") -> tuple[View, ...]:
    """The views that the options ask for. Raises OptionError if they do not go together."""
    return choose_views(augmentation_of(options), options.views, options.tta)


def training_origin(
    backbone: Backbone, extraction: Extraction, division: Division, labels: tuple[str, ...], options: "Options"
) -> dict[str, object]:
    """Where the state of a training comes from, in words and numbers that a person can compare.

    `classes` are in the order of their indices.
    """
    return {
        "backbone": backbone.architecture,
        "classes": list(labels),
        "data set": dataset_digest(extraction.photos),
        "fingerprint of the bottlenecks": extraction.fingerprint,
        "testing_percentage": options.testing_percentage,
        "validation_percentage": options.validation_percentage,
        "seed": options.seed,
        "split": _split_digest(extraction, division),
        "views": ", ".join(view.id for view in views_asked(options)),
        **recipe_of(options).identity(),
    }


def origin_digest(origin: Mapping[str, object], *more: str) -> str:
    """12 hex digits that tell trainings of different origin apart."""
    return hashlib.sha256(json.dumps([origin, *more], sort_keys=True).encode()).hexdigest()[:12]


def train_head(
    extraction: Extraction,
    division: Division,
    labels: tuple[str, ...],
    options: "Options",
    observe: Observer = lambda progress: None,
    checkpoint: Checkpoint | None = None,
    views: Matrix | None = None,
) -> Trained:
    """Fit the head and measure it on the photos that it did not see.

    `views` are the bottlenecks of all views of the photos, as `extract_views` gives them; without, each
    photo has one. With a checkpoint the fits go on from its states, and leave theirs there. Raises
    DatasetError if no photo falls on the training side.
    """
    fitter = _Fitter(recipe_of(options), len(labels), observe, checkpoint)
    index_of = {label: index for index, label in enumerate(labels)}
    classes = np.array([index_of[photo.label] for photo in extraction.photos])
    matrix = extraction.matrix if views is None else views
    photos = _Photos(matrix, classes, extraction.widths, options.tta, _test_batch(options))
    if division.folds is not None:
        return _cross_validate(photos, np.array(division.folds), labels, fitter)
    splits = np.array(division.splits)
    training, validating, testing = (splits == side for side in ("training", "validation", "testing"))
    if not training.any():
        raise DatasetError(
            f"{options.image_dir} leaves no photos for training: all of them are validation or test photos."
        )
    if options.early_stopping_patience is not None and not validating.any():
        raise OptionError(
            "--early_stopping_patience needs validation photos, and the split has none: change --validation_percentage."
        )
    refit = validating.any() and refit_helps(int(training.sum()), len(labels))
    everything = photos.all_views(training | validating) if refit else None
    fit = fitter.fit("training", photos.all_views(training), photos.themselves(validating), everything=everything)
    validated_head = fit.before_refit or fit.head
    validation = photos.probabilities(validated_head, validating)
    test = photos.probabilities(fit.head, testing)
    return Trained(
        fit,
        measure(validation, classes[validating], labels),
        measure(test, classes[testing], labels),
        np.flatnonzero(testing),
        test,
        validated_head,
        np.flatnonzero(validating),
        validation,
    )


def _cross_validate(
    photos: "_Photos", folds: npt.NDArray[np.intp], labels: tuple[str, ...], fitter: "_Fitter"
) -> Trained:
    """Each fold is tested once and validates once; the head that is kept is fitted to all photos."""
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
    fit = fitter.fit_everything(photos.all_views(np.ones(len(folds), np.bool_)), descriptions)
    return Trained(
        fit,
        measure(validation, photos.classes, labels),
        measure(test, photos.classes, labels),
        np.arange(len(folds)),
        test,
        None,
        np.arange(len(folds)),
        validation,
    )


@dataclass(frozen=True)
class _Photos:
    """All photos with the bottlenecks of their views.

    `views` is (views * n, dim), view by view, the photos themselves first; `classes` (n,). Masks are (n,).
    `widths` are those of `Sample`. `tta`: probabilities are the mean over the views. `batch` is how many photos
    are predicted at a time.
    """

    views: Matrix
    classes: npt.NDArray[np.intp]
    widths: tuple[int, ...]
    tta: bool
    batch: int | None

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
    ) -> Fit:
        """Fit a head; `name` is that of its slot. What ends on validation photos is not refitted to `everything`."""
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
            )
        # Here, and not above: it imports TensorFlow.
        from retrain.training.fitting.mini_batches import fit_mini_batches

        return fit_mini_batches(training, validation, self.classes, recipe, self.observe, slot, stop_after)

    def fit_everything(self, everything: Sample, descriptions: list[dict[str, float | int | str]]) -> Fit:
        """Fit all photos, with the median of what the folds chose on their validation photos."""
        nobody = everything.take(np.zeros(0, np.intp))
        path, stop_after = None, None
        if descriptions and self.recipe.optimizer == "lbfgs":
            path = (sorted(float(found["l2"]) for found in descriptions)[len(descriptions) // 2],)
        elif descriptions:
            shares = sorted((float(found["best_step"]) + 1) / float(found["steps"]) for found in descriptions)
            total = self.recipe.total_steps(len(everything))
            stop_after = max(1, round(shares[len(shares) // 2] * total))
        return self.fit("all photos", everything, nobody, path, stop_after)


def _test_batch(options: "Options") -> int | None:
    """`--test_batch_size` as photos at a time; -1 leaves it to `predict`."""
    return options.test_batch_size if options.test_batch_size > 0 else None


def _split_digest(extraction: Extraction, division: Division) -> str:
    """SHA-256 over the sides and folds of the photos, whatever their order."""
    folds = division.folds or [""] * len(division.splits)
    sides = zip(extraction.photos, division.splits, folds, strict=True)
    lines = sorted(f"{photo.sha256} {photo.label} {side} {fold}\n" for photo, side, fold in sides)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
