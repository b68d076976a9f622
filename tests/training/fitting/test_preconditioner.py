import numpy as np
import pytest
import scipy.linalg

from retrain.training.fitting.preconditioner import Preconditioner
from retrain.training.fitting.sample import Sample, Standardised


def make_bottlenecks() -> Standardised:
    """40 photos, 6 features of very different strength."""
    features = np.random.default_rng(0).normal(size=(40, 6)) * np.geomspace(3, 0.1, 6)
    return Standardised(Sample(features.astype(np.float32), np.zeros(40, np.intp)), kept_bytes=0)


def test_solves_with_the_covariance_and_a_ridge() -> None:
    bottlenecks = make_bottlenecks()
    right = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    biases = np.arange(4, dtype=np.float32)
    kernels, solved_biases = Preconditioner(bottlenecks, 4).solve(right, biases, 0.25)  # 1 / 4 + 0.25: an octave itself
    # 24 of the 40 photos are enough for 6 features; here `spread` takes them all.
    hessian = bottlenecks.covariance(24).astype(np.float64) / 4 + 0.5 * np.eye(6)
    np.testing.assert_allclose(kernels, np.linalg.solve(hessian, right), rtol=1e-4, atol=1e-6)
    assert np.array_equal(solved_biases, 4 * biases)


def test_fewer_photos_than_features_have_the_same_inverse() -> None:
    features = np.random.default_rng(0).normal(size=(15, 40)) * np.geomspace(3, 0.1, 40)
    bottlenecks = Standardised(Sample(features.astype(np.float32), np.zeros(15, np.intp)), kept_bytes=0)
    right = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)
    kernels, _ = Preconditioner(bottlenecks, 4).solve(right, right[0], 0.25)
    hessian = bottlenecks.covariance(15).astype(np.float64) / 4 + 0.5 * np.eye(40)
    np.testing.assert_allclose(kernels, np.linalg.solve(hessian, right), rtol=1e-4, atol=1e-6)


def test_close_strengths_share_a_factorisation(monkeypatch: pytest.MonkeyPatch) -> None:
    factorised, factorise = [], scipy.linalg.cho_factor
    monkeypatch.setattr(scipy.linalg, "cho_factor", lambda *a, **k: factorised.append(1) or factorise(*a, **k))
    preconditioner, right = Preconditioner(make_bottlenecks(), 4), np.ones((6, 4), np.float32)
    for l2 in (1.0, 0.01, 0.003, 0.001):
        preconditioner.solve(right, right[0], l2)
    assert len(factorised) == 2


def test_a_strength_gives_the_same_whatever_came_before() -> None:
    right = np.ones((6, 4), np.float32)
    resumed, whole = Preconditioner(make_bottlenecks(), 4), Preconditioner(make_bottlenecks(), 4)
    for l2 in (1.0, 0.1, 0.03):
        whole.solve(right, right[0], l2)
    assert np.array_equal(resumed.solve(right, right[0], 0.01)[0], whole.solve(right, right[0], 0.01)[0])


def test_features_that_do_not_vary_are_no_obstacle() -> None:
    constant = Standardised(Sample(np.ones((9, 3), np.float32), np.zeros(9, np.intp)))
    right = np.ones((3, 2), np.float32)
    assert np.isfinite(Preconditioner(constant, 2).solve(right, right[0], 1e-6)[0]).all()
