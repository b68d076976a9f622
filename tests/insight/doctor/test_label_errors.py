"""Wrong labels and outliers that were planted are found."""

import numpy as np
import pytest

from retrain.insight.doctor.label_errors import count_errors, label_findings, nearest_of_class, suspect_labels
from retrain.insight.doctor.out_of_fold import out_of_fold
from retrain.insight.doctor.outliers import class_distances, outlier_findings
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


def test_planted_outliers_are_found() -> None:
    matrix, classes = make_bottlenecks()
    strangers = np.arange(0, len(classes), 40)
    matrix[strangers] += np.random.default_rng(1).normal(0, 3, (len(strangers), DIM)).astype(np.float32)
    photos = make_photos(classes)
    folds = np.array(deal_folds(photos, [photo.sha256 for photo in photos], 0))
    distances = class_distances(matrix, classes, folds)
    findings = outlier_findings(photos, distances)
    assert {finding.row for finding in findings} >= set(strangers.tolist())
    assert len(findings) <= len(strangers) + 2
    # An outlier must not make itself usual: distances come from other folds.
    alone = class_distances(matrix, classes, np.zeros(len(classes), np.intp))
    assert distances[strangers].mean() > alone[strangers].mean()
    assert np.isfinite(distances).all()


def test_more_features_than_photos_and_features_that_never_vary() -> None:
    matrix, classes = make_bottlenecks()
    wide = np.hstack([np.repeat(matrix, 15, axis=1), np.ones((len(matrix), 5), np.float32)])
    assert np.isfinite(class_distances(wide, classes, np.arange(len(classes)) % 5)).all()


def test_small_spreads_far_from_zero() -> None:
    matrix, classes = make_bottlenecks()
    strangers = np.arange(0, len(classes), 40)
    matrix[strangers] += np.random.default_rng(1).normal(0, 3, (len(strangers), DIM)).astype(np.float32)
    folds = np.arange(len(classes)) % 5
    shifted = (1000 + 0.01 * matrix).astype(np.float32)
    np.testing.assert_allclose(
        class_distances(shifted, classes, folds), class_distances(matrix, classes, folds), rtol=0.02
    )


@pytest.mark.parametrize("offset", [0, 1000])
@pytest.mark.parametrize("others", [0, 4])
@pytest.mark.parametrize("same", [True, False])
def test_a_set_of_copies_has_no_outliers(offset: int, others: int, same: bool) -> None:
    """Two classes of 30 copies of one photo (the same one, or one each), but for a few others."""
    random = np.random.default_rng(0)
    classes = np.repeat([0, 1], 30)
    shown = random.normal(0, 1, (2, DIM))[0 if same else classes]
    matrix = (offset + 0.01 * np.broadcast_to(shown, (60, DIM))).astype(np.float32)
    matrix[:others] += random.normal(0, 0.01, (others, DIM)).astype(np.float32)
    folds = np.zeros(60, np.intp) if same else classes.copy()
    folds[:others] = np.arange(others) % 5
    photos = make_photos(classes)
    for dealt in (folds, np.arange(60) % 5):
        distances = class_distances(matrix, classes, dealt)
        assert np.isnan(distances).all()
        assert outlier_findings(photos, distances) == []


def test_usual_photos_of_one_fold_say_nothing_of_that_fold() -> None:
    matrix, classes = make_bottlenecks()
    folds = np.zeros(len(classes), np.intp)
    matrix[:5] += 50
    folds[:5] = 1
    assert np.isnan(class_distances(matrix, classes, folds)).all()


def test_photos_of_which_three_quarters_are_as_far_off_are_not_judged() -> None:
    assert outlier_findings(make_photos(np.zeros(8, np.intp)), np.array([1.0] * 7 + [2.0])) == []
