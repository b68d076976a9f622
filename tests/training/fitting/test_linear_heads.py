"""Heads that are trained together are those that are trained alone."""

import numpy as np
import pytest
from overlapping import CLASSES, DIM, FOLDS, PATH, make_folds, make_sample

from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.linear_heads import cross_validate
from retrain.training.fitting.sample import Sample
from retrain.training.head import predict


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
