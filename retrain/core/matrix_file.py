"""Matrices that may be larger than the memory: above a certain size they lie in a file without a name.

Such a file vanishes with the process, however that ends. The kernel writes its pages to the disk and
takes them back as it needs memory; `release_pages` lets it do so at once.
"""

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrain.core.errors import StoreError

Matrix = npt.NDArray[np.float32]

LARGE_BYTES = 256 << 20  # from here on a matrix is a file
BLOCK_BYTES = 16 << 20


def scratch_matrix(shape: tuple[int, int], folder: Path) -> Matrix:
    """A float32 matrix of zeros; a large one is an np.memmap over an unnamed file in `folder`.

    Where that folder's file system cannot be mapped (some of the bind mounts of Docker Desktop), the
    file lies in the folder for temporary files. Raises StoreError where the disk has no room for it.
    """
    size = 4 * math.prod(shape)
    if size < LARGE_BYTES:
        return np.zeros(shape, np.float32)
    try:
        return _mapped_matrix(shape, size, folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk that holds {folder} is full ({error.strerror}, {size / 1e9:.1f} GB for the bottlenecks at "
                "work): free some space and run the same command again, or choose another `bottleneck_dir`."
            ) from error
    try:
        return _mapped_matrix(shape, size, Path(tempfile.gettempdir()))
    except OSError as error:
        raise StoreError(
            f"Neither {folder} nor {tempfile.gettempdir()} can hold a file of {size / 1e9:.1f} GB in memory "
            f"({error.strerror}): choose another `bottleneck_dir`."
        ) from error


def _mapped_matrix(shape: tuple[int, int], size: int, folder: Path) -> Matrix:
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, and a crash (SIGBUS) later
        matrix: Matrix = np.memmap(file, np.float32, "w+", 0, shape)
        return matrix


def keep_rows(matrix: Matrix, rows: Sequence[int]) -> Matrix:
    """The given rows, ascending, moved together at the beginning of the matrix, and a view of them."""
    block = max(1, BLOCK_BYTES // (matrix.itemsize * max(1, matrix.shape[1])))
    for start in range(0, len(rows), block):
        # Row i comes from row i or a later one, so that nothing is overwritten that is still needed.
        chosen = rows[start : start + block]
        if chosen[-1] != start + len(chosen) - 1:
            matrix[start : start + len(chosen)] = matrix[chosen]
            release_pages(matrix)
    return matrix[: len(rows)]


def release_pages(matrix: npt.NDArray[np.generic]) -> None:
    """Let the kernel take back the pages of a memmap, which its file keeps: else every page that was
    touched counts as resident. Other arrays, and private mappings, are left alone."""
    array: object = matrix
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.mode == "c":
            return  # private pages hold what the file does not
        array = array.base
    if isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)
