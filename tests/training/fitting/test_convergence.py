"""The fit to convergence: its optimum, its choice of strength, and what it costs."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from blobs import NOBODY, blobs
from losses64 import gradient64, loss64, parameters_of, standardised
from scipy.optimize import approx_fprime, minimize

from retrain.training.calibration import calibrated_loss
from retrain.training.fitting import convergence
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.sample import Sample, Standardised
from retrain.training.head import Head, predict


@pytest.mark.parametrize("l2", [1.0, 0.1, 0.003])
def test_converges_to_the_loss_of_a_float64_optimisation(l2: float) -> None:
    sample = blobs(spread=2.0)
    x = standardised(sample)
    reference = minimize(loss64, np.zeros(7 * 3), (x, sample.classes, 3, l2), "BFGS", options={"gtol": 1e-7}).fun
    fit = fit_to_convergence(sample, blobs(seed=1), 3, path=(l2,))
    reached = loss64(parameters_of(fit.head, sample), x, sample.classes, 3, l2)
    assert reached == pytest.approx(reference, abs=1e-4)


def test_gradient_is_that_of_finite_differences() -> None:
    sample = blobs(n=12, dim=4)
    x = standardised(sample)
    flat = np.random.default_rng(1).normal(size=5 * 3)
    expected = approx_fprime(flat, loss64, 1e-7, x, sample.classes, 3, 0.3)
    weights = flat.reshape(5, 3).astype(np.float32)
    loss, gradient = convergence.loss_and_gradient(Standardised(sample), sample.classes, weights, 0.3)
    assert loss == pytest.approx(loss64(flat, x, sample.classes, 3, 0.3), rel=1e-5)
    assert np.allclose(gradient.ravel(), expected, atol=1e-5)


def test_logits_on_raw_bottlenecks_are_those_on_scaled_ones() -> None:
    random = np.random.default_rng(2)
    weights, mean, scale = random.normal(size=(7, 3)), random.normal(size=6) * 50, np.float32([12.5] * 4 + [3] * 2)
    raw = (random.normal(size=(20, 6)) * scale + mean).astype(np.float32)
    folded = convergence._fold(weights, mean.astype(np.float32), scale)
    expected = (raw - mean) / scale @ weights[:-1] + weights[-1]
    assert np.allclose(folded.logits(raw), expected, atol=1e-3)
    assert folded.kernel.dtype == folded.bias.dtype == np.float32


def test_separable_classes_are_separated() -> None:
    unseen = blobs(spread=0.3, seed=5)
    fit = fit_to_convergence(blobs(spread=0.3), blobs(spread=0.3, seed=1), 3)
    assert (fit.head.probabilities(unseen.bottlenecks).argmax(axis=1) == unseen.classes).all()


def test_features_that_never_vary_are_harmless() -> None:
    sample, validation = blobs(), blobs(seed=1)
    with_constants = [
        Sample(np.hstack([part.bottlenecks, np.full((60, 2), [0, 1000], np.float32)]), part.classes)
        for part in (sample, validation)
    ]
    fit = fit_to_convergence(*with_constants, 3)
    assert np.isfinite(fit.head.kernel).all()
    assert np.abs(fit.head.kernel[-2:]).max() < 1e-6
    assert fit.curve[-1].validation_accuracy > 0.8


def test_photos_that_are_all_alike_are_harmless() -> None:
    sample = Sample(np.ones((6, 6), np.float32), np.array([0, 0, 0, 0, 1, 1]))
    probabilities = fit_to_convergence(sample, NOBODY, 2).head.probabilities(sample.bottlenecks)
    assert np.allclose(probabilities, [4 / 6, 2 / 6], atol=1e-3)


def test_features_that_all_say_the_same_are_harmless() -> None:
    # In float32 their covariance has eigenvalues a little below zero, larger than the weakest penalties.
    one, other = (blobs(n=300, dim=1, classes=2, spread=4.0, seed=seed) for seed in (0, 1))
    strengths = np.random.default_rng(0).uniform(0.5, 2, (1, 2000)).astype(np.float32)
    training, validation = (Sample(part.matrix @ strengths, part.classes) for part in (one, other))
    fit = fit_to_convergence(training, validation, 2, path=(1e-1, 1e-3, 1e-5, 1e-7))
    assert len(fit.curve) == 4
    assert np.isfinite(fit.head.kernel).all()


def test_fit_is_deterministic() -> None:
    one, other = (fit_to_convergence(blobs(), blobs(seed=1), 3) for _ in range(2))
    assert np.array_equal(one.head.kernel, other.head.kernel)
    assert np.array_equal(one.head.bias, other.head.bias)
    assert one.curve == other.curve


def test_the_choice_is_that_of_calibrated_heads() -> None:
    """Many features and few photos: under a strong penalty a head is better, and too modest."""
    nobody = Sample(np.zeros((0, 60), np.float32), NOBODY.classes)
    training, validation = (blobs(n=120, dim=60, classes=4, spread=5.0, seed=seed) for seed in (1, 2))
    path = convergence.L2_PATH[:5]
    heads = [fit_to_convergence(training, nobody, 4, (l2,)).head for l2 in path]
    probabilities = [predict(head, validation) for head in heads]
    plain = [-np.log(p[np.arange(120), validation.classes]).mean() for p in probabilities]
    calibrated = [calibrated_loss(p, validation.classes) for p in probabilities]
    assert np.argmin(plain) != np.argmin(calibrated)
    fit = fit_to_convergence(training, validation, 4, path)
    assert fit.description["l2"] == path[int(np.argmin(calibrated))]


def test_noisy_photos_ask_for_a_stronger_penalty_than_clear_ones() -> None:
    clear, noisy = (
        fit_to_convergence(blobs(n=30, spread=spread), blobs(spread=spread, seed=1), 3).description["l2"]
        for spread in (0.3, 6.0)
    )
    assert noisy > clear


def test_no_validation_photos() -> None:
    fit = fit_to_convergence(blobs(), NOBODY, 3)
    assert fit.description == {"optimizer": "lbfgs", "l2": convergence.L2_WITHOUT_VALIDATION}
    assert [(point.validation_accuracy, point.validation_cross_entropy) for point in fit.curve] == [(None, None)]


def test_strength_that_is_asked_for_is_taken_without_validation_photos() -> None:
    strong, weak = (fit_to_convergence(blobs(spread=2.0), NOBODY, 3, path=(l2,)) for l2 in (1.0, 0.001))
    assert (strong.description["l2"], weak.description["l2"]) == (1.0, 0.001)
    assert np.abs(strong.head.kernel).max() < np.abs(weak.head.kernel).max()


def test_each_fit_of_a_path_reaches_the_optimum_of_a_fit_of_its_own() -> None:
    # Correlated features, as a network's are: what one strength has learnt must not mislead the next.
    random = np.random.default_rng(3)
    mixing = random.normal(size=(40, 40)) * np.geomspace(3, 0.03, 40)
    clear = blobs(n=400, dim=40, classes=5, spread=5.0)
    training = Sample((clear.matrix @ mixing).astype(np.float32), clear.classes)
    x, path = standardised(training), (1.0, 0.1, 0.03, 0.01)
    standard = Standardised(training)
    fits = convergence._Fits(standard, training.classes, 5)
    for l2 in path:
        weights = fits.fit(l2)
        reference = minimize(
            lambda flat, l2=l2: gradient64(flat, x, training.classes, 5, l2),
            np.zeros(41 * 5),
            jac=True,
            method="L-BFGS-B",
            options={"ftol": 1e-12, "gtol": 1e-8, "maxiter": 5000, "maxfun": 20000},
        ).fun
        assert loss64(weights.ravel(), x, training.classes, 5, l2) == pytest.approx(reference, rel=1e-3)


def test_a_path_needs_few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations = []
    real = convergence.loss_and_gradient
    monkeypatch.setattr(convergence, "loss_and_gradient", lambda *arguments: evaluations.append(1) or real(*arguments))
    fit = fit_to_convergence(blobs(n=600, dim=40, spread=4.0), blobs(n=600, dim=40, spread=4.0, seed=1), 3)
    assert len(evaluations) < 10 * len(fit.curve)


def test_a_memmap_read_block_by_block_gives_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.training.fitting.sample.BLOCK_BYTES", 4096)  # 170 rows of 6
    everything = blobs(n=900, spread=2.0)
    everything.matrix.tofile(tmp_path / "matrix")
    mapped = Sample(np.memmap(tmp_path / "matrix", np.float32, "r", shape=(900, 6)), everything.classes)
    training = np.random.default_rng(0).random(900) < 0.7

    def fitted(sample: Sample) -> Head:
        return fit_to_convergence(sample.take(training), sample.take(~training), 3).head

    one = fitted(everything)
    monkeypatch.setattr("retrain.training.fitting.sample.KEPT_BYTES", 0)
    other = fitted(mapped)
    assert np.array_equal(one.kernel, other.kernel)
    assert np.array_equal(one.bias, other.bias)


def test_a_large_matrix_is_never_copied_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.training.fitting.sample.BLOCK_BYTES", 1 << 18)
    monkeypatch.setattr("retrain.training.fitting.sample.KEPT_BYTES", 1 << 20)
    everything = blobs(n=60_000, dim=64)  # 15 MB
    everything.matrix.tofile(tmp_path / "matrix")
    mapped = Sample(np.memmap(tmp_path / "matrix", np.float32, "r", shape=(60_000, 64)), everything.classes)
    training = np.arange(60_000) % 10 > 0
    tracemalloc.start()
    try:
        sides = mapped.take(training), mapped.take(~training)
        fit = fit_to_convergence(*sides, 3, path=(0.1, 0.01))
        predict(fit.head, mapped.take(training))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 << 20  # blocks, and a few numbers for each photo


def test_a_first_fit_to_many_photos_begins_on_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated = []
    real = convergence.loss_and_gradient
    monkeypatch.setattr(
        convergence, "loss_and_gradient", lambda *given: evaluated.append(len(given[0])) or real(*given)
    )
    fit_to_convergence(blobs(n=600, dim=20, spread=2.0), NOBODY, 3, path=(0.01,))
    assert set(evaluated) == {100, 600} and evaluated == sorted(evaluated)
    evaluated.clear()
    fit_to_convergence(blobs(n=100, dim=20, spread=2.0), NOBODY, 3, path=(0.01,))
    assert set(evaluated) == {100}


def test_a_fit_to_many_photos_ends_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations = []
    real = convergence.loss_and_gradient
    monkeypatch.setattr(convergence, "loss_and_gradient", lambda *given: evaluations.append(1) or real(*given))
    many = blobs(n=600, dim=20, spread=1.0)
    sooner = fit_to_convergence(many, NOBODY, 3, path=(0.001,))
    count = len(evaluations)
    monkeypatch.setattr(convergence, "LEAST_LOSS_OF_MANY", 1e-6)
    exact = fit_to_convergence(many, NOBODY, 3, path=(0.001,))
    assert count < len(evaluations) - count
    losses = [fit.curve[-1].training_cross_entropy for fit in (sooner, exact)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)


def test_a_refit_comes_to_the_optimum_of_all_photos() -> None:
    training, validation, everything = blobs(spread=2.0), blobs(spread=2.0, seed=1), blobs(n=120, spread=2.0, seed=2)
    fit = fit_to_convergence(training, validation, 3, everything=everything)
    plain = fit_to_convergence(training, validation, 3)
    assert fit.before_refit is not None
    assert np.array_equal(fit.before_refit.kernel, plain.head.kernel)
    assert fit.curve == plain.curve
    alone = fit_to_convergence(everything, NOBODY, 3, path=(float(fit.description["l2"]),))
    x, l2 = standardised(everything), float(fit.description["l2"])
    losses = [loss64(parameters_of(one, everything), x, everything.classes, 3, l2) for one in (fit.head, alone.head)]
    assert losses[0] == pytest.approx(losses[1], abs=2e-3)
    before = loss64(parameters_of(fit.before_refit, everything), x, everything.classes, 3, l2)
    assert losses[0] < before - 5e-3


def test_weights_are_found_again_in_a_head() -> None:
    weights, mean = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32), np.arange(6, dtype=np.float32)
    scale = np.float32([3] * 4 + [7] * 2)
    np.testing.assert_allclose(convergence._unfold(convergence._fold(weights, mean, scale), mean, scale), weights, 1e-4)


def test_observer_sees_the_curve() -> None:
    seen = []
    fit = fit_to_convergence(blobs(), blobs(seed=1), 3, observe=seen.append)
    assert tuple(seen) == fit.curve
