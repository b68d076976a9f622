"""How sure a trained head is of its answers, and what it does not know at all."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from retrain.photos.seen_photos import seen_mask
from retrain.training.calibration import SPREAD, WIDE_SPREAD, Calibration, calibrate
from retrain.training.cross_validation import OutOfFold
from retrain.training.fitting.sample import Classes, Matrix, Sample
from retrain.training.head import Fit, predict
from retrain.training.metrics import measure
from retrain.training.train_head import INFLATION
from retrain.training.trained import Confidence, TrainedHead
from retrain.training.unknown import fit_novelty_detector, refused_by_others

Mask = npt.NDArray[np.bool_]


def with_confidence(trained: TrainedHead, tta: bool = False) -> TrainedHead:
    """Calibrate a trained head on its validation photos, and learn what is familiar from all it has seen.

    The test photos are measured again as calibrated heads see them: those of one split as the exported head, those of
    folds that took turns by temperatures which the other folds choose. Not so where the answers of one split are means
    over views (`tta`), for that head sees but one. `validation` stays that of the head before.
    """
    if trained.out_of_fold is not None:
        return _of_folds(trained, trained.out_of_fold)
    division = trained.division
    photos = Sample(trained.bottlenecks.matrix, trained.bottlenecks.classes)
    calibration = _calibrate(trained, photos, tta)
    familiar = fit_novelty_detector(photos.take(seen_mask(division)), len(trained.labels))
    calibrated = replace(trained, fit=replace(trained.fit, head=calibration.of_head(trained.fit.head)))
    if division.folds is not None:
        said = _divided(trained.test_probabilities, _by_other_folds(trained))
        confidence = Confidence(calibration, familiar, trained.test.ece, None)
        return _measured(calibrated, said, confidence, INFLATION)
    tested = photos.take(trained.test_rows)
    refused = sum(int((familiar.similarity(block) < familiar.threshold).sum()) for _, block in tested.blocks())
    if tta:
        return replace(calibrated, confidence=Confidence(calibration, familiar, None, refused))
    said = calibration.of_probabilities(trained.test_probabilities)
    return _measured(calibrated, said, Confidence(calibration, familiar, trained.test.ece, refused))


def before_calibration(trained: TrainedHead) -> Matrix:
    """What was said of the test photos before it was calibrated, (n, classes); by deals of folds (deals, n, classes).

    Not for one split whose answers are means over views: these are not calibrated.
    """
    if trained.out_of_fold is not None:
        return trained.out_of_fold.uncalibrated()[:, trained.test_rows]
    if trained.confidence is None:
        return trained.test_probabilities
    everything = np.ones(len(trained.test_rows), np.bool_)
    folds = trained.division.folds is not None
    by = _by_other_folds(trained) if folds else [(everything, trained.confidence.calibration)]
    # Dividing the logits by 1 / T undoes the division by T.
    undone = [(mask, Calibration(1 / calibration.temperature, calibration.photos)) for mask, calibration in by]
    return _divided(trained.test_probabilities, undone)


def calibration_of(fit: Fit, said: Matrix, classes: Classes) -> Calibration:
    """The temperature for the head of a fit, by what is said (n, classes) of photos that were not seen."""
    return calibrate(said, classes, SPREAD if _chosen_when_calibrated(fit) else WIDE_SPREAD)


def _measured(trained: TrainedHead, said: Matrix, confidence: Confidence, inflation: float = 1.0) -> TrainedHead:
    """With these answers to the test photos, (n, classes)."""
    rows = trained.test_rows
    classes, groups = trained.bottlenecks.classes[rows], trained.division.groups_of(rows)
    test = measure(said, classes, trained.labels, groups, inflation)
    return replace(trained, test=test, test_probabilities=said, confidence=confidence)


def _by_other_folds(trained: TrainedHead) -> list[tuple[Mask, Calibration]]:
    """For the test photos of each fold, a mask (n,), the temperature that the answers to all others choose."""
    classes = trained.bottlenecks.classes[trained.test_rows]
    folds = np.array(trained.division.folds, np.intp)[trained.test_rows]
    owns = [folds == fold for fold in np.unique(folds)]
    # The photos of folds are validated, too: their rows are the same.
    said = trained.validation_probabilities
    return [(own, calibration_of(trained.fit, said[~own], classes[~own])) for own in owns]


def _divided(said: Matrix, by: list[tuple[Mask, Calibration]]) -> Matrix:
    """Answers (n, classes) of which those of each mask (n,) are calibrated by its temperature."""
    divided = said.copy()
    for mask, calibration in by:
        divided[mask] = calibration.of_probabilities(said[mask])
    return divided


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
