"""The transfer model and one trained from scratch, side by side (`--compare scratch`).

Nothing here imports TensorFlow.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from retrain.training.head import Head, Progress
from retrain.training.metrics import Metrics

if TYPE_CHECKING:
    from retrain.training.on_photos.small_cnn import FromScratch


@dataclass(frozen=True)
class CurvePoint:
    """A model at some time of its training; `seconds` since the training began. Figures in 0..1 and nats."""

    seconds: float
    training_accuracy: float | None
    validation_accuracy: float | None
    training_cross_entropy: float | None
    validation_cross_entropy: float | None


@dataclass(frozen=True)
class Contender:
    """One model of a comparison, measured on the test photos. `seconds` is what its training took in all.

    `points_are` says what a point of the curve is, for the legend of the plot.
    """

    name: str
    parameters_total: int
    parameters_trainable: int
    test: Metrics
    seconds: float
    curve: tuple[CurvePoint, ...]
    points_are: str
    remark: str = ""


@dataclass
class TimedCurve:
    """An observer of a head's training that notes when each point was reached.

    `before` are the seconds that were spent before: reading the photos and computing bottlenecks.
    `then` is called with each point, for the screen.
    """

    before: float = 0.0
    then: Callable[[Progress], None] = lambda progress: None
    points: list[CurvePoint] = field(default_factory=list)
    _began: float = field(default_factory=time.perf_counter)

    def __call__(self, progress: Progress) -> None:
        self.points.append(
            CurvePoint(
                self.before + time.perf_counter() - self._began,
                progress.training_accuracy,
                progress.validation_accuracy,
                progress.training_cross_entropy,
                progress.validation_cross_entropy,
            )
        )
        self.then(progress)


def transfer_contender(
    backbone_parameters: int,
    head: Head,
    test: Metrics,
    curve: TimedCurve,
    seconds: float,
    points_are: str = "a converged head at one L2 strength",
    cached: int = 0,
) -> Contender:
    """The transfer model. `seconds` holds bottlenecks and head; `cached` bottlenecks cost nothing this time."""
    remark = f"{cached} bottlenecks came from the cache" if cached else ""
    total = backbone_parameters + head.parameters
    return Contender("transfer", total, head.parameters, test, seconds, tuple(curve.points), points_are, remark)


def scratch_contender(scratch: "FromScratch") -> Contender:
    """The network trained from scratch."""
    curve = tuple(
        CurvePoint(
            point.seconds,
            point.training_accuracy,
            point.validation_accuracy,
            point.training_cross_entropy,
            point.validation_cross_entropy,
        )
        for point in scratch.training.curve
    )
    return Contender(
        "from scratch",
        scratch.parameters_total,
        scratch.parameters_trainable,
        scratch.test,
        scratch.training.seconds,
        curve,
        "an epoch",
    )


def comparison_table(contenders: Sequence[Contender]) -> list[tuple[str, ...]]:
    """Rows of text, the header first."""
    rows: list[tuple[str, ...]] = [
        ("model", "parameters", "trainable", "test loss", "test accuracy", "95 % interval", "seconds")
    ]
    for one in contenders:
        if one.test.accuracy is None or one.test.interval is None:
            loss = accuracy = interval = "no photos"
        else:
            low, high = one.test.interval
            loss, accuracy = f"{one.test.cross_entropy:.3f}", f"{one.test.accuracy:.1%}"
            interval = f"{low:.1%} to {high:.1%}"
        parameters = (f"{one.parameters_total:,}", f"{one.parameters_trainable:,}")
        rows.append((one.name, *parameters, loss, accuracy, interval, f"{one.seconds:.0f}"))
    return rows


def comparison_json(contenders: Sequence[Contender]) -> list[dict[str, object]]:
    """The comparison with its curves, as plain JSON."""
    return [
        {
            "name": one.name,
            "parameters": {"total": one.parameters_total, "trainable": one.parameters_trainable},
            "test": {**one.test.headline(), "cross_entropy": one.test.cross_entropy},
            "seconds": round(one.seconds, 3),
            "remark": one.remark,
            "curve": {"points_are": one.points_are, "points": [asdict(point) for point in one.curve]},
        }
        for one in contenders
    ]
