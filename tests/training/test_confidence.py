from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from stand_ins import bottlenecks_of, with_bottlenecks

from retrain.bottlenecks.extraction import Extraction
from retrain.photos.dataset import Photo
from retrain.photos.split import Division
from retrain.training.calibration import WIDE_SPREAD, calibrate
from retrain.training.confidence import before_calibration, with_confidence
from retrain.training.recipe import HeadConfig
from retrain.training.train_head import train_head
from retrain.training.trained import TrainedHead

LABELS = ("a", "b", "c")
SIDES = ("training", "training", "training", "validation", "testing")


def noisy(n: int = 300, views: int = 1) -> tuple[Extraction, np.ndarray]:
    """Photos around three directions, some of them of another class than they look, and all their views."""
    random = np.random.default_rng(2)
    classes = np.arange(n) % 3
    looks = np.where(random.random(n) < 0.15, (classes + 1) % 3, classes)
    matrix = np.maximum(0, 3 * np.eye(3, 8)[looks] + random.normal(size=(n, 8))).astype(np.float32)
    photos = tuple(Photo(f"{row}.jpg", LABELS[index], f"{row:064x}") for row, index in enumerate(classes))
    others = [matrix + random.normal(scale=2, size=matrix.shape).astype(np.float32) for _ in range(views - 1)]
    return Extraction(photos, matrix, (), n, 0, 0, "f", {}), np.concatenate([matrix, *others])


def division(n: int = 300, folds: bool = False) -> Division:
    dealt = tuple((row // 3) % 5 for row in range(n)) if folds else None
    return Division(tuple(SIDES[(row // 3) % 5] for row in range(n)), dealt)


def trained(tta: bool = False, folds: bool = False) -> tuple[TrainedHead, TrainedHead, Extraction]:
    """A head before and after."""
    extraction, views = noisy(views=3 if tta else 1)
    before = train_head(bottlenecks_of(extraction, LABELS, views), division(folds=folds), tta=tta)
    return before, with_confidence(before, tta), extraction


def test_the_head_is_divided_and_the_test_photos_are_measured_with_it() -> None:
    before, after, extraction = trained()
    assert after.confidence is not None
    temperature = after.confidence.calibration.temperature
    assert after.fit.head.kernel == pytest.approx(before.fit.head.kernel / np.float32(temperature))
    said = after.fit.head.probabilities(extraction.matrix[after.test_rows])
    assert after.test_probabilities == pytest.approx(said, abs=1e-5)
    assert after.test.accuracy == before.test.accuracy
    assert after.confidence.ece_before == before.test.ece
    assert after.validation == before.validation


def test_familiar_is_what_was_seen_and_not_the_test_photos() -> None:
    _, after, extraction = trained()
    assert after.confidence is not None
    familiar = after.confidence.familiar
    assert familiar.photos == 240
    strange = replace(extraction, matrix=extraction.matrix.copy())
    strange.matrix[after.test_rows] = 77.0
    again = with_confidence(with_bottlenecks(trained()[0], strange)).confidence
    assert again is not None
    np.testing.assert_array_equal(again.familiar.means, familiar.means)
    similarities = familiar.similarity(extraction.matrix[after.test_rows])
    assert after.confidence.refused == (similarities < familiar.threshold).sum()


def test_with_views_of_test_photos_the_temperature_is_that_of_the_photos_as_they_are() -> None:
    """Means over views are less sure than a single view: their temperature would be another one."""
    before, after, extraction = trained(tta=True)
    assert after.confidence is not None and before.validated_head is not None
    single = before.validated_head.probabilities(extraction.matrix[before.validation_rows])
    assert np.abs(single - before.validation_probabilities).max() > 0.01
    plain = with_confidence(replace(before, validation_probabilities=single))
    assert plain.confidence is not None
    assert after.confidence.calibration.temperature == pytest.approx(plain.confidence.calibration.temperature)
    assert after.test == before.test  # it is about means over views


def test_where_folds_took_turns_the_figures_are_those_of_calibrated_answers() -> None:
    before, after, _ = trained(folds=True)
    assert before.out_of_fold is not None and after.confidence is not None
    assert after.test == before.test
    assert after.confidence.calibration == before.out_of_fold.calibration()
    assert after.confidence.familiar.photos == after.confidence.calibration.photos == 300
    assert after.confidence.ece_before is not None and after.confidence.ece_before != after.test.ece
    # About as many are refused as the threshold says, by thresholds of the other folds.
    assert after.confidence.refused is not None and 1 <= after.confidence.refused <= 15


def test_where_folds_took_turns_for_mini_batches_nothing_is_said_of_photos_that_were_seen() -> None:
    extraction, views = noisy(views=1)
    before = train_head(bottlenecks_of(extraction, LABELS, views), division(folds=True), HeadConfig(epochs=2))
    after = with_confidence(before)
    assert after.confidence is not None
    assert after.confidence.refused is None
    assert after.confidence.familiar.photos == 300


@pytest.mark.parametrize("tta", [False, True])
def test_where_folds_took_turns_for_mini_batches_each_is_calibrated_by_the_others(tta: bool) -> None:
    """So the quoted figures are those of a calibrated head, as the exported one is."""
    extraction, views = noisy(views=3 if tta else 1)
    dealt = division(folds=True)
    before = train_head(bottlenecks_of(extraction, LABELS, views), dealt, HeadConfig(epochs=20), tta=tta)
    after = with_confidence(before, tta)
    said, classes = before.validation_probabilities, before.bottlenecks.classes
    for fold in range(5):
        own = np.array(dealt.folds) == fold
        expected = calibrate(said[~own], classes[~own], WIDE_SPREAD).of_probabilities(before.test_probabilities[own])
        np.testing.assert_allclose(after.test_probabilities[own], expected, atol=1e-6)
    assert after.confidence is not None and after.confidence.ece_before == before.test.ece
    assert after.test.ece is not None and before.test.ece is not None and after.test.ece < before.test.ece
    assert (after.test.accuracy, after.test.interval) == (before.test.accuracy, before.test.interval)
    np.testing.assert_allclose(before_calibration(after), before.test_probabilities, atol=1e-5)


@pytest.mark.parametrize("folds", [False, True])
def test_what_was_said_before_calibration_is_known(folds: bool) -> None:
    before, after, _ = trained(folds=folds)
    said = before_calibration(after)
    if before.out_of_fold is None:
        np.testing.assert_allclose(said, before.test_probabilities, atol=1e-5)
    else:
        np.testing.assert_array_equal(said, before.out_of_fold.uncalibrated())


@pytest.mark.parametrize("options", [{"label_smoothing": 0.3}, {"l2": 1.0}, {"class_weight": "balanced", "l2": 1.0}])
def test_a_head_that_is_far_too_modest_is_calibrated_by_few_photos_too(options: dict[str, Any]) -> None:
    """Its temperature is not held near 1, as that of the default head is."""
    extraction, views = noisy(views=1)
    before = train_head(bottlenecks_of(extraction, LABELS, views), division(folds=False), HeadConfig(**options))
    after = with_confidence(before)
    assert after.confidence is not None
    said, classes = before.validation_probabilities, after.bottlenecks.classes[before.validation_rows]
    free = calibrate(said, classes, 100.0).temperature
    assert after.confidence.calibration.temperature == pytest.approx(free, rel=0.1)
