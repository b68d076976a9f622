"""Of very many photos a part chooses the L2 strength, and all are fitted in a few passes."""

import numpy as np
import pytest
from blobs import blobs
from slots import Stopped, StoppingSlot

from retrain.training.fitting import convergence
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.sample import Sample
from retrain.training.head import Fit, score

DIM, PHOTOS = 20, 6000
NOBODY = Sample(np.zeros((0, DIM), np.float32), np.zeros(0, np.intp))


@pytest.fixture
def training() -> Sample:
    return blobs(n=PHOTOS, dim=DIM, spread=4.0)


@pytest.fixture
def validation() -> Sample:
    return blobs(n=PHOTOS, dim=DIM, spread=4.0, seed=1)


@pytest.fixture
def very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """6,000 photos are very many, of which 1,000 choose."""
    monkeypatch.setattr(convergence, "MANY_BYTES", 4 * DIM * (PHOTOS - 1))
    monkeypatch.setattr(convergence, "PART_BYTES", 4 * DIM * 1000)
    monkeypatch.setattr(convergence, "JUDGES_BYTES", 4 * DIM * 2000)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many photos each evaluation of the loss has looked at."""
    evaluated: list[int] = []
    real = convergence.loss_and_gradient
    monkeypatch.setattr(
        convergence, "loss_and_gradient", lambda *given: evaluated.append(len(given[0])) or real(*given)
    )
    return evaluated


def loss_of(fit: Fit, sample: Sample) -> float:
    return score(fit.head, sample)[1]


def test_the_head_is_as_good_as_that_of_all_photos_at_all_strengths(
    training: Sample, validation: Sample, passes: list[int], request: pytest.FixtureRequest
) -> None:
    exact = fit_to_convergence(training, validation, 3)
    passes_of_exact = passes.count(PHOTOS)
    passes.clear()
    request.getfixturevalue("very_many")
    fit = fit_to_convergence(training, validation, 3)
    assert passes.count(PHOTOS) < passes_of_exact / 2
    assert {size for size in passes if size != PHOTOS} <= {1000, 1000 // convergence.PART}
    assert abs(loss_of(fit, validation) - loss_of(exact, validation)) < convergence.LEAST_GAIN
    part = fit_to_convergence(training.drawn(4 * DIM * 1000), validation.drawn(4 * DIM * 2000), 3)
    assert fit.curve == part.curve
    assert loss_of(fit, training) < loss_of(part, training)


def test_a_weaker_penalty_is_taken_where_all_photos_gain_by_it(
    very_many: None, training: Sample, validation: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convergence, "PART_BYTES", 4 * DIM * 60)  # overfitted, so that a strong one is chosen
    few = fit_to_convergence(training.drawn(4 * DIM * 60), validation.drawn(4 * DIM * 2000), 3)
    fit = fit_to_convergence(training, validation, 3)
    assert 0 < float(fit.description["l2"]) < float(few.description["l2"])


def test_a_given_strength_is_kept_and_needs_no_judges(very_many: None, training: Sample, passes: list[int]) -> None:
    fit = fit_to_convergence(training, NOBODY, 3, (0.01,))
    assert fit.description["l2"] == 0.01 and 1 < passes.count(PHOTOS) < 8
    fit = fit_to_convergence(training, NOBODY, 3)
    assert fit.description["l2"] == convergence.L2_WITHOUT_VALIDATION


@pytest.mark.parametrize("balanced", [False, True])
def test_a_fit_that_was_stopped_goes_on_to_the_same_bits(
    very_many: None, training: Sample, validation: Sample, balanced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convergence, "PART_BYTES", 4 * DIM * 60)
    whole = StoppingSlot()
    fit = fit_to_convergence(training, validation, 3, balanced=balanced, slot=whole)
    assert whole.offers >= len(fit.curve) + 2
    for stop_at in (1, len(fit.curve), len(fit.curve) + 1, whole.offers):
        slot = StoppingSlot(stop_at=stop_at)
        with pytest.raises(Stopped):
            fit_to_convergence(training, validation, 3, balanced=balanced, slot=slot)
        resumed = fit_to_convergence(training, validation, 3, balanced=balanced, slot=StoppingSlot(slot.state))
        assert np.array_equal(resumed.head.kernel, fit.head.kernel), stop_at
        assert np.array_equal(resumed.head.bias, fit.head.bias)
        assert (resumed.description, resumed.curve) == (fit.description, fit.curve)


def test_drawn_photos_are_the_same_ones_in_every_run_and_of_every_class() -> None:
    everything = Sample(np.arange(20_000, dtype=np.float16).reshape(-1, 2) % 2048, np.arange(10_000) // 100)
    one, other = (everything.take(np.arange(0, 10_000, 2)).drawn(4 * 2 * 1000) for _ in range(2))
    assert len(one) == 1000 and one.matrix.dtype == np.float32
    assert np.array_equal(one.matrix, other.matrix) and np.array_equal(one.classes, other.classes)
    assert len(np.unique(one.classes)) > 95
    rows = {tuple(row) for row in everything.matrix[::2].tolist()}
    assert all(tuple(row) in rows for row in one.matrix.tolist())
    assert len(everything.drawn(1 << 30)) == 10_000
