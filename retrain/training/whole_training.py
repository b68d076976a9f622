"""From bottlenecks to a head that can be exported: the one way, of runs, of the Python API and of the studio."""

from collections.abc import Callable
from dataclasses import replace

from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.in_float32 import are_as_exported
from retrain.core.blas import one_thread
from retrain.core.timing import timed
from retrain.photos.division import Division
from retrain.training.as_exported import as_exported
from retrain.training.confidence import with_confidence
from retrain.training.fitting.checkpoint import Checkpoint
from retrain.training.head import Observer
from retrain.training.recipe import HeadConfig
from retrain.training.train_head import train_head
from retrain.training.trained import TrainedHead


def train_and_measure(
    bottlenecks: Bottlenecks,
    division: Division,
    config: HeadConfig = HeadConfig(),
    tta: bool = False,
    *,
    observe: Observer = lambda progress: None,
    checkpoint: Checkpoint | None = None,
    further: Callable[[TrainedHead], TrainedHead] = lambda trained: trained,
    in_float32: bool = True,
    start: StartEngine | None = None,
    seconds: dict[str, float] | None = None,
) -> TrainedHead:
    """Fit a head and measure it, calibrate it, and say what the precision of exports changes.

    `further` is what else is trained, before the calibration: a fine-tuned backbone, say. Without `in_float32` the last
    step is left to who exports, since it may need the network; `start` makes its engine there. The `seconds` of each
    step are noted. Raises what `train_head` raises, and DatasetError if a photo that the last step reads has changed.
    """
    seconds = {} if seconds is None else seconds
    with timed(seconds, "head"), one_thread():
        trained = train_head(bottlenecks, division, config, tta, observe, checkpoint)
        trained = replace(trained, asked=config, tta=tta)
    trained = further(trained)
    with timed(seconds, "confidence"):
        trained = with_confidence(trained, tta)
    if not in_float32 or are_as_exported(trained.bottlenecks.backbone):
        return trained
    with timed(seconds, "float32"):
        return as_exported(trained, tta, start)
