"""The photos whose bottlenecks are most like others: by the cosine, exactly, all of them compared.

Memory is read once, in blocks that stay in a core's cache while their lengths and their products are taken, by a thread
for each core. An index that guesses would save time only where very many photos are asked about.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrain.core.blas import one_thread
from retrain.core.errors import OptionError
from retrain.core.machine import cores
from retrain.core.matrix_file import StoredMatrix
from retrain.core.typed import require_whole

BLOCK_BYTES = 2 << 20  # of rows in float32: they stay in the second-level cache
ASKED = 512  # vectors that are compared at a time, by which the lengths of the rows are taken once for all of them
STRIPE = 8192  # rows after which the best are sought: a core holds no more cosines, which is 16 MB

Rows = npt.NDArray[np.intp]
Cosines = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Nearest:
    """For each of m vectors the rows (m, count) that are most like it, best first, and their `cosines` (m, count)."""

    rows: Rows
    cosines: Cosines


def nearest(matrix: StoredMatrix, vectors: StoredMatrix, count: int = 10) -> Nearest:
    """The `count` rows of a matrix (n, dim), or all of fewer, that are most like each of some vectors (m, dim).

    Of rows that are equally like it the first come first. Raises OptionError where the shapes do not fit.
    """
    try:
        vectors = np.asarray(vectors)
    except ValueError:  # rows of several lengths
        raise OptionError("`vectors` are no matrix: pass (m, dim) numbers, as the `matrix` of bottlenecks.") from None
    if matrix.ndim != 2 or vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or matrix.shape[1] != vectors.shape[1]:
        raise OptionError(f"`vectors` of shape {vectors.shape} do not fit bottlenecks of shape {matrix.shape}.")
    if not np.isfinite(vectors).all():
        raise OptionError("`vectors` hold numbers that are not finite: nothing is near to them.")
    if require_whole(count, "count") < 1:
        raise OptionError(f"`count` {count} is not a number of photos: give 1 or more.")
    parts = [_some(matrix, vectors[start : start + ASKED], count) for start in range(0, len(vectors), ASKED)]
    shape = (0, min(count, len(matrix)))
    rows = np.concatenate([np.zeros(shape, np.intp), *(part.rows for part in parts)])
    cosines = np.concatenate([np.zeros(shape, np.float32), *(part.cosines for part in parts)])
    return Nearest(rows, cosines)


def best(parts: Sequence[Nearest], count: int) -> Nearest:
    """The best of several parts for the same vectors, whose rows are numbered together."""
    rows = np.concatenate([part.rows for part in parts], axis=1)
    cosines = np.concatenate([part.cosines for part in parts], axis=1)
    order = np.lexsort((rows, -cosines), axis=1)[:, :count]
    return Nearest(np.take_along_axis(rows, order, axis=1), np.take_along_axis(cosines, order, axis=1))


def _some(matrix: StoredMatrix, vectors: StoredMatrix, count: int) -> Nearest:
    directions = np.ascontiguousarray(_directions(vectors).T)
    step = max(1, min(STRIPE, -(-len(matrix) // cores())))  # of few rows each core has a share as well

    def stripe(start: int) -> Nearest:
        return _best_of_stripe(matrix[start : start + step], directions, count, start)

    with one_thread(), ThreadPoolExecutor(cores(), thread_name_prefix="nearest") as threads:
        found = list(threads.map(stripe, range(0, len(matrix), step)))
    empty = Nearest(np.zeros((len(vectors), 0), np.intp), np.zeros((len(vectors), 0), np.float32))
    return best([empty, *found], count)


def _best_of_stripe(stripe: StoredMatrix, directions: npt.NDArray[np.float32], count: int, start: int) -> Nearest:
    """Of rows that begin at `start`."""
    cosines = np.empty((directions.shape[1], len(stripe)), np.float32)
    lengths = np.empty(len(stripe), np.float32)
    step = max(1, BLOCK_BYTES // (4 * stripe.shape[1]))
    for first in range(0, len(stripe), step):
        block = np.asarray(stripe[first : first + step], np.float32)
        np.einsum("ij,ij->i", block, block, out=lengths[first : first + step])
        cosines[:, first : first + step] = (block @ directions).T
    cosines /= np.maximum(np.sqrt(lengths), np.finfo(np.float32).tiny)
    # Those that are as good as the last one are all looked at: the first rows of them are wanted.
    most = min(count, len(stripe))
    limits = np.partition(cosines, len(stripe) - most, axis=1)[:, len(stripe) - most]
    parts = []
    for row, limit in zip(cosines, limits, strict=True):
        candidates = np.flatnonzero(row >= limit)
        chosen = candidates[np.argsort(-row[candidates], kind="stable")[:most]]
        parts.append((start + chosen, row[chosen]))
    return Nearest(np.stack([rows for rows, _ in parts]), np.stack([values for _, values in parts]))


def _directions(vectors: StoredMatrix) -> npt.NDArray[np.float32]:
    exact = vectors.astype(np.float64)
    least = np.finfo(np.float64).tiny
    exact /= np.maximum(np.abs(exact).max(axis=1, keepdims=True, initial=0), least)  # so that squares are finite
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    found: npt.NDArray[np.float32] = (exact / np.maximum(lengths, least)).astype(np.float32)
    return found
