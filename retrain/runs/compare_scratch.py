"""`--compare scratch` as a step of a run: a small network from scratch beside the transfer model."""

import json
import shutil
from collections.abc import Mapping
from functools import partial

import numpy as np

from label_image.files import scratch_folder
from retrain.backbones.backbone import Backbone
from retrain.backbones.network import kept_network
from retrain.core.progress import Progress
from retrain.training.on_photos.curves import draw_curves
from retrain.training.on_photos.keras_training import TrainingConfig
from retrain.training.on_photos.sides import DividedPhotos
from retrain.training.on_photos.small_cnn import RECIPE, train_from_scratch
from retrain.training.on_photos.timed_curve import (
    Contender,
    TimedCurve,
    comparison_json,
    comparison_table,
    scratch_contender,
    transfer_contender,
)
from retrain.training.train_head import origin_digest
from retrain.training.trained import TrainedHead

PLOT, FIGURES = "learning_curves.png", "comparison.json"


def compare_with_scratch(
    trained: TrainedHead, curve: TimedCurve, origin: Mapping[str, object], progress: Progress
) -> tuple[tuple[Contender, ...], dict[str, bytes]]:
    """Train from scratch and say how the two compare: returns both, and the plot and figures as files of the export."""
    bottlenecks = trained.bottlenecks
    # A folder for each kind of run: the same command goes on with its own training, another begins one.
    begun = bottlenecks.config.local_dir / f".from_scratch-{origin_digest(origin)}"
    scratch = train_from_scratch(
        DividedPhotos(bottlenecks.photos, trained.labels, trained.division),
        TrainingConfig(RECIPE, seed=trained.division.seed, checkpoint_dir=begun),
        observe=partial(progress.epoch, "From scratch"),
    )
    progress.finish()
    shutil.rmtree(begun, ignore_errors=True)
    spent = curve.points[-1].seconds if curve.points else curve.before
    transfer = transfer_contender(
        backbone_parameters(bottlenecks.backbone),
        trained.head,
        trained.test,
        curve,
        spent,
        points_are(trained),
        cached=bottlenecks.extraction.hits,
    )
    contenders = (transfer, scratch_contender(scratch))
    for row in comparison_table(contenders):
        progress.say("  ".join(f"{cell:>14}" for cell in row))
    with scratch_folder() as folder:
        plot = draw_curves(contenders, folder / PLOT).read_bytes()
    figures = json.dumps(comparison_json(contenders), indent=2, ensure_ascii=False) + "\n"
    return contenders, {PLOT: plot, FIGURES: figures.encode()}


def points_are(trained: TrainedHead) -> str:
    """What a point of the transfer model's curve is: only mini-batches have evaluations on the way to one head."""
    if trained.fit.description.get("optimizer") == "lbfgs":
        return "a head fitted at one L2 penalty"
    return "an evaluation"


def backbone_parameters(backbone: Backbone) -> int:
    """How many numbers the backbone has learned."""
    network = kept_network(backbone.in_float32())
    total = 0
    for part in network.parts or (network,):
        # A Keras model's weights are not among the variables of a TensorFlow module.
        weights = part.model.weights if hasattr(part, "model") else part.variables
        total += sum(int(np.prod(weight.shape)) for weight in weights)
    return total
