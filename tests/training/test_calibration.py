import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retrain.training import calibration
from retrain.training.calibration import LIMITS, UNCALIBRATED, calibrate, calibrated_loss
from retrain.training.head import Head, log_softmax


def drawn(temperature: float, n: int = 4000, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a head that is too sure by this factor, and classes drawn from the right ones."""
    random = np.random.default_rng(7)
    logits = random.normal(scale=2, size=(n, classes))
    right = np.exp(log_softmax(logits))
    truth = np.array([random.choice(classes, p=row) for row in right])
    return np.exp(log_softmax(logits * temperature)).astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    found = calibrate(*drawn(temperature))
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.photos == 4000


def test_a_calibrated_head_says_what_its_probabilities_say_divided() -> None:
    random = np.random.default_rng(0)
    head = Head(random.normal(size=(5, 3)).astype(np.float32), random.normal(size=3).astype(np.float32))
    bottlenecks = random.normal(size=(20, 5)).astype(np.float32)
    probabilities = head.probabilities(bottlenecks)
    found = calibrate(probabilities, random.integers(0, 3, 20))
    assert found.temperature != pytest.approx(1, abs=0.05)
    calibrated = found.of_head(head).probabilities(bottlenecks)
    assert calibrated == pytest.approx(found.of_probabilities(probabilities), abs=1e-6)
    assert (calibrated.argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_many_photos_are_looked_at_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, classes = drawn(2.5)
    whole, loss = calibrate(probabilities, classes), calibrated_loss(probabilities, classes)
    divided = whole.of_probabilities(probabilities)
    monkeypatch.setattr(calibration, "BLOCK", 3 * 700)
    assert calibrate(probabilities, classes).temperature == pytest.approx(whole.temperature, rel=1e-6)
    assert calibrated_loss(probabilities, classes) == pytest.approx(loss, rel=1e-9)
    assert np.array_equal(whole.of_probabilities(probabilities), divided)


def test_few_photos_change_little_and_none_nothing() -> None:
    probabilities, classes = drawn(3.0)
    few = calibrate(probabilities[:3], classes[:3]).temperature
    assert abs(np.log(few)) < abs(np.log(calibrate(probabilities, classes).temperature))
    assert calibrate(probabilities[:0], classes[:0]) == UNCALIBRATED


def test_a_head_that_is_too_modest_loses_what_a_sure_one_does_and_less_than_a_worse_one() -> None:
    sure, truth = drawn(1.0)
    modest = sure**0.6 / (sure**0.6).sum(axis=1, keepdims=True)
    worse = np.exp(log_softmax(np.log(sure) + np.random.default_rng(1).normal(scale=1, size=sure.shape)))
    plain = [-np.log(p[np.arange(len(truth)), truth]).mean() for p in (sure, modest, worse)]
    loss = [calibrated_loss(p, truth) for p in (sure, modest, worse)]
    assert loss[0] == pytest.approx(plain[0], abs=0.001)
    assert loss[1] == pytest.approx(loss[0], abs=0.005) and plain[1] > plain[0] + 0.03
    assert loss[2] > loss[0] + 0.03


def test_classes_count_as_their_weights_say() -> None:
    probabilities, truth = drawn(1.0, n=500)
    weights = np.array([2.0, 0.0, 1.0], np.float32)
    twice = np.flatnonzero(truth == 0)
    rows = np.concatenate([twice, twice, np.flatnonzero(truth == 2)])
    assert calibrated_loss(probabilities, truth, weights) == pytest.approx(
        calibrated_loss(probabilities[rows], truth[rows]), rel=1e-6
    )


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(2, 5), st.integers(0, 2**32 - 1), st.sampled_from([0.01, 1, 50, 3000]))
def test_whatever_a_head_says_the_result_is_finite_and_no_answer_changes(
    n: int, classes: int, seed: int, scale: float
) -> None:
    random = np.random.default_rng(seed)
    probabilities = np.exp(log_softmax(random.normal(scale=scale, size=(n, classes)))).astype(np.float32)
    found = calibrate(probabilities, random.integers(0, classes, n))
    assert LIMITS[0] <= np.log(found.temperature) <= LIMITS[1]
    scaled = found.of_probabilities(probabilities)
    assert np.isfinite(scaled).all()
    assert scaled.sum(axis=1) == pytest.approx(np.ones(n), abs=1e-5)
    # Probabilities too small for a float32 may become equal; the greatest stays the greatest.
    assert (scaled[np.arange(n), probabilities.argmax(axis=1)] == scaled.max(axis=1)).all()


@example(137671, 1, 23.0, 100.0)
@example(529465, 1, 16.0, 100.0)
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 60), st.floats(0.05, 30), st.sampled_from([0.1, 0.3, 1.0, 100.0]))
def test_temperature_is_the_one_that_a_search_finds(seed: int, n: int, sureness: float, spread: float) -> None:
    """Of heads that are far too modest, right, far too sure, and always right."""
    lot = np.random.default_rng(seed)
    classes = lot.integers(0, 4, n)
    logits = sureness * (2 * np.eye(4)[classes] + lot.normal(0, 1, (n, 4)))
    probabilities = np.exp(log_softmax(logits)).astype(np.float32)
    said = np.log(np.maximum(probabilities, 1e-30)).astype(np.float64)

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(said * np.exp(-log_temperature))
        return -float(scaled[np.arange(n), classes].sum()) + log_temperature**2 / (2 * spread**2)

    places = np.linspace(*LIMITS, 2001)
    best = min(loss(place) for place in places)
    found = np.log(calibrate(probabilities, classes, spread).temperature)
    assert LIMITS[0] <= found <= LIMITS[1]
    steepest = np.ptp(said, axis=1).max() * np.exp(-found)  # how fast the loss of a photo changes with it, at most
    assert loss(found) <= best + n * max(1e-3, 2e-4 * steepest)  # the temperature is exact to 2e-4 of its logarithm
