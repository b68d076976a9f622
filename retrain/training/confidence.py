"""How sure a trained head is of its answers, and what it does not know at all."""

from dataclasses import replace

from retrain.photos.seen_photos import seen_mask
from retrain.training.calibration import Calibration, calibrate
from retrain.training.fitting.sample import Sample
from retrain.training.head import predict
from retrain.training.metrics import measure
from retrain.training.trained import Confidence, TrainedHead
from retrain.training.unknown import fit_novelty_detector


def with_confidence(trained: TrainedHead, tta: bool = False) -> TrainedHead:
    """Calibrate a trained head on its validation photos, and learn what is familiar from all it has seen.

    The test photos are measured again as the calibrated head sees them, but for two cases in which it is not
    the one that answered for them: where folds took turns, and where answers are means over views (`tta`).
    `validation` stays that of the head before.
    """
    labels, division = trained.labels, trained.division
    photos = Sample(trained.bottlenecks.matrix, trained.bottlenecks.classes)
    calibration = _calibrate(trained, photos, tta)
    familiar = fit_novelty_detector(photos.take(seen_mask(division)), len(labels))
    calibrated = replace(trained, fit=replace(trained.fit, head=calibration.of_head(trained.fit.head)))
    if division.folds is not None:
        return replace(calibrated, confidence=Confidence(calibration, familiar, None, None))
    tested = photos.take(trained.test_rows)
    refused = sum(int((familiar.similarity(block) < familiar.threshold).sum()) for _, block in tested.blocks())
    if tta:
        return replace(calibrated, confidence=Confidence(calibration, familiar, None, refused))
    probabilities = calibration.of_probabilities(trained.test_probabilities)
    return replace(
        calibrated,
        test=measure(probabilities, tested.classes, labels),
        test_probabilities=probabilities,
        confidence=Confidence(calibration, familiar, trained.test.ece, refused),
    )


def _calibrate(trained: TrainedHead, photos: Sample, tta: bool) -> Calibration:
    """The temperature by the validation photos as they are: an export sees no other view of them."""
    validating = photos.take(trained.validation_rows)
    if tta and trained.validated_head is not None:
        return calibrate(predict(trained.validated_head, validating), validating.classes)
    return calibrate(trained.validation_probabilities, validating.classes)
