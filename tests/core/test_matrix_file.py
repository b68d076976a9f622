import errno
import os
from pathlib import Path

import numpy as np
import pytest

from retrain.core import matrix_file
from retrain.core.errors import StoreError
from retrain.core.matrix_file import in_float32, keep_rows, release_pages, scratch_matrix


@pytest.fixture(params=["small", "large"])
def matrix(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Row i is filled with i."""
    if request.param == "large":
        monkeypatch.setattr(matrix_file, "LARGE_BYTES", 1)
    made = scratch_matrix((100, 3), tmp_path)
    assert isinstance(made, np.memmap) == (request.param == "large")
    assert (made.dtype, made.shape, made.any()) == (np.float32, (100, 3), False)
    made[:] = np.arange(100)[:, None]
    return made


@pytest.mark.parametrize(
    "rows", [[], [0], [99], list(range(100)), list(range(0, 100, 3)), [*range(50), *range(51, 100)]]
)
@pytest.mark.parametrize("block_bytes", [1, 12 * 7, 1 << 20])
def test_kept_rows_move_together_in_place(
    matrix: np.ndarray, rows: list[int], block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_file, "BLOCK_BYTES", block_bytes)
    kept = keep_rows(matrix, rows)
    assert kept.shape == (len(rows), 3)
    assert kept[:, 0].tolist() == kept[:, 2].tolist() == rows
    assert not rows or np.may_share_memory(kept, matrix)


def test_released_pages_keep_their_numbers(matrix: np.ndarray) -> None:
    release_pages(matrix)
    release_pages(matrix[10:20])
    assert matrix[:, 1].tolist() == list(range(100))


def test_private_pages_are_not_released(tmp_path: Path) -> None:
    np.zeros(10, np.float32).tofile(tmp_path / "file")
    private = np.memmap(tmp_path / "file", np.float32, "c")
    private[:] = 1
    release_pages(private[2:])
    assert private.all()


def test_a_large_matrix_leaves_no_file_behind_and_is_not_resident(tmp_path: Path) -> None:
    made = scratch_matrix((1, matrix_file.LARGE_BYTES // 4), tmp_path)
    assert not list(tmp_path.iterdir())
    before = resident()
    made[:] = 1
    assert resident() - before > matrix_file.LARGE_BYTES // 2
    release_pages(made)
    assert resident() - before < matrix_file.LARGE_BYTES // 8


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def full(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StoreError, match=r"is full .* 0\.4 GB"):
        scratch_matrix((100_000, 1000), tmp_path)


def test_where_the_folder_cannot_be_mapped_another_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_file, "LARGE_BYTES", 1)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(matrix_file.tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "no folder").touch()
    made = scratch_matrix((10, 3), tmp_path / "no folder")
    made[:] = 7
    assert isinstance(made, np.memmap) and made.sum() == 210
    with pytest.raises(StoreError, match="choose another `bottleneck_dir`"):
        monkeypatch.setattr(matrix_file.tempfile, "tempdir", str(tmp_path / "no folder"))
        scratch_matrix((10, 3), tmp_path / "no folder")


def test_a_large_matrix_may_hold_float16_and_a_small_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert scratch_matrix((10, 3), tmp_path, "float16").dtype == np.float32
    monkeypatch.setattr(matrix_file, "LARGE_BYTES", 1)
    made = scratch_matrix((10, 3), tmp_path, "float16")
    assert isinstance(made, np.memmap) and (made.dtype, made.shape, made.any()) == (np.float16, (10, 3), False)


def test_every_finite_float16_is_read_exactly() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    read = in_float32(halves, np.empty(len(halves), np.float32))
    assert np.array_equal(read.view(np.uint32), halves.astype(np.float32).view(np.uint32))  # zeros have signs
    assert len(halves) == 2 * (1 << 10) * 31
