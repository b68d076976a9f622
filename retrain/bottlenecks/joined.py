"""Bottlenecks of several backbones side by side, row by row those of the same photos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrain.core.matrix_file import BLOCK_BYTES, StoredMatrix, release_pages, scratch_matrix
from retrain.photos.dataset import Photo

Photos = tuple[Photo, ...]


def shared_photos(photos: Sequence[Photos], matrices: Sequence[StoredMatrix]) -> tuple[Photos, list[StoredMatrix]]:
    """The photos that all backbones could use, with their bottlenecks.

    Of each backbone there are its photos and its bottlenecks, (views * photos, dim), view by view; so are those
    that come back.
    """
    rows = [{(photo.path, photo.sha256): row for row, photo in enumerate(of_one)} for of_one in photos]
    shared = tuple(photo for photo in photos[0] if all((photo.path, photo.sha256) in of_one for of_one in rows))
    found = []
    for of_one, row_of, matrix in zip(photos, rows, matrices, strict=True):
        if len(shared) < len(of_one):
            picked = np.array([row_of[photo.path, photo.sha256] for photo in shared], np.intp)
            starts = range(0, len(matrix), len(of_one))
            matrix = matrix[np.concatenate([picked + start for start in starts])]
        found.append(matrix)
    return shared, found


def side_by_side(matrices: Sequence[StoredMatrix], folder: Path) -> StoredMatrix:
    """Matrices (n, dim) as one, (n, sum of dims); a large one is a file in `folder`. Raises StoreError."""
    shape = (len(matrices[0]), sum(matrix.shape[1] for matrix in matrices))
    joined = scratch_matrix(shape, folder, np.result_type(*matrices))
    block = max(1, BLOCK_BYTES // (4 * joined.shape[1]))
    for start in range(0, len(joined), block):
        rows = slice(start, start + block)
        np.concatenate([matrix[rows] for matrix in matrices], axis=1, out=joined[rows])
        for matrix in (*matrices, joined):
            release_pages(matrix)
    return joined
