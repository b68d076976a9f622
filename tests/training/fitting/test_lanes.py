"""Passes that all cores share: whatever their number, every bit is the same."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  # its BLAS is there before the limits are set, whatever ran before
from blobs import blobs
from threadpoolctl import threadpool_info, threadpool_limits

from retrain.training.fitting import lanes
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.lanes import cut, side_by_side
from retrain.training.fitting.linear_heads import answers_along
from retrain.training.fitting.sample import Sample, Standardised
from retrain.training.head import predict, score

LARGE = 10**12  # a work that would fill any number of lanes


@pytest.fixture
def small_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 20 photos of 8 numbers, and every pass is shared."""
    monkeypatch.setattr(lanes, "LEAST_WORK", 1)
    monkeypatch.setattr("retrain.training.fitting.sample.BLOCK_BYTES", 4 * 8 * 20)


@pytest.mark.parametrize(
    ("photos", "work", "expected"),
    [
        (100, 0, [(7, 107)]),
        (100, 2 * lanes.LEAST_WORK, [(7, 57), (57, 107)]),
        (104, 3 * lanes.LEAST_WORK, [(7, 57), (57, 111)]),
        (20, LARGE, [(7, 17), (17, 27)]),
        (9, LARGE, [(7, 16)]),
        (0, LARGE, [(7, 7)]),
    ],
)
def test_lanes_are_whole_blocks(photos: int, work: int, expected: list[tuple[int, int]]) -> None:
    found = cut(slice(7, 7 + photos), 10, work)
    assert [(lane.start, lane.stop) for lane in found] == expected


def test_there_are_no_more_lanes_than_most() -> None:
    found = cut(slice(0, 10_000), 10, LARGE)
    assert len(found) == lanes.MOST
    assert [number for lane in found for number in range(lane.start, lane.stop)] == list(range(10_000))


def test_lanes_run_at_the_same_time_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "cores", lambda: 2)
    both = threading.Barrier(2)  # passed only if two are there at once

    def job(lane: slice) -> int:
        both.wait(30)
        return lane.start

    assert list(side_by_side(job, cut(slice(0, 80), 10, LARGE), LARGE)) == list(range(0, 80, 10))


def test_a_little_work_stays_in_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "cores", lambda: 8)
    found = side_by_side(lambda lane: threading.get_ident(), [slice(0, 1)] * 4, 2 * lanes.LEAST_WORK - 1)
    assert set(found) == {threading.get_ident()}


def test_blas_has_one_thread_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "cores", lambda: 2)

    def job(lane: slice) -> set[int]:
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        before = job(slice(0, 0))
        assert list(side_by_side(job, [slice(0, 1)] * 4, LARGE)) == [{1}] * 4
        assert job(slice(0, 0)) == before


def fitted(everything: Sample) -> list[np.ndarray]:
    fit = fit_to_convergence(everything.take(np.arange(700)), everything.take(np.arange(700, 900)), 3)
    return [fit.head.kernel, fit.head.bias, np.array([point.training_cross_entropy for point in fit.curve])]


def of_folds(everything: Sample) -> list[np.ndarray]:
    answers = list(answers_along(everything, np.arange(900) % 7 % 3, 3, (0.1, 0.01)))
    figures = [(one.training_accuracy, one.training_cross_entropy, *one.training_losses) for one in answers]
    return [*(one.log_probabilities for one in answers), np.array(figures)]


def said(everything: Sample) -> list[np.ndarray]:
    head = fit_to_convergence(everything, everything.take(np.zeros(0, np.intp)), 3, (0.01,)).head
    return [predict(head, everything), predict(head, everything, 7), np.array(score(head, everything))]


def covariance(everything: Sample) -> list[np.ndarray]:
    return [Standardised(everything).covariance(500)]


@pytest.mark.parametrize("job", [fitted, of_folds, said, covariance])
def test_any_number_of_cores_gives_the_same_bits(
    job: Callable[[Sample], list[np.ndarray]], small_is_much: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = blobs(n=900, dim=8, spread=2.0)
    found = []
    for count in (1, 2, 5):
        monkeypatch.setattr(lanes, "cores", lambda count=count: count)
        found.append(job(everything))
    for other in found[1:]:
        for one, array in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, array)
