from pathlib import Path

import numpy as np
import pytest

from retrain.training.fitting import sample as module
from retrain.training.fitting.sample import Sample, Standardised


def numbered(n: int = 10, dim: int = 3) -> Sample:
    return Sample(np.arange(n * dim, dtype=np.float32).reshape(n, dim), np.arange(n) % 2)


def test_a_part_of_a_part_is_taken_from_the_same_matrix() -> None:
    everything = numbered()
    part = everything.take(np.arange(10) > 3).take(np.array([5, 0]))
    assert part.matrix is everything.matrix
    assert part.rows is not None
    assert part.rows.tolist() == [9, 4]
    assert np.array_equal(part.bottlenecks, everything.matrix[[9, 4]])
    assert part.classes.tolist() == [1, 0]
    assert len(part) == 2


@pytest.mark.parametrize("size", [1, 3, 10, 99])
def test_blocks_hold_each_photo_once_and_in_order(size: int) -> None:
    for sample in (numbered(), numbered().take(np.array([7, 2, 2, 9]))):
        seen = np.concatenate([block.copy() for _, block in sample.blocks(size)])
        assert np.array_equal(seen, sample.bottlenecks)
        positions = [index for part, _ in sample.blocks(size) for index in range(part.start, part.stop)]
        assert positions == list(range(len(sample)))


@pytest.mark.parametrize(
    ("most", "expected"), [(3, [0, 3, 6, 9]), (5, [0, 2, 4, 6, 8]), (10, range(10)), (99, range(10))]
)
def test_photos_at_even_distances(most: int, expected: list[int]) -> None:
    assert np.array_equal(numbered().spread(most).bottlenecks, numbered().matrix[list(expected)])


def test_an_empty_sample_has_no_blocks() -> None:
    assert list(numbered().take(np.zeros(0, np.intp)).blocks()) == []


@pytest.mark.parametrize("kept_bytes", [0, 1 << 20])
def test_standardised_bottlenecks_have_no_mean_and_one_scale(kept_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    random = np.random.default_rng(0)
    matrix = (random.normal(size=(500, 4)) * [1, 2, 3, 0] + [5, -300, 0, 1000]).astype(np.float32)
    rows = random.permutation(500)[:301]
    standardised = Standardised(Sample(matrix, np.zeros(301, np.intp), rows), kept_bytes)
    x = matrix[rows].astype(np.float64)
    expected = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0).mean())
    blocks = [(part, block.copy()) for part, block in standardised.blocks()]
    assert len(blocks) > 3
    assert np.allclose(np.concatenate([block for _, block in blocks]), expected, atol=1e-4)
    assert np.array_equal(np.concatenate([np.arange(301)[part] for part, _ in blocks]), np.arange(301))
    batches = [np.array([3, 300, 3]), np.array([1])]
    for (positions, batch), wanted in zip(standardised.batches(iter(batches)), batches, strict=True):
        assert positions is wanted
        assert np.allclose(batch, expected[wanted], atol=1e-4)
    assert np.allclose(standardised.covariance(1000), expected.T @ expected / 301, atol=1e-4)
    part = expected[::3]
    assert np.allclose(standardised.covariance(100), part.T @ part / len(part), atol=1e-4)


def test_bottlenecks_side_by_side_have_a_scale_each() -> None:
    random = np.random.default_rng(0)
    matrix = (random.normal(size=(300, 5)) * [1, 3, 200, 500, 0] + [5, -300, 0, 1000, 7]).astype(np.float32)
    sample = Sample(matrix, np.zeros(300, np.intp), widths=(2, 2, 1)).take(random.permutation(300)[:200])
    standardised = Standardised(sample)
    x = sample.bottlenecks.astype(np.float64)
    scales = [np.sqrt(x[:, part].var(axis=0).mean()) for part in (slice(0, 2), slice(2, 4))]
    assert np.allclose(standardised.scale, [scales[0]] * 2 + [scales[1]] * 2 + [1], rtol=1e-4)
    [(_, block)] = standardised.blocks()
    assert np.allclose(block, (x - x.mean(axis=0)) / standardised.scale, atol=1e-4)
    [(_, block)] = standardised.part(np.arange(7)).blocks()
    assert np.allclose(block, ((x - x.mean(axis=0)) / standardised.scale)[:7], atol=1e-4)


def test_rows_far_apart_are_gathered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SCATTERED_ROWS", 3)
    released = []
    monkeypatch.setattr(module, "release_pages", released.append)
    sample, positions = numbered(n=1000), np.array([999, 3, 500, 3, 0, 77, 12])
    gathered = sample.gather(positions, np.zeros((9, 3), np.float32))
    assert np.array_equal(gathered, sample.matrix[positions])
    assert len(released) == 3
    sample.gather(np.arange(50, 90), np.zeros((40, 3), np.float32))
    assert len(released) == 3


def resident_bytes(path: Path) -> int:
    """How much of a mapped file counts as resident in this process."""
    maps = Path("/proc/self/smaps").read_text().split(f"{path}\n")[1:]
    return (
        sum(int(next(line for line in part.splitlines() if line.startswith("Rss:")).split()[1]) for part in maps) << 10
    )


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="reads Linux's account of the memory")
def test_pages_that_were_read_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "matrix"
    np.zeros((1 << 20, 4), np.float32).tofile(path)  # 16 MB
    everything = Sample(np.memmap(path, np.float32, "r", shape=(1 << 20, 4)), np.zeros(1 << 20, np.intp))
    everything.matrix.sum()
    assert resident_bytes(path) > 8 << 20  # all of it, until the first block has been read
    for part in (everything, everything.take(np.arange(0, 1 << 20, 2))):
        for _, block in part.blocks(1 << 16):
            block.sum()
        assert resident_bytes(path) < 8 << 20


@pytest.mark.parametrize("rows", [None, np.array([7, 2, 2, 9]), np.arange(0, 400, 90)])
def test_float16_is_read_as_float32_of_the_same_numbers(rows: np.ndarray | None) -> None:
    halves = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float16)
    classes = np.zeros(400 if rows is None else len(rows), np.intp)
    kept, same = Sample(halves, classes, rows), Sample(halves.astype(np.float32), classes, rows)
    for size in (3, 1000):
        blocks = [block.copy() for _, block in kept.blocks(size)]
        assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
        assert np.array_equal(np.concatenate(blocks), same.bottlenecks)
    assert kept.bottlenecks.dtype == np.float32 and np.array_equal(kept.bottlenecks, same.bottlenecks)
    batch = np.array([2, 0, 3])
    assert np.array_equal(
        kept.gather(batch, np.empty((5, 5), np.float32)), same.gather(batch, np.empty((5, 5), np.float32))
    )
