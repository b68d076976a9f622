"""Heads that take turns: nobody is asked about what it has seen, and nothing is judged by what it has chosen."""

import numpy as np
import pytest

from retrain.training.calibration import WIDE_SPREAD, calibrate
from retrain.training.cross_validation import MOST_STRENGTHS, OutOfFold, cross_validate_path
from retrain.training.fitting import convergence
from retrain.training.fitting.convergence import L2_PATH, fit_to_convergence
from retrain.training.fitting.sample import Sample
from retrain.training.head import Head, Progress, predict
from retrain.training.recipe import HeadConfig, choose_recipe

CLASSES, DIM = 3, 10
NO_HEAD = Head(np.zeros((0, 2), np.float32), np.zeros(2, np.float32))


def sample_of(n: int = 240, distance: float = 1.0, views: int = 1, seed: int = 0) -> Sample:
    lot = np.random.default_rng(seed)
    classes = lot.integers(0, CLASSES, n)
    centres = lot.normal(0, distance, (CLASSES, DIM))
    matrix = np.concatenate([centres[classes] + lot.normal(0, 1, (n, DIM)) for _ in range(views)])
    return Sample(matrix.astype(np.float32), np.tile(classes, views))


def folds_of(n: int, deals: int = 1) -> np.ndarray:
    return np.stack([np.random.default_rng(deal).permutation(n) % 5 for deal in range(deals)])


def cross_validated(sample: Sample, folds: np.ndarray, tta: bool = False, **options: object) -> OutOfFold:
    return cross_validate_path(sample, folds, CLASSES, choose_recipe(HeadConfig(**options)), tta)  # type: ignore[arg-type]


def test_photos_that_no_head_can_know_choose_nothing() -> None:
    """Classes of one photo: whatever is answered is wrong, and the least so by a high temperature."""
    plain, alone = sample_of(120, distance=2.0), 40
    strange = np.random.default_rng(3).normal(0, 3, (alone, DIM)).astype(np.float32)
    sample = Sample(np.vstack([plain.matrix, strange]), np.r_[plain.classes, CLASSES + np.arange(alone)])
    folds = np.hstack([folds_of(120, 2), np.tile(np.arange(alone) % 5, (2, 1))])
    found = cross_validate_path(sample, folds, CLASSES + alone, choose_recipe())
    assert found.judges.tolist() == [True] * 120 + [False] * alone and not found.losses[:, :, 120:].any()
    said = found.probabilities[:, found.best]
    known, everything = (
        calibrate(said[:, :count].reshape(-1, CLASSES + alone), np.tile(sample.classes[:count], 2), WIDE_SPREAD)
        for count in (120, 160)
    )
    assert found.calibration().temperature == known.temperature < 0.7 * everything.temperature
    own, others = folds[0] == 0, (folds[0] != 0) & found.judges
    best = found.judged[0, int(found.losses[0][:, others].sum(axis=1).argmin())]
    expected = calibrate(best[others], sample.classes[others], WIDE_SPREAD).of_probabilities(best[own])
    np.testing.assert_array_equal(found.quoted()[0, own], expected)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"class_weight": "balanced"}])
def test_answers_are_those_of_heads_that_are_fitted_alone(options: dict[str, object]) -> None:
    sample = sample_of()
    folds = folds_of(240)
    found = cross_validated(sample, folds, l2=0.05, **options)
    nobody = sample.take(np.zeros(0, np.intp))
    for fold in range(5):
        others, own = sample.take(folds[0] != fold), sample.take(folds[0] == fold)
        smoothing, balanced = float(options.get("label_smoothing", 0)), "class_weight" in options  # type: ignore[arg-type]
        fit = fit_to_convergence(others, nobody, CLASSES, (0.05,), label_smoothing=smoothing, balanced=balanced)
        np.testing.assert_allclose(found.probabilities[0, 0][folds[0] == fold], predict(fit.head, own), atol=0.02)


def test_what_judges_a_fold_is_chosen_by_the_others() -> None:
    """By the losses of fold 0 the second strength is the best, by those of the others the first."""
    classes, folds = np.tile([0, 1], 50), np.repeat(np.arange(5), 20)[None]
    said = np.random.default_rng(0).dirichlet(np.ones(2), (1, 2, 100)).astype(np.float32)
    own = folds[0] == 0
    losses = np.array([[np.where(own, 9.0, 1.0), np.where(own, 1.0, 2.0)]])
    found = OutOfFold(classes, folds, (0.1, 0.01), said, said, losses, (), NO_HEAD)
    first = said[0, 0]
    expected = calibrate(first[~own], classes[~own], 1.0).of_probabilities(first[own])
    np.testing.assert_array_equal(found.quoted()[0, own], expected)
    assert found.best == 1
    np.testing.assert_allclose(found.quoted()[0].sum(axis=1), 1, atol=1e-6)


