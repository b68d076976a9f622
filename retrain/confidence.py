"""How sure a trained head is of its answers, and what it does not know at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from retrain.bottlenecks import Extraction
from retrain.calibration import Calibration, calibrate
from retrain.evaluate import measure
from retrain.sample import Sample
from retrain.seen_photos import seen_mask
from retrain.split import Division
from retrain.unknown import Familiar, become_familiar

if TYPE_CHECKING:
    from retrain.training import Trained


@dataclass(frozen=True)
class Confidence:
    """The temperature that went into a head, and what is familiar to it.

    `ece_before` is the calibration error on the test photos before the temperature. `refused` is how
    many of the `test_photos` are called unknown.
    """

    calibration: Calibration
    familiar: Familiar
    ece_before: float | None
    refused: int
    test_photos: int


def with_confidence(trained: "Trained", extraction: Extraction, division: Division, labels: Sequence[str]) -> "Trained":
    """Calibrate a trained head on its validation photos, and learn what is familiar from all it has seen.

    The test photos are measured again, with the calibrated head.
    """
    index_of = {label: index for index, label in enumerate(labels)}
    classes = np.array([index_of[photo.label] for photo in extraction.photos], np.intp)
    calibration = calibrate(trained.validation_probabilities, classes[trained.validation_rows])
    probabilities = calibration.of_probabilities(trained.test_probabilities)
    photos = Sample(extraction.matrix, classes)
    familiar = become_familiar(photos.take(seen_mask(division)), len(labels))
    tested = photos.take(trained.test_rows)
    refused = sum(int((familiar.similarity(block) < familiar.threshold).sum()) for _, block in tested.blocks())
    return replace(
        trained,
        fit=replace(trained.fit, head=calibration.of_head(trained.fit.head)),
        test=measure(probabilities, classes[trained.test_rows], labels),
        test_probabilities=probabilities,
        confidence=Confidence(calibration, familiar, trained.test.ece, refused, len(tested)),
    )
