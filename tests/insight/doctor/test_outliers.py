"""Outliers that were planted are found, and nothing is said where distances tell nothing."""

import numpy as np
import pytest

from retrain.insight.doctor import outliers
from retrain.insight.doctor.outliers import can_judge, neighbour_distances, outlier_findings
from retrain.photos.dataset import Photo

CLASSES, EACH, DIM = 4, 60, 100


def make_photos(classes: np.ndarray) -> list[Photo]:
    return [Photo(f"{n}.jpg", "abcd"[label], f"{n:064x}") for n, label in enumerate(classes)]


def make_bottlenecks() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bottlenecks of four classes, in five folds."""
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(CLASSES), EACH)
    matrix = random.normal(0, 1, (CLASSES, DIM))[classes] + random.normal(0, 0.5, (len(classes), DIM))
    return matrix.astype(np.float32), classes, np.arange(len(classes)) % 5


def one_by_one(matrix: np.ndarray, classes: np.ndarray, folds: np.ndarray) -> list[float]:
    units = matrix.astype(np.float64) / np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    expected = []
    for row, unit in enumerate(units):
        others = folds != folds[row]
        k = min(outliers.NEIGHBOURS, max(1, (others & (classes == classes[row])).sum() // 2))
        expected.append(1 - np.sort(units[others] @ unit)[-k])
    return expected


def test_the_distance_is_that_of_the_kth_neighbour_in_other_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, classes, folds = make_bottlenecks()
    kept = np.r_[0:3, 60:240]  # few of the first class
    matrix, classes, folds = matrix[kept], classes[kept], folds[kept]
    monkeypatch.setattr(outliers, "NEIGHBOURS", 20)
    monkeypatch.setattr(outliers, "BLOCK", 7)
    expected = one_by_one(matrix, classes, folds)
    np.testing.assert_allclose(neighbour_distances(matrix, classes, folds), expected, rtol=1e-3, atol=1e-6)


def test_planted_outliers_are_found() -> None:
    matrix, classes, folds = make_bottlenecks()
    strangers = np.arange(0, len(classes), 40)
    matrix[strangers] = np.random.default_rng(1).normal(0, 1, (len(strangers), DIM))
    findings = outlier_findings(make_photos(classes), neighbour_distances(matrix, classes, folds))
    assert {finding.row for finding in findings} >= set(strangers.tolist())
    assert len(findings) <= len(strangers) + 2


def test_strangers_do_not_make_each_other_usual_nor_is_a_small_class_strange() -> None:
    """Ten that are all alike, in classes of sixty; and a class of ten photos."""
    matrix, classes, folds = make_bottlenecks()
    random = np.random.default_rng(1)
    few, strangers = np.arange(10), np.arange(60, 240, 18)
    matrix[strangers] = random.normal(0, 1, DIM) * 2 + random.normal(0, 0.3, (10, DIM))
    kept = np.r_[few, 60:240]
    distances = neighbour_distances(matrix[kept], classes[kept], folds[kept])
    named = {int(kept[finding.row]) for finding in outlier_findings(make_photos(classes[kept]), distances)}
    assert named >= set(strangers.tolist()) and not named & set(few.tolist())


def test_of_many_photos_some_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, classes, folds = make_bottlenecks()
    strangers = np.arange(0, len(classes), 40)
    matrix[strangers] = np.random.default_rng(1).normal(0, 1, (len(strangers), DIM))
    monkeypatch.setattr(outliers, "MOST_COMPARED", 60)
    some = neighbour_distances(matrix, classes, folds)
    findings = outlier_findings(make_photos(classes), some)
    assert {finding.row for finding in findings} >= set(strangers.tolist())
    assert np.array_equal(some, neighbour_distances(matrix, classes, folds))


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
    photos = make_photos(classes)
    folds = np.arange(60) % 5
    distances = neighbour_distances(matrix, classes, folds)
    assert not can_judge(distances) and outlier_findings(photos, distances) == []


def test_without_other_folds_nothing_is_known() -> None:
    matrix, classes, folds = make_bottlenecks()
    distances = neighbour_distances(matrix, classes, 0 * folds)
    assert np.isnan(distances).all() and not can_judge(distances)


def test_photos_of_which_three_quarters_are_as_far_off_are_not_judged() -> None:
    assert outlier_findings(make_photos(np.zeros(8, np.intp)), np.array([1.0] * 7 + [2.0])) == []
