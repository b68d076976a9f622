"""Matrices that may be larger than the memory: above a certain size they lie in a file without a name.

Such a file vanishes with the process, however that ends. The kernel writes its pages to the disk and
takes them back as it needs memory; `release_pages` lets it do so at once. It may hold float16: half the disk, and half
the time to read it; who computes with it turns a block at a time into float32 (`in_float32`).
"""

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from label_image.files import reason_of
from retrain.core.errors import StoreError

StoredMatrix = npt.NDArray[np.floating]  # float32, or float16 where it is large and its numbers are no finer

LARGE_BYTES = 256 << 20  # from here on a matrix is a file
BLOCK_BYTES = 16 << 20
HALF_BIAS = np.float32(2.0**112)  # between the exponents of float16 and float32


def scratch_matrix(shape: tuple[int, int], folder: Path, dtype: npt.DTypeLike = np.float32) -> StoredMatrix:
    """A matrix of zeros; a large one is an np.memmap over an unnamed file in `folder`.

    `dtype`, float32 or float16, is that of a large one: small ones are float32 in any case. Where that folder's file
    system cannot be mapped (some of the bind mounts of Docker Desktop), the file lies in the folder for temporary
    files. Raises StoreError where the disk has no room for it.
    """
    if 4 * math.prod(shape) < LARGE_BYTES:
        return np.zeros(shape, np.float32)
    number = np.dtype(dtype)
    size = number.itemsize * math.prod(shape)
    try:
        return _mapped_matrix(shape, number, size, folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk that holds {folder} is full ({reason_of(error)}, {size / 1e9:.1f} GB for the bottlenecks at "
                "work): free some space and run the same command again, or choose another `bottleneck_dir`."
            ) from error
    try:
        return _mapped_matrix(shape, number, size, Path(tempfile.gettempdir()))
    except OSError as error:
        raise StoreError(
            f"Neither {folder} nor {tempfile.gettempdir()} can hold a file of {size / 1e9:.1f} GB in memory "
            f"({reason_of(error)}): choose another `bottleneck_dir`."
        ) from error


def _mapped_matrix(shape: tuple[int, int], dtype: np.dtype[Any], size: int, folder: Path) -> StoredMatrix:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, and a crash (SIGBUS) later
        matrix: StoredMatrix = np.memmap(file, dtype, "w+", 0, shape)
        return matrix


def in_float32(rows: StoredMatrix, out: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Finite numbers of a matrix, exactly, in `out` of the same shape.

    float16 goes by way of its bits: its 15 low ones, moved up, are those of a float32 that is 2^112 times too small.
    That takes 0.7 ns a number where NumPy takes 1.8.
    """
    if rows.dtype != np.float16:
        np.copyto(out, rows)
        return out
    bits = out.view(np.uint32)
    out.view(np.int32)[...] = rows.view(np.int16)  # the sign fills the upper half
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, 0x8FFFFFFF, out=bits)
    out *= HALF_BIAS
    return out


def keep_rows(matrix: StoredMatrix, rows: Sequence[int]) -> StoredMatrix:
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
