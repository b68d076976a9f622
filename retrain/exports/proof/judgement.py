"""What came of running an export beside the SavedModel: whether it holds its limits, and how good it is."""

from dataclasses import dataclass

import numpy as np

from label_image.runtimes import Outputs
from retrain.core.errors import ParityError
from retrain.exports.proof.limits import GREATEST_DROP, GREATEST_SHIFT, Limits
from retrain.exports.proof.parity import Parity, compare, measure_parity
from retrain.training.metrics import Classes, wilson_interval

Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class Judgement:
    """What came of running an export: how like the SavedModel, how often right, `drop` less often than that.

    `drop_interval` is the 95 % interval of `drop`; `milliseconds` are those of a photo, None for a format that was not
    run by its own program; `unknown` photos were called so; `forced` is what does not hold and was nevertheless kept.
    """

    parity: Parity
    accuracy: float
    interval: tuple[float, float]
    drop: float
    drop_interval: tuple[float, float]
    milliseconds: float | None
    bytes: int
    unknown: int = 0
    forced: bool = False

    def plain(self) -> dict[str, object]:
        """As the manifest has it."""
        return {
            "greatest_difference": self.parity.greatest_difference,
            "top_1_agreement": self.parity.top_1_agreement,
            "photos": self.parity.photos,
            "similarity_difference": self.parity.similarity_difference,
            **self.measured(),
            **({"forced": True} if self.forced else {}),
        }

    def measured(self) -> dict[str, object]:
        """That part of it which is not a comparison of answers."""
        return {
            "test": {
                "accuracy": self.accuracy,
                "interval": list(self.interval),
                "n": self.parity.photos,
                "drop": self.drop,
                "drop_interval": list(self.drop_interval),
                "called_unknown": self.unknown,
            },
            "milliseconds_per_photo": self.milliseconds,
            "bytes": self.bytes,
        }


@dataclass(frozen=True)
class Reference:
    """What the SavedModel answers for the test photos, and their classes.

    A photo whose similarity is below `threshold` is called unknown; a model without one calls none so.
    """

    outputs: Outputs
    classes: Classes
    threshold: float | None = None

    def unknown(self, outputs: Outputs) -> int:
        """How many photos are called unknown."""
        if self.threshold is None or outputs.similarity is None:
            return 0
        return int((outputs.similarity < self.threshold).sum())


def judge(
    title: str, said: Outputs, reference: Reference, limits: Limits, milliseconds: float | None, size: int, force: bool
) -> Judgement:
    """Judge what an export says of the test photos. Raises ParityError for one that must not be kept."""
    if limits.tolerance is None:
        parity = measure_parity(title, said, reference.outputs)
    else:
        parity = compare(title, said, reference.outputs, limits.tolerance)
    right = said.probabilities.argmax(axis=1) == reference.classes
    reference_right = reference.outputs.probabilities.argmax(axis=1) == reference.classes
    lost, won = int((reference_right & ~right).sum()), int((right & ~reference_right).sum())
    count = len(right)
    drop, interval = (lost - won) / count, paired_interval(lost, won, count)
    too_much = limits.drop is not None and drop > limits.drop
    unknown, expected = reference.unknown(said), reference.unknown(reference.outputs)
    shifted = limits.tolerance is None and abs(unknown - expected) > max(1, GREATEST_SHIFT * count)
    if shifted and not force:
        raise ParityError(
            f"{title} was not kept: it calls {unknown} of {count} photos unknown, the SavedModel {expected}. "
            "--force keeps it."
        )
    if too_much and not force:
        raise ParityError(
            f"{title} was not kept: on {count} photos its accuracy is {100 * drop:.1f} points lower than the "
            f"SavedModel's (95 % interval {100 * interval[0]:.1f} to {100 * interval[1]:.1f}; allowed: "
            f"{100 * GREATEST_DROP:g}). --force keeps it."
        )
    accuracy = wilson_interval(int(right.sum()), count)
    return Judgement(
        parity, float(right.mean()), accuracy, drop, interval, milliseconds, size, unknown, too_much or shifted
    )


def paired_interval(lost: int, won: int, photos: int) -> tuple[float, float]:
    """The 95 % interval of a drop of the accuracy, (lost - won) / photos, on the same photos.

    Wald's interval with half a photo added to each of the four cells (Agresti and Min 2005, "Simple improved
    confidence intervals for comparing matched proportions").
    """
    count, more, less = photos + 2, lost + 0.5, won + 0.5
    centre = (more - less) / count
    half = Z * float(np.sqrt(more + less - (more - less) ** 2 / count)) / count
    return max(-1.0, centre - half), min(1.0, centre + half)
