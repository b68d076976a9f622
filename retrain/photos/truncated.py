"""JPEGs that end early, and were accepted: what is missing of each, in words."""

import math
from collections.abc import Iterable

import numpy as np

from label_image.errors import PhotoError
from label_image.photo_files.jpeg import END, completed, read_frame
from label_image.preprocessing import Pixels, Preprocessing, photo_bytes
from retrain.photos.dataset import Photo, Skipped

# Decoded at a fraction of its size, as it is stored, with all its rows.
_SMALL = Preprocessing.parse("decode(2)|resize(64,nearest)")
# What no photo goes on with: where it shows, the data had come to their end.
_NOISE = np.random.default_rng(0).integers(1, 255, 4096, np.uint8).tobytes()


def remarks_on(photos: Iterable[Photo]) -> list[Skipped]:
    """What is missing of each of these photos, as a phrase that continues its path."""
    return [Skipped(photo.path, _remark_on(photo.path)) for photo in photos]


def missing_part(data: bytes) -> str:
    """What is missing of a JPEG that ends early. Raises PhotoError if it cannot be decoded."""
    whole = completed(data)
    begun = _rows(whole)
    other = _rows(whole.removesuffix(END).rstrip(b"\xff") + _NOISE + END)  # not in the middle of a marker
    differs = np.flatnonzero((begun != other).any(axis=(1, 2)))
    if not len(differs):
        return "its end marker is missing, and no pixel"
    if read_frame(data).coefficients:
        return "some of its detail is missing"
    missing = (len(begun) - int(differs[0])) / len(begun)
    return f"the last {math.ceil(100 * missing)} % of its rows are missing, in whole or in part"


def _remark_on(path: str) -> str:
    try:
        with photo_bytes(path) as data:
            return f"ends early: {missing_part(data)}"
    except PhotoError:
        return "ends early"


def _rows(data: bytes) -> Pixels:
    return _SMALL.pixels(data, lambda photo, size, resample: photo)
