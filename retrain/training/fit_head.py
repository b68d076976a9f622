"""Training a head, and saying how good it is, in one call each.

trained = fit_head(bottlenecks, bottlenecks.split())
evaluate(trained).accuracy
"""

from itertools import compress

import numpy as np

from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.seen import require_same_backbone
from retrain.core.errors import DatasetError, OptionError
from retrain.core.observing import Observe, not_observed, observed
from retrain.core.progress import SILENT, Progress
from retrain.core.typed import require
from retrain.photos.classes import class_indices
from retrain.photos.dataset import require_two_classes
from retrain.photos.division import Division, division_for, group_numbers
from retrain.photos.seen_photos import photo_ids, seen_mask
from retrain.training.fitting.sample import Sample
from retrain.training.head import predict
from retrain.training.metrics import Metrics, measure
from retrain.training.recipe import HeadConfig
from retrain.training.trained import TrainedHead as Value
from retrain.training.trained_head import TrainedHead
from retrain.training.whole_training import train_and_measure


def fit_head(
    bottlenecks: Bottlenecks,
    division: Division,
    config: HeadConfig = HeadConfig(),
    *,
    tta: bool = False,
    progress: Progress = SILENT,
    observe: Observe = not_observed,
) -> TrainedHead:
    """Train a head, choose its penalty, calibrate it, and measure it on photos that it has not seen.

    Where the division has folds, they take turns for all three; else its validation and test photos are for that.

    Without arguments it is a linear head fitted to convergence. docs/heads.md says what each of `config` means and
    which go together; mini-batches take the seed of the division. `tta` judges by the mean answer to all views.
    `observe` is told the step and how many there are; where it returns False, Stopped is raised. Raises OptionError for
    a division of other photos, or with copies of one on several sides; DatasetError if no photo is left for training.
    Where the bottlenecks are not in float32, those of the test photos are computed in it, too: then the photos must be
    as they were.
    """
    require(bottlenecks, Bottlenecks, "bottlenecks", "fit_head", "extract(dataset, backbone)")
    require(division, Division, "division", "fit_head", "bottlenecks.split()")
    require(config, HeadConfig, "config", "fit_head", "HeadConfig(…)")
    require_two_classes(bottlenecks.labels if all(bottlenecks.labels) else (), bottlenecks.dataset.source)
    progress = observed(progress, observe)
    division = division_for(division, bottlenecks.photos)
    if tta and len(bottlenecks.views) == len(bottlenecks.matrix):
        raise OptionError("tta=True judges by several views of each photo: ask `extract` for them.")
    try:
        return TrainedHead.made_of(train_and_measure(bottlenecks, division, config, tta, observe=progress.training))
    finally:
        progress.finish()


def evaluate(trained: TrainedHead, bottlenecks: Bottlenecks | None = None) -> Metrics:
    """How good a head is: on its test photos, as the command line says it, or on those of other bottlenecks.

    Of other bottlenecks, photos that the head was trained or chosen on are left out, and photos of classes that it
    does not know. Raises OptionError if another backbone made them, DatasetError if no photo is left.
    """
    require(trained, Value, "trained", "evaluate", "fit_head(bottlenecks, division)")
    if bottlenecks is None:
        return trained.test
    require(bottlenecks, Bottlenecks, "bottlenecks", "evaluate", "extract(dataset, backbone)")
    own = trained.bottlenecks
    require_same_backbone(bottlenecks, own)
    seen = photo_ids(compress(own.photos, seen_mask(trained.division)))
    known = np.array([photo.label in trained.labels for photo in bottlenecks.photos], np.bool_)
    rows = np.flatnonzero(known & ~np.isin(photo_ids(bottlenecks.photos), seen))
    if not len(rows):
        raise DatasetError("The head was trained on all of these photos, or knows none of their classes.")
    photos = [bottlenecks.photos[row] for row in rows]
    classes = class_indices(photos, trained.labels)
    probabilities = predict(trained.head, Sample(bottlenecks.matrix, classes, rows))
    return measure(probabilities, classes, trained.labels, group_numbers(photos))