def test_path_goes_on_while_the_weakest_strength_is_better_by_more_than_nothing() -> None:
    """Classes that are told apart by directions of which little is seen: a penalty hides them."""
    lot, classes = np.random.default_rng(0), np.arange(400) % CLASSES
    matrix = lot.normal(0, 1, (400, DIM)) * np.float32([1000] + [1] * (DIM - 1))
    matrix[:, 1] += 8.0 * classes
    found = cross_validated(Sample(matrix.astype(np.float32), classes), folds_of(400))
    assert found.path[: len(L2_PATH)] == L2_PATH and len(found.path) > len(L2_PATH)
    means = found.losses.mean(axis=(0, 2))
    assert means[len(L2_PATH) - 1] < means[: len(L2_PATH) - 1].min() - 0.001
    assert len(found.path) == MOST_STRENGTHS or means[-1] >= means[:-1].min() - 0.001


def test_path_ends_where_it_only_gets_worse() -> None:
    points: list[Progress] = []
    sample = sample_of(60, distance=0.2)
    found = cross_validate_path(sample, folds_of(60), CLASSES, choose_recipe(), observe=points.append)
    assert tuple(points) == found.curve and len(points) == len(found.path)
    losses = [point.validation_cross_entropy for point in found.curve]
    assert all(loss is not None and loss <= 1.1 * min(losses[: place + 1]) for place, loss in enumerate(losses[:-1]))  # type: ignore[type-var,operator]
    assert 1 < len(losses) < len(L2_PATH) and losses[-1] > 1.1 * min(losses)  # type: ignore[type-var,operator]


def test_every_deal_goes_along_the_path_of_the_first() -> None:
    found = cross_validated(sample_of(), folds_of(240, 3))
    assert found.probabilities.shape == (3, len(found.path), 240, CLASSES)
    assert found.losses.shape == (3, len(found.path), 240)
    assert found.best == int(found.losses.mean(axis=(0, 2)).argmin())
    np.testing.assert_allclose(found.quoted().sum(axis=2), 1, atol=1e-5)


def test_temperature_is_that_of_all_answers() -> None:
    found = cross_validated(sample_of(), folds_of(240, 2), l2=1.0)  # far too modest
    both = found.probabilities[:, 0].reshape(-1, CLASSES)
    assert found.calibration().temperature == pytest.approx(calibrate(both, np.tile(found.classes, 2), 1.0).temperature)
    assert found.calibration().temperature < 0.9
    assert found.calibration().photos == 240


def test_all_views_are_trained_on_and_judged_only_where_that_is_asked() -> None:
    sample, folds = sample_of(views=3), folds_of(240)
    alone, together = (cross_validated(sample, folds, tta=tta, l2=0.1) for tta in (False, True))
    np.testing.assert_array_equal(alone.judged, alone.probabilities)
    np.testing.assert_array_equal(alone.probabilities, together.probabilities)
    assert not np.allclose(together.judged, together.probabilities, atol=0.01)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"class_weight": "balanced"}, {"l2": 0.03}])
def test_the_head_that_is_fitted_to_all_photos_begins_near_its_optimum(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    real = convergence.loss_and_gradient
    monkeypatch.setattr(convergence, "loss_and_gradient", lambda *given: passes.append(1) or real(*given))
    sample = sample_of()
    found = cross_validated(sample, folds_of(240, deals=2), **options)
    nobody, l2 = sample.take(np.zeros(0, np.intp)), found.path[found.best]
    smoothing, balanced = float(options.get("label_smoothing", 0)), "class_weight" in options  # type: ignore[arg-type]
    heads, counts = [], []
    for start in (None, found.mean_head):
        passes.clear()
        fit = fit_to_convergence(
            sample, nobody, CLASSES, (l2,), label_smoothing=smoothing, balanced=balanced, start=start
        )
        heads.append(fit.head)
        counts.append(len(passes))
    assert 0 < counts[1] < counts[0]
    np.testing.assert_allclose(predict(heads[1], sample), predict(heads[0], sample), atol=0.02)
