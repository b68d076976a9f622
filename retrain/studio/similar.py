"""The labelled photos that a network sees as most like one of the folder; no model is needed for that."""

import functools
from collections.abc import Sequence

import numpy as np

from retrain.bottlenecks.nearest import nearest
from retrain.core.matrix_file import StoredMatrix
from retrain.studio.listing import StudioPhoto
from retrain.studio.seeing import Seen
from retrain.studio.trying import Near

SIMILAR = 5  # photos


def similar_to(photo: StudioPhoto, seen: Seen, count: int = SIMILAR) -> tuple[Near, ...]:
    """Labelled photos of other content than this one, the most similar first, each content once.

    None of a photo that has not been seen yet.
    """
    photos = seen.extraction.photos
    row = _row_of(seen).get(photo.file.path)
    labelled, matrix = _labelled(seen)
    if row is None or not labelled:
        return ()
    found = nearest(matrix, seen.extraction.matrix[row][None], count + 1)
    ids = {one.file.path: one.id for one in seen.listing.photos}
    others = (
        (photos[labelled[place]], cosine)
        for place, cosine in zip(found.rows[0].tolist(), found.cosines[0].tolist(), strict=True)
    )
    near = [Near(ids[one.path], one.label, cosine) for one, cosine in others if one.sha256 != photos[row].sha256]
    return tuple(near[:count])


@functools.lru_cache(maxsize=1)
def _row_of(seen: Seen) -> dict[str, int]:
    return {photo.path: row for row, photo in enumerate(seen.extraction.photos)}


@functools.lru_cache(maxsize=1)
def _labelled(seen: Seen) -> tuple[Sequence[int], StoredMatrix]:
    """The rows of photos that have a label, one of each content, and their bottlenecks."""
    first: dict[str, int] = {}
    for row, photo in enumerate(seen.extraction.photos):
        if photo.label:
            first.setdefault(photo.sha256, row)
    rows = list(first.values())
    return rows, np.ascontiguousarray(seen.extraction.matrix[rows])
