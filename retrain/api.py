"""The steps of `retrain` as functions: photos, bottlenecks, a head, what it is worth, an export.

    bottlenecks = extract(Dataset.open("cats"), Backbone.find())
    trained = fit_head(bottlenecks, bottlenecks.split())
    evaluate(trained).accuracy
    export(trained, "tf_files/model")

Each does what the command line does, by the same code and with the same result; arguments have the names
of its options. Nothing is printed, unless `progress=True` asks for what the command line shows.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import compress
from pathlib import Path

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import start_engine
from retrain.bottlenecks.extraction import Extraction
from retrain.core.blas import threads_for
from retrain.core.errors import DatasetError, OptionError
from retrain.core.machine import choose_engine, choose_precision
from retrain.exports.names import FORMATS, check_formats
from retrain.photos.dataset import Dataset, Photo, Skipped, require_two_classes
from retrain.photos.seen_photos import photo_ids, seen_mask
from retrain.photos.split import Division, check_split, split_photos
from retrain.runs.train import (
    Options,
    Screen,
    check_options,
    extract_views_with_progress,
    look_for_gpu,
    on_what_is_there,
)
from retrain.training.confidence import with_confidence
from retrain.training.fitting.sample import Classes, Matrix, Sample
from retrain.training.head import Head, predict
from retrain.training.metrics import Metrics, measure
from retrain.training.train_head import Trained, train_head, views_asked


@dataclass(frozen=True, eq=False)
class Bottlenecks:
    """What a backbone sees in the photos of a data set: one vector for each photo; made by `extract`.

    `labels` are the names of the classes, sorted. `views` is float32 (views * n, dim): all photos as they are,
    which is `matrix`, and behind them their distorted views, where these were asked for. `extraction` also says
    how many bottlenecks were `hits` of the store in `bottleneck_dir`, and how many were `computed`.
    """

    dataset: Dataset
    backbone: Backbone
    extraction: Extraction
    views: Matrix
    labels: tuple[str, ...]
    bottleneck_dir: Path

    def __repr__(self) -> str:
        n, dim = self.matrix.shape
        classes = len(self.labels)
        return f"<Bottlenecks by {self.backbone.architecture}: {n} photos of {classes} classes, {dim} numbers each>"

    @property
    def photos(self) -> tuple[Photo, ...]:
        """The photos that can be used; each has `path`, `label` and `sha256`."""
        return self.extraction.photos

    @property
    def matrix(self) -> Matrix:
        """Float32 (n, dim); row i belongs to photo i."""
        return self.extraction.matrix

    @cached_property
    def classes(self) -> Classes:
        """The class of each photo (n,), as an index of `labels`."""
        index_of = {label: index for index, label in enumerate(self.labels)}
        return np.array([index_of[photo.label] for photo in self.photos], np.intp)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files that are not used; each has `path` and `reason`."""
        return self.extraction.skipped

    def split(self, *, testing_percentage: float = 10, validation_percentage: float = 10, seed: int = 0) -> Division:
        """Divide the photos by their content, so that copies of one never lie on two sides.

        `splits[i]` of the result is the side of photo i: "training", "validation" or "testing". A split that the
        source gives is kept. Raises OptionError for percentages that leave nothing for training.
        """
        check_split(testing_percentage, validation_percentage, seed)
        return split_photos(self.photos, testing_percentage, validation_percentage, seed)


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A head with all that it came from; made by `fit_head`."""

    bottlenecks: Bottlenecks
    division: Division
    result: Trained

    def __repr__(self) -> str:
        return f"<TrainedHead {self.description}, validation: {self.validation}>"

    @property
    def head(self) -> Head:
        """The head that is exported, calibrated: `head.probabilities` maps (n, dim) to (n, classes)."""
        return self.result.fit.head

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self.bottlenecks.labels

    @property
    def description(self) -> dict[str, float | int | str]:
        """How it was trained, as model.json says it under `head`."""
        return self.result.fit.description

    @property
    def validation(self) -> Metrics:
        """What the head was worth on the validation photos, before it saw any of them."""
        return self.result.validation


def extract(
    dataset: Dataset,
    backbone: Backbone,
    bottleneck_dir: str | os.PathLike[str] = "tf_files/bottlenecks",
    *,
    precision: str = "auto",
    engine: str = "auto",
    paranoid: bool = False,
    flip_left_right: bool = False,
    random_crop: int = 0,
    random_scale: int = 0,
    random_brightness: int = 0,
    random_rotation: int = 0,
    views: int | None = None,
    progress: bool = False,
) -> Bottlenecks:
    """The bottleneck of every photo, from the store in `bottleneck_dir` where it has them; the others are computed.

    `precision` is auto, float32, bfloat16 or float16, `engine` auto, tensorflow or openvino. `paranoid` reads every
    photo again instead of trusting its size and date. The rest asks for distorted views (docs/views.md). Raises
    OptionError, DatasetError if fewer than two classes have a photo that can be used, BackboneError, StoreError
    and GpuError.
    """
    options = Options(
        Path(dataset.source),
        bottleneck_dir=Path(bottleneck_dir),
        precision=precision,
        engine=engine,
        paranoid=paranoid,
        flip_left_right=flip_left_right,
        random_crop=random_crop,
        random_scale=random_scale,
        random_brightness=random_brightness,
        random_rotation=random_rotation,
        views=views,
    )
    views_asked(options)  # what cannot be is refused before any work
    backbone = backbone.computed_in(choose_precision(precision))
    choose_engine(engine, backbone.compute_dtype)
    with _shown(progress) as screen:
        look_for_gpu(options, screen)
        embed = partial(
            extract_views_with_progress,
            dataset,
            options=options,
            screen=screen,
            start=partial(start_engine, engine=engine),
        )
        backbone, (extraction, matrix) = on_what_is_there(backbone, options, screen, embed)
    labels = tuple(sorted({photo.label for photo in extraction.photos}))
    require_two_classes(labels, dataset.source)
    return Bottlenecks(dataset, backbone, extraction, matrix, labels, options.bottleneck_dir)


def fit_head(
    bottlenecks: Bottlenecks,
    division: Division,
    *,
    optimizer: str | None = None,
    l2: float | None = None,
    label_smoothing: float = 0.0,
    class_weight: str | None = None,
    hidden_units: Sequence[int] = (),
    activation: str | None = None,
    dropout: float | None = None,
    epochs: int | None = None,
    how_many_training_steps: int | None = None,
    learning_rate: float | None = None,
    learning_rate_schedule: str | None = None,
    early_stopping_patience: int | None = None,
    train_batch_size: int = 100,
    validation_batch_size: int = -1,
    eval_step_interval: int | None = None,
    tta: bool = False,
    progress: bool = False,
) -> TrainedHead:
    """Train a head on the training photos, choose on the validation photos, calibrate, and measure on the others.

    Without arguments it is a linear head fitted to convergence. docs/heads.md says what each means and which go
    together; mini-batches take the seed of the division. `tta` judges by the mean answer to all views. Raises
    OptionError for arguments that do not go together, and for a division of other photos; DatasetError if no
    photo is left for training.
    """
    if len(division.splits) != len(bottlenecks.photos):
        raise OptionError(
            f"The division is one of {len(division.splits)} photos, the bottlenecks are those of "
            f"{len(bottlenecks.photos)}: use `bottlenecks.split()`."
        )
    if tta and len(bottlenecks.views) == len(bottlenecks.matrix):
        raise OptionError("tta=True judges by several views of each photo: ask `extract` for them.")
    options = Options(
        Path(bottlenecks.dataset.source),
        optimizer=optimizer,
        l2=l2,
        label_smoothing=label_smoothing,
        class_weight=class_weight,
        hidden_units=tuple(hidden_units),
        activation=activation,
        dropout=dropout,
        epochs=epochs,
        how_many_training_steps=how_many_training_steps,
        learning_rate=learning_rate,
        learning_rate_schedule=learning_rate_schedule,
        early_stopping_patience=early_stopping_patience,
        train_batch_size=train_batch_size,
        validation_batch_size=validation_batch_size,
        eval_step_interval=eval_step_interval,
        tta=tta,
        seed=division.seed,
    )
    extraction, labels = bottlenecks.extraction, bottlenecks.labels
    with _shown(progress) as screen, threads_for(bottlenecks.views.size):
        trained = train_head(extraction, division, labels, options, screen.training, views=bottlenecks.views)
    return TrainedHead(bottlenecks, division, with_confidence(trained, extraction, division, labels, tta))


def evaluate(trained: TrainedHead, bottlenecks: Bottlenecks | None = None) -> Metrics:
    """What a head is worth: on its test photos, as the command line says it, or on those of other bottlenecks.

    Of other bottlenecks, photos that the head was trained or chosen on are left out, and photos of classes that it
    does not know. Raises OptionError if another backbone made them, DatasetError if no photo is left.
    """
    if bottlenecks is None:
        return trained.result.test
    own = trained.bottlenecks
    if bottlenecks.extraction.fingerprint != own.extraction.fingerprint:
        raise OptionError("These bottlenecks are not those of the head's backbone: extract them with it.")
    seen = photo_ids(compress(own.photos, seen_mask(trained.division)))
    index_of = {label: index for index, label in enumerate(trained.labels)}
    known = np.array([photo.label in index_of for photo in bottlenecks.photos], np.bool_)
    rows = np.flatnonzero(known & ~np.isin(photo_ids(bottlenecks.photos), seen))
    if not len(rows):
        raise DatasetError("The head was trained on all of these photos, or knows none of their classes.")
    classes = np.array([index_of[bottlenecks.photos[row].label] for row in rows], np.intp)
    return measure(predict(trained.head, Sample(bottlenecks.matrix, classes, rows)), classes, trained.labels)


def export(
    trained: TrainedHead,
    output_dir: str | os.PathLike[str] = "tf_files/model",
    *,
    formats: Sequence[str] = FORMATS,
    progress: bool = False,
) -> Path:
    """Write the export folder, which `label_image` reads; returns it.

    Each of the formats is loaded again and compared with the model on photos before it takes its place; an export that
    was there is replaced, anything else is not touched. Raises OptionError for a format that is not known,
    ParityError for one that does not answer like the model, ExportError.
    """
    bottlenecks, division = trained.bottlenecks, trained.division
    options = Options(
        Path(bottlenecks.dataset.source),
        output_dir=Path(output_dir),
        formats=check_formats(formats),
        bottleneck_dir=bottlenecks.bottleneck_dir,
        testing_percentage=division.testing_percentage,
        validation_percentage=division.validation_percentage,
        seed=division.seed,
    )
    check_options(options)
    # Here, and not above: a head is trained and evaluated without it.
    from retrain.exports.writer import write_outputs

    with _shown(progress) as screen:
        write_outputs(
            options, bottlenecks.backbone, bottlenecks.extraction, division, trained.labels, trained.result, screen
        )
    return options.output_dir


@contextmanager
def _shown(progress: bool) -> Iterator[Screen]:
    """What the command line shows, or nothing."""
    from retrain.insight.terminal import QuietScreen, TerminalScreen

    screen = TerminalScreen(results_to_stderr=True) if progress else QuietScreen()
    try:
        yield screen
    finally:
        screen.finish()
