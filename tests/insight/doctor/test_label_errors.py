"""Wrong labels that were planted are found."""

import numpy as np
import pytest

from retrain.insight.doctor.label_errors import count_errors, label_findings, nearest_of_class, suspect_labels
from retrain.insight.doctor.out_of_fold import out_of_fold
from retrain.photos.dataset import Photo
from retrain.photos.folds import deal_folds

CLASSES, EACH, DIM = 4, 60, 20


def make_photos(classes: np.ndarray) -> list[Photo]:
    return [Photo(f"{n}.jpg", "abcd"[label], f"{n:064x}") for n, label in enumerate(classes)]


def make_bottlenecks(spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(CLASSES), EACH)
    matrix = random.normal(0, 1, (CLASSES, DIM))[classes] + random.normal(0, spread, (len(classes), DIM))
    return matrix.astype(np.float32), classes


def test_the_count_by_hand() -> None:
    """Thresholds are 0.7 and 0.6: row 1 counts as b, row 3 as nothing, row 4 as both and by its larger one as a."""
    probabilities = np.array([[1.0, 0.0], [0.1, 0.9], [1.0, 0.0], [0.5, 0.5], [0.8, 0.7], [0.4, 0.6]], np.float32)
    classes = np.array([0, 0, 0, 1, 1, 1])
    assert count_errors(probabilities, classes) == 2
    suspicion = suspect_labels(probabilities, classes)
    assert suspicion.rows.tolist() == [1, 4]
    assert suspicion.better[1] == 1
    assert suspicion.ratios[1] == pytest.approx(np.log(9))


def test_planted_errors_are_found() -> None:
    matrix, classes = make_bottlenecks()
    wrong = np.arange(0, len(classes), 20)
    given = classes.copy()
    given[wrong] = (classes[wrong] + 1) % CLASSES
    photos = make_photos(given)
    groups = [photo.sha256 for photo in photos]
    probabilities = out_of_fold(matrix, given, np.array(deal_folds(photos, groups, 0)), CLASSES)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    findings, remarks = label_findings(photos, list("abcd"), matrix, probabilities, given, groups)
    named = {finding.row for finding in findings}
    assert named <= set(wrong.tolist()) and len(named) >= len(wrong) / 2
    ranked = np.argsort(-suspect_labels(probabilities, given).ratios)[: len(wrong)]
    assert sorted(ranked.tolist()) == wrong.tolist()
    assert all(finding.suggestion == f"relabel:{'abcd'[classes[finding.row]]}" for finding in findings)
    assert [finding.score for finding in findings] == sorted((finding.score for finding in findings), reverse=True)
    assert remarks == []


def test_the_nearest_photo_of_the_suggested_class_stands_beside() -> None:
    matrix, classes = make_bottlenecks()
    given = classes.copy()
    given[[0, 1]] = 1
    photos = make_photos(given)
    groups = [photo.sha256 for photo in photos]
    probabilities = np.full((len(given), CLASSES), 0.1, np.float32)
    probabilities[np.arange(len(given)), classes] = 0.7
    findings, _ = label_findings(photos, list("abcd"), matrix, probabilities, given, groups)
    assert {finding.row for finding in findings} == {0, 1}
    directions = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    members = np.flatnonzero(given == 0)
    for finding in findings:
        assert finding.related == (members[(directions[members] @ directions[finding.row]).argmax()],)


def test_what_is_suspected_itself_stands_for_no_class() -> None:
    matrix = np.array([[1, 0], [1, 0.1], [1, 0.5], [0, 0]], np.float32)
    classes, rows = np.array([0, 1, 1, 1]), np.array([0, 1])
    assert nearest_of_class(matrix, classes, rows, np.array([1, 0])) == {0: 2, 1: 0}
    assert nearest_of_class(matrix, classes, rows, np.array([2, 2])) == {}


def test_the_nearest_of_numbers_whose_squares_float16_cannot_hold() -> None:
    matrix = np.array([[300, 1], [1, 300], [0, 400], [400, 0]], np.float16)
    assert nearest_of_class(matrix, np.array([0, 0, 1, 1]), np.array([0]), np.array([1])) == {0: 3}


def test_nothing_is_suspected_of_what_is_clear() -> None:
    matrix, classes = make_bottlenecks(spread=0.1)
    photos = make_photos(classes)
    groups = [photo.sha256 for photo in photos]
    probabilities = out_of_fold(matrix, classes, np.array(deal_folds(photos, groups, 0)), CLASSES)
    assert label_findings(photos, list("abcd"), matrix, probabilities, classes, groups) == ([], [])


def test_classes_of_few_photos_are_not_judged() -> None:
    matrix, classes = make_bottlenecks()
    kept = np.r_[0:4, EACH : len(classes)]
    photos = make_photos(classes[kept])
    groups = [photo.sha256 for photo in photos]
    probabilities = out_of_fold(matrix[kept], classes[kept], np.array(deal_folds(photos, groups, 0)), CLASSES)
    findings, (remark,) = label_findings(photos, list("abcd"), matrix[kept], probabilities, classes[kept], groups)
    assert all(finding.label != "a" for finding in findings)
    assert str(remark).endswith("are not judged: a.")


def test_a_photo_never_speaks_for_itself() -> None:
    """Its own label does not change what the heads of its fold's photos say of it."""
    matrix, classes = make_bottlenecks(spread=1.5)
    folds = np.array(deal_folds(make_photos(classes), [f"{n}" for n in range(len(classes))], 0))
    before = out_of_fold(matrix, classes, folds, CLASSES)
    given = classes.copy()
    given[folds == 0] = 0
    after = out_of_fold(matrix, given, folds, CLASSES)
    np.testing.assert_array_equal(after[folds == 0], before[folds == 0])
    assert np.abs(after[folds == 1] - before[folds == 1]).max() > 0.01
