"""What came of running an export beside the SavedModel: whether it holds its limits, and how good it is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from label_image.runtimes import Outputs
from retrain.core.errors import ParityError
from retrain.exports.proof.limits import GREATEST_SHIFT, Limits
from retrain.exports.proof.parity import Parity, compare, measure_parity
from retrain.training.metrics import Classes, Groups, effect_on_accuracy, wilson_interval
from retrain.training.paired import Change

Which = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judgement:
    """What came of running an export: how like the SavedModel, how often right, `drop` less often than that.

    All is of the photos of `parity`, but for the `accuracy` and how many were called `unknown`, which is that on the
    `tested` ones of them. `drop_interval` is the 95 % interval of `drop`; `milliseconds` are those of a photo, None for
    a format that was not run by its own program; `forced` is what does not hold and was nevertheless kept. `seen` is
    that of the reference.
    """

    parity: Parity
    accuracy: float
    interval: tuple[float, float]
    tested: int
    drop: float
    drop_interval: tuple[float, float]
    milliseconds: float | None
    bytes: int
    unknown: int = 0
    forced: bool = False
    seen: bool | None = False

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
                "n": self.tested,
                "drop": self.drop,
                "drop_interval": list(self.drop_interval),
                "called_unknown": self.unknown,
                "seen": self.seen,
            },
            "milliseconds_per_photo": self.milliseconds,
            "bytes": self.bytes,
        }


@dataclass(frozen=True)
class Reference:
    """What the SavedModel answers for photos, and their classes.

    A photo whose similarity is below `threshold` is called unknown; a model without one calls none so. Only the first
    `tested` photos tell how good a model is, all of them how like each other two models are; None: all do. Those of one
    of the `groups` (tested,), takes of one subject say, are right or wrong together; None: each stands alone. `seen`:
    the model was trained on the tested ones, which makes its accuracy too good; None: that is not known.
    """

    outputs: Outputs
    classes: Classes
    threshold: float | None = None
    tested: int | None = None
    groups: Groups | None = None
    seen: bool | None = False

    def right(self, outputs: Outputs) -> Which:
        """Which photos get the right answer, (n,)."""
        found: Which = outputs.probabilities.argmax(axis=1) == self.classes
        return found

    def unknown(self, outputs: Outputs) -> Which:
        """Which photos are called unknown, (n,)."""
        if self.threshold is None or outputs.similarity is None:
            return np.zeros(len(self.classes), np.bool_)
        found: Which = outputs.similarity < self.threshold
        return found


def judge(
    title: str, said: Outputs, reference: Reference, limits: Limits, milliseconds: float | None, size: int, force: bool
) -> Judgement:
    """Judge what an export says of the photos of the reference. Raises ParityError for one that must not be kept."""
    if limits.tolerance is None:
        parity = measure_parity(title, said, reference.outputs)
    else:
        parity = compare(title, said, reference.outputs, limits.tolerance)
    right, unknown = reference.right(said), reference.unknown(said)
    drop = Change.between(reference.right(reference.outputs), right)
    fewer = Change.between(reference.unknown(reference.outputs), unknown)
    too_much = limits.drop is not None and drop.is_beyond(limits.drop)
    shifted = limits.tolerance is None and (fewer.is_beyond(GREATEST_SHIFT) or fewer.turned.is_beyond(GREATEST_SHIFT))
    if shifted and not force:
        raise ParityError(
            f"{title} was not kept: it calls {unknown.sum()} of {parity.photos:,} photos unknown, the SavedModel "
            f"{unknown.sum() + fewer.lost - fewer.won}. `force` keeps it."
        )
    if too_much and not force:
        low, high = (100 * end for end in drop.interval)
        raise ParityError(
            f"{title} was not kept: on {parity.photos:,} photos its accuracy is {100 * drop.share:.1f} points lower "
            f"than the SavedModel's (95 % interval {low:.1f} to {high:.1f}; allowed: {100 * (limits.drop or 0):g}). "
            "`force` keeps it."
        )
    tested = right[: reference.tested]
    return Judgement(
        parity,
        float(tested.mean()),
        _interval(tested, reference.groups),
        len(tested),
        drop.share,
        drop.interval,
        milliseconds,
        size,
        int(unknown[: reference.tested].sum()),
        too_much or shifted,
        reference.seen,
    )


def _interval(right: Which, groups: Groups | None) -> tuple[float, float]:
    """That of the accuracy, 95 %, as the training has it."""
    effect = 1.0 if groups is None else effect_on_accuracy(right.astype(np.float64), groups)
    return wilson_interval(float(right.sum()) / effect, len(right) / effect)
