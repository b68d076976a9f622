"""Which of several models is kept: the one with the lowest cross-entropy on the validation photos.

Accuracy moves in steps of one photo and is equal more often than not; cross-entropy is what the L2 strength of the head
and early stopping go by, too. The test photos have no part in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from retrain.backbones.backbone import Backbone
from retrain.training.head import Fit
from retrain.training.metrics import Metrics

NOT_TUNED, FINE_TUNED = "the model before fine-tuning", "the fine-tuned model"  # as a manifest says what was kept


@dataclass(frozen=True)
class Candidate:
    """A model with how good it is; `name` continues a sentence, as in "the head refitted to the tuned backbone"."""

    name: str
    backbone: Backbone
    fit: Fit
    validation: Metrics
    test: Metrics


def best_candidate(candidates: Sequence[Candidate]) -> int:
    """The index of the lowest validation cross-entropy; the first of equals."""
    losses = [float("inf") if c.validation.cross_entropy is None else c.validation.cross_entropy for c in candidates]
    return losses.index(min(losses))


def describe_choice(candidates: Sequence[Candidate], chosen: int) -> str:
    """What was chosen and by how much, against the first candidate (the model as it was before).

    Says when validation and test disagree about which is more accurate.
    """
    first, best = candidates[0], candidates[chosen]
    lines = [f"Kept: {best.name}, by validation cross-entropy."]
    for candidate in candidates:
        lines.append(f"{candidate.name}: validation {_figures(candidate.validation)}; test {_figures(candidate.test)}.")
    if chosen and first.test.accuracy is not None and best.test.accuracy is not None:
        gain = best.test.accuracy - first.test.accuracy
        lines.append(f"Gain on {best.test.n} test photos: {100 * gain:+.1f} points of accuracy.")
    return "\n".join(lines)


def choice_json(candidates: Sequence[Candidate], chosen: int) -> dict[str, object]:
    """The same for the manifest, as plain JSON."""
    return {
        "kept": candidates[chosen].name,
        "candidates": [
            {
                "name": candidate.name,
                "weights_sha256": candidate.backbone.weights_sha256,
                "validation": {**candidate.validation.headline(), "cross_entropy": candidate.validation.cross_entropy},
                "test": {**candidate.test.headline(), "cross_entropy": candidate.test.cross_entropy},
            }
            for candidate in candidates
        ],
    }


def _figures(metrics: Metrics) -> str:
    if metrics.accuracy is None:
        return "no photos"
    return f"accuracy {metrics.accuracy:.1%}, cross-entropy {metrics.cross_entropy:.3f}"
