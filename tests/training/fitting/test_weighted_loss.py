"""Smoothed labels and weights of classes, in the fit to convergence."""

import numpy as np
import pytest
from blobs import NOBODY, blobs
from losses64 import general_loss64, parameters_of, standardised
from scipy.optimize import approx_fprime, minimize

from retrain.training.fitting import convergence
from retrain.training.fitting.convergence import Loss, fit_to_convergence
from retrain.training.fitting.sample import Standardised
from retrain.training.head import class_weights, log_softmax


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("l2", [0.3, 0.01])
def test_smoothed_and_weighted_fit_reaches_the_optimum(smoothing: float, balanced: bool, l2: float) -> None:
    everything = blobs(n=90, spread=2.0)
    sample = everything.take(np.flatnonzero((everything.classes < 2) | (np.arange(90) % 4 == 0)))
    x, photos = standardised(sample), np.bincount(sample.classes)
    assert photos.max() > 2 * photos.min()
    weights = len(sample) / (3 * photos) if balanced else np.ones(3)
    arguments = (x, sample.classes, 3, l2, smoothing, weights)
    reference = minimize(general_loss64, np.zeros(7 * 3), arguments, "BFGS", jac=True, options={"gtol": 1e-7})
    fit = fit_to_convergence(sample, NOBODY, 3, (l2,), label_smoothing=smoothing, balanced=balanced)
    reached, _ = general_loss64(parameters_of(fit.head, sample), *arguments)
    assert reached == pytest.approx(reference.fun, abs=3e-4)
    # And it is another optimum than that of the plain loss.
    if smoothing or balanced:
        plain = fit_to_convergence(sample, NOBODY, 3, (l2,))
        assert general_loss64(parameters_of(plain.head, sample), *arguments)[0] > reached + 1e-5


def test_gradient_of_the_smoothed_and_weighted_loss_is_that_of_finite_differences() -> None:
    sample = blobs(n=12, dim=4)
    x, weights = standardised(sample), np.array([0.5, 1.0, 1.5])
    flat = np.random.default_rng(1).normal(size=5 * 3)
    expected = approx_fprime(flat, lambda f: general_loss64(f, x, sample.classes, 3, 0.3, 0.2, weights)[0], 1e-7)
    loss = Loss(0.2, weights.astype(np.float32))
    value, gradient = convergence.loss_and_gradient(
        Standardised(sample), sample.classes, flat.reshape(5, 3).astype(np.float32), 0.3, loss
    )
    # The weights of these labels are 1 on average.
    assert value == pytest.approx(general_loss64(flat, x, sample.classes, 3, 0.3, 0.2, weights)[0], rel=1e-5)
    assert np.allclose(gradient.ravel(), expected, atol=1e-5)


def test_balanced_classes_are_balanced_in_the_choice_too() -> None:
    training, validation = blobs(spread=3.0), blobs(spread=3.0, seed=1)
    uneven = training.take(np.flatnonzero((training.classes > 0) | (np.arange(60) % 5 == 0)))
    fit = fit_to_convergence(uneven, validation, 3, balanced=True)
    weights = class_weights(uneven.classes, 3)[validation.classes]
    log_p = log_softmax(fit.head.logits(validation.bottlenecks))[np.arange(60), validation.classes]
    best = min(point.validation_cross_entropy for point in fit.curve)
    assert -(log_p * weights).sum() / weights.sum() == pytest.approx(best, abs=1e-6)
    assert fit.description["class_weight"] == "balanced"
