import numpy as np
import pytest

from retrain.training.fitting.lbfgs import Array, Memory, Objective, minimise

TOP = slice(0, -1)  # the rows that are penalised


def bowl(penalty: float = 0.0) -> tuple[np.ndarray, Objective]:
    """A quadratic function of an array (5, 2), and where it is least."""
    random = np.random.default_rng(0)
    root = random.normal(size=(10, 10)) * np.geomspace(3, 0.3, 10)
    hessian = root.T @ root + np.diag(np.repeat([penalty] * 4 + [0.0], 2))
    slope = random.normal(size=10)

    def objective(x: Array) -> tuple[float, Array]:
        flat = x.astype(np.float64).ravel()
        gradient = hessian @ flat - slope
        return float(flat @ (hessian @ flat) / 2 - slope @ flat + 100), gradient.reshape(5, 2).astype(np.float32)

    return np.linalg.solve(hessian, slope).reshape(5, 2), objective


def plain(gradient: Array) -> Array:
    return gradient * np.float32(0.01)


def test_finds_the_minimum() -> None:
    lowest, objective = bowl()
    found = minimise(objective, np.zeros((5, 2), np.float32), plain, Memory(), tolerance=0.0)
    # A loss of float32 terms near 100 tells no more.
    assert objective(found)[0] == pytest.approx(objective(lowest)[0], rel=1e-6)


def test_ends_when_a_step_gains_little() -> None:
    _, objective = bowl()
    calls = []

    def counted(x: Array) -> tuple[float, Array]:
        calls.append(objective(x)[0])
        return objective(x)

    minimise(counted, np.zeros((5, 2), np.float32), plain, Memory(), tolerance=0.5)
    assert len(calls) == 2


def test_a_small_loss_counts_as_the_least_one() -> None:
    _, objective = bowl()

    def evaluations(least_loss: float) -> int:
        calls = []

        def small(x: Array) -> tuple[float, Array]:
            calls.append(1)
            loss, gradient = objective(x)
            return loss / 1000, gradient / np.float32(1000)  # from 0.1 down

        start = np.zeros((5, 2), np.float32)
        minimise(small, start, lambda g: g * np.float32(10), Memory(), tolerance=1e-3, least_loss=least_loss)
        return len(calls)

    assert evaluations(0.01) == evaluations(0.0) > evaluations(100.0) == 2


def test_a_preconditioner_of_another_scale_costs_one_step_more() -> None:
    lowest, objective = bowl()

    def evaluations(factor: float) -> int:
        calls = []

        def counted(x: Array) -> tuple[float, Array]:
            calls.append(1)
            return objective(x)

        weak = np.float32(factor)
        found = minimise(counted, np.zeros((5, 2), np.float32), lambda g: g * weak, Memory(), tolerance=1e-7)
        assert objective(found)[0] == pytest.approx(objective(lowest)[0], rel=1e-3)
        return len(calls)

    assert evaluations(1e-3) <= evaluations(1.0) + 1


def test_the_scale_is_that_of_the_last_curvature() -> None:
    memory, step = Memory(), np.ones((5, 2), np.float32)
    assert memory.scale(plain) == 1
    memory.add(step, 4 * step)  # the inverse of this curvature is 1 / 4
    assert memory.scale(plain) == pytest.approx(0.25 / 0.01)


def test_a_step_that_is_too_long_is_halved() -> None:
    lowest, objective = bowl()
    found = minimise(objective, np.zeros((5, 2), np.float32), lambda g: g * np.float32(2), Memory(), tolerance=1e-7)
    assert objective(found)[0] == pytest.approx(objective(lowest)[0], rel=1e-4)


def test_a_loss_that_is_not_a_number_leaves_the_start() -> None:
    start = np.ones((5, 2), np.float32)
    found = minimise(lambda x: (np.nan, x), start, plain, Memory(), tolerance=0.0)
    assert np.array_equal(found, start)


def test_memory_follows_a_change_of_the_penalty() -> None:
    # What is remembered of the curvature is what would have been seen with the new penalty.
    steps = np.random.default_rng(1).normal(size=(6, 5, 2)).astype(np.float32)
    carried, fresh = Memory(), Memory()
    for step in steps:
        for memory, penalty in ((carried, 1.0), (fresh, 0.1)):
            _, objective = bowl(penalty)
            memory.add(step, objective(step)[1] - objective(np.zeros_like(step))[1])
    gradient = np.ones((5, 2), np.float32)
    assert not np.allclose(carried.direction(gradient, plain), fresh.direction(gradient, plain), rtol=1e-2)
    carried.add_penalty(0.1 - 1.0, TOP)
    assert np.allclose(carried.direction(gradient, plain), fresh.direction(gradient, plain), rtol=1e-3, atol=1e-4)


def test_a_direction_of_no_curvature_is_not_remembered() -> None:
    memory, step = Memory(), np.ones((5, 2), np.float32)
    memory.add(step, -step)
    assert np.array_equal(memory.direction(step, plain), plain(step))
