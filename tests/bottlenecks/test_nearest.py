"""Which photos are most like one: exact cosines, in whatever blocks."""

import numpy as np
import pytest

from retrain.bottlenecks import nearest as module
from retrain.bottlenecks.nearest import nearest
from retrain.core.errors import OptionError

RANDOM = np.random.default_rng(0)


def cosines(matrix: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """All of them, in float64."""
    one, other = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (vectors.astype(float), matrix))
    return one @ other.T


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("n", "stripe", "block"), [(50, 1000, 1 << 20), (1000, 128, 512), (129, 128, 1 << 20)])
def test_the_nearest_are_those_of_all_cosines(
    n: int, stripe: int, block: int, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STRIPE", stripe)
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    monkeypatch.setattr(module, "ASKED", 3)
    matrix, vectors = (RANDOM.standard_normal((rows, 16)).astype(dtype) for rows in (n, 7))
    found, right = nearest(matrix, vectors, 5), cosines(matrix.astype(np.float64), vectors)
    assert np.array_equal(found.rows, np.argsort(-right, axis=1)[:, :5])
    assert np.allclose(found.cosines, -np.sort(-right, axis=1)[:, :5], atol=1e-6)


def test_a_row_is_nearest_to_itself_and_of_equal_ones_the_first_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRIPE", 10)
    matrix = np.repeat(RANDOM.standard_normal((4, 8)).astype(np.float32), 10, axis=0)
    matrix = np.concatenate([matrix, matrix * 3])  # lengths do not matter, but for rounding
    found = nearest(matrix, matrix[20:21], 12)
    assert found.rows[0].tolist()[:10] == [*range(20, 30)] or set(found.rows[0]) <= {*range(20, 30), *range(60, 70)}
    assert np.allclose(found.cosines, 1)
    assert nearest(np.tile(matrix[:1], (40, 1)), matrix[:1], 3).rows.tolist() == [[0, 1, 2]]


def test_few_rows_none_and_zeros() -> None:
    matrix = np.array([[0, 0], [1, 0], [-1, 0]], np.float32)
    found = nearest(matrix, np.array([[2, 0], [0, 0]], np.float32), 10)
    assert found.rows.tolist() == [[1, 0, 2], [0, 1, 2]] and found.cosines.tolist() == [[1, 0, -1], [0, 0, 0]]
    assert nearest(matrix[:0], matrix, 2).rows.shape == (3, 0)
    assert nearest(matrix, matrix[:0], 2).rows.shape == (0, 2)


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_lengths_do_not_matter_however_large_or_small(size: float) -> None:
    found = nearest(np.eye(3, dtype=np.float32), np.array([[3.0, 4.0, 0.0]]) * size, 2)
    assert found.rows.tolist() == [[1, 0]] and np.allclose(found.cosines, [[0.8, 0.6]])


def test_what_does_not_fit_is_said() -> None:
    matrix = np.ones((2, 3), np.float32)
    with pytest.raises(OptionError, match=r"`vectors` of shape \(1, 4\)"):
        nearest(matrix, np.ones((1, 4), np.float32))
    with pytest.raises(OptionError, match="`count` 0"):
        nearest(matrix, matrix, 0)
