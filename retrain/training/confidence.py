"""How sure a trained head is of its answers, and what it does not know at all."""

from dataclasses import replace

from retrain.photos.seen_photos import seen_mask
from retrain.training.calibration import SPREAD, WIDE_SPREAD, Calibration, calibrate
from retrain.training.cross_validation import OutOfFold
from retrain.training.fitting.sample import Classes, Matrix, Sample
from retrain.training.head import Fit, predict
from retrain.training.metrics import measure
from retrain.training.trained import Confidence, TrainedHead
from retrain.training.unknown import fit_novelty_detector, refused_by_others


def with_confidence(trained: TrainedHead, tta: bool = False) -> TrainedHead:
    """Calibrate a trained head on its validation photos, and learn what is familiar from all it has seen.

    The test photos are measured again as the calibrated head sees them, but for two cases in which it is not
    the one that answered for them: where folds took turns, and where answers are means over views (`tta`).
    `validation` stays that of the head before.
    """
    if trained.out_of_fold is not None:
        return _of_folds(trained, trained.out_of_fold)
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
        test=measure(probabilities, tested.classes, labels, division.groups_of(trained.test_rows)),
        test_probabilities=probabilities,
        confidence=Confidence(calibration, familiar, trained.test.ece, refused),
    )


def calibration_of(fit: Fit, said: Matrix, classes: Classes) -> Calibration:
    """The temperature for the head of a fit, by what is said (n, classes) of photos that were not seen."""
    return calibrate(said, classes, SPREAD if _chosen_when_calibrated(fit) else WIDE_SPREAD)


def _of_folds(trained: TrainedHead, out_of_fold: OutOfFold) -> TrainedHead:
    """Confidence from what heads said of photos that they had not seen; the test figures are calibrated already."""
    photos = Sample(trained.bottlenecks.matrix, trained.bottlenecks.classes)
    calibration = out_of_fold.calibration()
    familiar = fit_novelty_detector(photos, len(trained.labels))
    refused = refused_by_others(familiar.left_out, out_of_fold.folds[0])
    raw = out_of_fold.uncalibrated()[:, trained.test_rows]
    before = measure(raw, photos.classes[trained.test_rows], trained.labels).ece
    fit = replace(trained.fit, head=calibration.of_head(trained.fit.head))
    return replace(trained, fit=fit, confidence=Confidence(calibration, familiar, before, refused))


def _calibrate(trained: TrainedHead, photos: Sample, tta: bool) -> Calibration:
    """The temperature by the validation photos as they are: an export sees no other view of them."""
    validating = photos.take(trained.validation_rows)
    said = trained.validation_probabilities
    if tta and trained.validated_head is not None:
        said = predict(trained.validated_head, validating)
    return calibration_of(trained.fit, said, validating.classes)


def _chosen_when_calibrated(fit: Fit) -> bool:
    """Whether a head is the default one, whose temperature is near 1; others may be far too sure, or not nearly."""
    special = {"label_smoothing", "class_weight"} & set(fit.description)
    return fit.description["optimizer"] == "lbfgs" and not special and len(fit.curve) > 1
