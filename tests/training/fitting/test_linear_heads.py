"""Heads that are trained together are those that are trained alone."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from losses64 import general_loss64, standardised
from overlapping import CLASSES, DIM, FOLDS, PATH, make_folds, make_sample
from scipy.optimize import approx_fprime, minimize
from scipy.special import softmax

from retrain.training.fitting import linear_heads
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.linear_heads import LEAST_LIKELIHOOD, Answers, answers_along, cross_validate
from retrain.training.fitting.sample import Sample
from retrain.training.head import class_weights, predict

EXACTLY = 1e-7  # a tolerance at which training losses agree to 1e-5, and probabilities to 0.005


def alone(sample: Sample, folds: np.ndarray, fold: int, l2: float) -> tuple[float, float]:
    """Training loss with penalty, and held-out cross-entropy, of a head that is fitted alone."""
    training, held_out = sample.take(folds != fold), sample.take(folds == fold)
    fit = fit_to_convergence(training, sample.take(np.zeros(0, np.intp)), CLASSES, (l2,))
    bottlenecks = training.bottlenecks.astype(np.float64)
    scale = np.sqrt(bottlenecks.var(axis=0).mean())
    penalty = l2 / 2 * np.square(fit.head.kernel * scale).sum()
    losses = [-np.log(predict(fit.head, one)[np.arange(len(one)), one.classes]).mean() for one in (training, held_out)]
    return losses[0] + penalty, losses[1]


# Many heads together


@pytest.mark.parametrize("photos", [240, 20])
def test_heads_trained_together_are_those_trained_alone(photos: int) -> None:
    sample, folds = make_sample(photos), make_folds(photos)
    together = cross_validate(sample, folds, CLASSES, PATH)
    assert together.path == PATH
    for row, l2 in enumerate(PATH):
        for fold in range(FOLDS):
            training, held_out = alone(sample, folds, fold, l2)
            assert together.training_losses[row, fold] == pytest.approx(training, abs=1e-3)
            if photos > 100:  # of few photos, held-out losses are steep in what training hardly tells apart
                assert together.cross_entropies[row, folds == fold].mean() == pytest.approx(held_out, abs=0.01)


def test_a_head_never_sees_its_fold() -> None:
    """Other photos and other classes in a fold leave the head that is asked about it where it was."""
    sample, folds = make_sample(), make_folds()
    before = cross_validate(sample, folds, CLASSES, PATH, tolerance=1e-6)
    matrix, classes = sample.matrix.copy(), sample.classes.copy()
    matrix[folds == 0] = 2 * matrix[folds == 0][::-1] - 7
    classes[folds == 0] = 0
    after = cross_validate(Sample(matrix, classes), folds, CLASSES, PATH, tolerance=1e-6)
    np.testing.assert_allclose(after.training_losses[:, 0], before.training_losses[:, 0], atol=1e-4)
    assert np.abs(after.training_losses[:, 1:] - before.training_losses[:, 1:]).min() > 0.01


def test_more_heads_do_not_change_a_head() -> None:
    sample, folds = make_sample(), make_folds()
    few = cross_validate(sample, folds, CLASSES, PATH[:1] + PATH[2:], tolerance=1e-6)
    many = cross_validate(sample, folds, CLASSES, (1.0, 0.3, 0.1, 0.03, 0.01, 0.003), tolerance=1e-6)
    rows = [many.path.index(l2) for l2 in few.path]
    np.testing.assert_allclose(many.training_losses[rows], few.training_losses, atol=1e-4)
    np.testing.assert_allclose(many.cross_entropies[rows].mean(axis=1), few.cross_entropies.mean(axis=1), atol=1e-3)


def test_the_same_call_gives_the_same_bits() -> None:
    one, other = (cross_validate(make_sample(), make_folds(), CLASSES, PATH) for _ in range(2))
    np.testing.assert_array_equal(one.cross_entropies, other.cross_entropies)


def test_blocks_that_end_within_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cross_validate(make_sample(), make_folds(), CLASSES, PATH)
    monkeypatch.setattr("retrain.training.fitting.sample.BLOCK_BYTES", 4 * DIM * 7)
    small = cross_validate(make_sample(), make_folds(), CLASSES, PATH)
    np.testing.assert_allclose(small.training_losses, whole.training_losses, atol=1e-3)
    np.testing.assert_allclose(small.cross_entropies.mean(), whole.cross_entropies.mean(), atol=1e-2)


def test_strengths_are_sorted_and_each_is_fitted_once() -> None:
    found = cross_validate(make_sample(), make_folds(), CLASSES, (0.01, 1.0, 0.1, 1.0))
    assert found.path == PATH
    assert found.cross_entropies.shape == found.right.shape == (3, 240) and found.training_losses.shape == (3, FOLDS)
    assert (np.diff(found.training_losses, axis=0) < 0).all()  # the weaker the penalty, the less is left


def test_no_single_photo_costs_more_than_the_least_likelihood() -> None:
    """One photo far on the side of the other class: of a weak penalty its likelihood is next to nothing."""
    lot, classes = np.random.default_rng(0), np.arange(60) % 2
    matrix = (lot.normal(0, 1, (60, 3)) + 40 * classes[:, None]).astype(np.float32)
    matrix[7] = -400
    sample, folds = Sample(matrix, classes), np.arange(60) // 2 % 3
    (answers,) = answers_along(sample, folds, 2, (1e-6,))
    found = cross_validate(sample, folds, 2, (1e-6,))
    assert answers.log_probabilities[7, 1] < 2 * np.log(LEAST_LIKELIHOOD)
    assert found.cross_entropies[0, 7] == found.cross_entropies.max() == pytest.approx(-np.log(LEAST_LIKELIHOOD))
    assert not found.right[0, 7] and found.right.sum() == 59


# The whole answers


def optimum(
    sample: Sample, folds: np.ndarray, fold: int, l2: float, smoothing: float = 0.0, balanced: bool = False
) -> tuple[float, np.ndarray, np.ndarray]:
    """In float64, of a head that has seen all but a fold: its least loss, and what it says of all photos, and counts.

    These are the probabilities (n, classes) and the weights (n,) of the photos, 1 on average over those it has seen.
    """
    seen, x = folds != fold, sample.bottlenecks.astype(np.float64)
    scale = np.sqrt(x[seen].var(axis=0).mean())
    x = (x - x[seen].mean(axis=0)) / scale
    weights = class_weights(sample.classes[seen], CLASSES) if balanced else np.ones(CLASSES)
    arguments = (x[seen], sample.classes[seen], CLASSES, l2, smoothing, weights)
    found = minimize(general_loss64, np.zeros((DIM + 1) * CLASSES), arguments, "BFGS", jac=True, options={"gtol": 1e-7})
    matrix = found.x.reshape(DIM + 1, CLASSES)
    return found.fun, softmax(x @ matrix[:-1] + matrix[-1], axis=1), weights[sample.classes]


def uneven_sample() -> tuple[Sample, np.ndarray]:
    """Of two classes a third of the photos is there, so that balance matters."""
    everything, folds = make_sample(), make_folds()
    kept = (everything.classes < 2) | (np.arange(240) % 3 == 0)
    return everything.take(kept), folds[kept]


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_answers_are_those_of_the_optimum_of_each_head(smoothing: float, balanced: bool) -> None:
    sample, folds = uneven_sample()
    asked = {"label_smoothing": smoothing, "balanced": balanced}
    for l2, answers in zip(PATH, answers_along(sample, folds, CLASSES, PATH, tolerance=EXACTLY, **asked), strict=True):
        assert answers.l2 == l2
        right, losses = [], []
        for fold in range(FOLDS):
            least, said, weights = optimum(sample, folds, fold, l2, smoothing, balanced)
            own, seen = folds == fold, folds != fold
            assert answers.training_losses[fold] == pytest.approx(least, abs=1e-5)
            np.testing.assert_allclose(np.exp(answers.log_probabilities[own]), said[own], atol=5e-3)
            right += list(said[seen].argmax(axis=1) == sample.classes[seen])
            losses += list(-weights[seen] * np.log(said[seen, sample.classes[seen]]))
        assert answers.training_accuracy == pytest.approx(np.mean(right), abs=2 / len(right))  # but for ties
        assert answers.training_cross_entropy == pytest.approx(np.mean(losses), abs=1e-3)


def test_smoothing_and_balance_make_a_difference() -> None:
    """Else the test above would say nothing of them."""
    sample, folds = uneven_sample()
    plain, smoothed, balanced = (
        next(answers_along(sample, folds, CLASSES, (0.01,), tolerance=EXACTLY, **asked)).log_probabilities
        for asked in ({}, {"label_smoothing": 0.2}, {"balanced": True})
    )
    rare = sample.classes >= 2
    assert np.exp(smoothed).max(axis=1).mean() < np.exp(plain).max(axis=1).mean() - 0.05
    assert np.exp(balanced)[:, 2:].sum(axis=1).mean() > np.exp(plain)[:, 2:].sum(axis=1).mean() + 0.05
    assert 0 < rare.mean() < 0.4


def along(
    sample: Sample, folds: np.ndarray, path: tuple[float, ...] = PATH, classes: int = CLASSES, **asked: bool
) -> dict[float, Answers]:
    """The answers by strength, as exact as they can be."""
    return {said.l2: said for said in answers_along(sample, folds, classes, path, tolerance=EXACTLY, **asked)}


def assert_alike(one: Answers, other: Answers) -> None:
    np.testing.assert_allclose(one.training_losses, other.training_losses, atol=1e-5)
    np.testing.assert_allclose(np.exp(one.log_probabilities), np.exp(other.log_probabilities), atol=5e-3)
    assert one.training_accuracy == pytest.approx(other.training_accuracy, abs=5e-3)
    assert one.training_cross_entropy == pytest.approx(other.training_cross_entropy, abs=1e-3)


@pytest.mark.parametrize("path", [PATH[::-1], (0.1, 1.0, 0.01), *((l2,) for l2 in PATH)], ids=str)
def test_what_was_fitted_before_a_strength_does_not_change_its_answers(path: tuple[float, ...]) -> None:
    sample, folds = make_sample(), make_folds()
    usual, found = along(sample, folds), along(sample, folds, path)
    assert tuple(found) == path
    for l2, answers in found.items():
        assert_alike(answers, usual[l2])


def test_the_next_strength_is_asked_for_when_the_answers_of_the_last_are_known() -> None:
    asked: list[float] = []

    def path() -> Iterator[float]:
        for l2 in PATH:
            asked.append(l2)
            yield l2

    answers = answers_along(make_sample(), make_folds(), CLASSES, path())
    assert asked == []
    for number, l2 in enumerate(PATH):
        assert next(answers).l2 == l2
        assert asked == list(PATH[: number + 1])


def test_a_path_costs_less_than_half_of_fits_that_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    real = linear_heads._Heads._losses_and_gradients

    def counted(self: linear_heads._Heads, heads: np.ndarray, *others: object) -> object:
        passes.append(len(heads))
        return real(self, heads, *others)

    monkeypatch.setattr(linear_heads._Heads, "_losses_and_gradients", counted)
    sample, folds = make_sample(), make_folds()
    path = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
    list(answers_along(sample, folds, CLASSES, path))
    together = sum(passes)
    passes.clear()
    for l2 in path:
        list(answers_along(sample, folds, CLASSES, (l2,)))
    assert 0 < together < sum(passes) / 2


def test_the_order_of_photos_changes_nothing() -> None:
    sample, folds = uneven_sample()
    order = np.random.default_rng(5).permutation(len(sample))
    usual = along(sample, folds, balanced=True)
    shuffled = along(Sample(sample.bottlenecks[order], sample.classes[order]), folds[order], balanced=True)
    for l2, answers in shuffled.items():
        back = np.empty_like(answers.log_probabilities)
        back[order] = answers.log_probabilities
        assert_alike(replace(answers, log_probabilities=back), usual[l2])


def test_the_numbers_of_classes_and_folds_are_only_names() -> None:
    sample, folds = uneven_sample()
    classes, places = np.array([2, 0, 3, 1]), np.array([1, 2, 0])
    usual = along(sample, folds, balanced=True)
    renamed = along(Sample(sample.bottlenecks, classes[sample.classes]), places[folds], balanced=True)
    for l2, answers in renamed.items():
        said, losses = answers.log_probabilities[:, classes], answers.training_losses[places]
        assert_alike(replace(answers, log_probabilities=said, training_losses=losses), usual[l2])


def test_a_fold_without_photos_of_a_class_is_asked_like_any_other() -> None:
    sample, folds = make_sample(), make_folds()
    folds[(sample.classes == 3) & (folds == 0)] = 1
    for l2, answers in along(sample, folds).items():
        for fold in range(FOLDS):
            least, said, _ = optimum(sample, folds, fold, l2)
            assert answers.training_losses[fold] == pytest.approx(least, abs=1e-5)
            np.testing.assert_allclose(np.exp(answers.log_probabilities[folds == fold]), said[folds == fold], atol=5e-3)


@pytest.mark.parametrize("balanced", [False, True])
def test_a_class_that_a_head_never_sees_leaves_the_others_as_they_are(balanced: bool) -> None:
    """All photos of one class are in one fold."""
    sample, folds = uneven_sample()
    folds[sample.classes == 3] = 0
    others = sample.classes < 3
    without = along(sample.take(others), folds[others], classes=3, balanced=balanced)
    for l2, answers in along(sample, folds, balanced=balanced).items():
        assert np.isfinite(answers.log_probabilities).all() and np.isfinite(answers.training_losses).all()
        own = np.exp(answers.log_probabilities)[others & (folds == 0)]
        assert own[:, 3].max() < 1e-3
        np.testing.assert_allclose(own[:, :3], np.exp(without[l2].log_probabilities)[folds[others] == 0], atol=5e-3)


def test_a_number_of_a_fold_without_photos_changes_nothing() -> None:
    sample, folds = make_sample(), make_folds() % 2
    gap = np.where(folds == 1, 2, 0)
    for l2, answers in along(sample, gap).items():
        usual = along(sample, folds, (l2,))[l2]
        np.testing.assert_allclose(answers.training_losses[[0, 2]], usual.training_losses, atol=1e-5)
        np.testing.assert_allclose(np.exp(answers.log_probabilities), np.exp(usual.log_probabilities), atol=5e-3)


def test_photos_that_are_all_alike_are_answered_with_the_shares_of_the_classes() -> None:
    sample, folds = Sample(np.ones((12, 5), np.float32), np.array([0, 0, 1] * 4)), np.arange(12) // 3 % 2
    for answers in along(sample, folds, classes=2).values():
        np.testing.assert_allclose(np.exp(answers.log_probabilities), [[2 / 3, 1 / 3]] * 12, atol=1e-3)


# The loss and its gradient


def gradients_at_the_end(tolerance: float) -> list[float]:
    """The norms of the gradients of the documented loss, in float64, at the weights of each strength and head."""
    sample, folds = uneven_sample()
    x = standardised(sample)
    heads = linear_heads._Heads(sample, folds, CLASSES, 0.2, True)
    norms = []
    for l2, weights, _ in heads.fit_along(PATH, tolerance):
        for fold in range(FOLDS):
            seen = folds != fold
            variance = x[seen].var(axis=0).mean()
            flat = weights[fold].T.astype(np.float64).ravel()
            counts = class_weights(sample.classes[seen], CLASSES)
            _, gradient = general_loss64(flat, x[seen], sample.classes[seen], CLASSES, l2 * variance, 0.2, counts)
            norms.append(float(np.linalg.norm(gradient)))
    return norms


def test_nothing_of_the_gradient_is_left_at_the_end() -> None:
    assert max(gradients_at_the_end(EXACTLY)) < 1e-3
    assert max(gradients_at_the_end(0.1)) > 5e-3  # of fits that end early


def test_gradients_are_those_of_finite_differences() -> None:
    sample, folds = uneven_sample()
    x = standardised(sample)
    heads = linear_heads._Heads(sample, folds, CLASSES, 0.2, True)
    weights = np.random.default_rng(1).normal(size=(2, CLASSES, DIM + 1)).astype(np.float32)
    asked = np.array([0, 2])  # those that have not converged
    losses, gradients = heads._losses_and_gradients(asked, weights.reshape(2, -1), 0.3)
    for place, fold in enumerate(asked):
        seen = folds != fold
        counts = class_weights(sample.classes[seen], CLASSES)
        l2 = 0.3 * x[seen].var(axis=0).mean()

        def loss(flat: np.ndarray, seen=seen, counts=counts, l2=l2) -> float:
            matrix = flat.reshape(CLASSES, DIM + 1).T.ravel()
            return general_loss64(matrix, x[seen], sample.classes[seen], CLASSES, l2, 0.2, counts)[0]

        flat = weights[place].astype(np.float64).ravel()
        assert losses[place] == pytest.approx(loss(flat), rel=1e-5)
        np.testing.assert_allclose(gradients[place], approx_fprime(flat, loss, 1e-7), atol=1e-4)
