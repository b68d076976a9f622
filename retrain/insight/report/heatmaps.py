"""Where the model looked: class activation maps over photos, read from the export that was just written."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageOps

from label_image.errors import PhotoError
from label_image.heatmap import Maps, activation_maps, find_tflite, overlay
from label_image.model import ModelError
from label_image.preprocessing import Pixels, Preprocessing, completed, read_photo
from retrain.photos.thumbnails import SIDE, data_uri

SECONDS = 2.0  # a large network takes half a second for each photo
SMALL = Preprocessing.parse(f"decode(2)|orient|resize({SIDE},bilinear)|value_range(0,1)")


def heat_uris(model: Path, preprocessing: Preprocessing, wanted: Sequence[tuple[str, int]]) -> dict[str, str]:
    """For photos (path, index of a class) where that class is seen on them, by path, as data URIs.

    Empty where the export has no such maps. Without the photos that cannot be read, and without those that
    there is no time for: after `SECONDS` no more are begun.
    """
    if not wanted:
        return {}
    uris: dict[str, str] = {}
    began = time.perf_counter()
    try:
        maps = activation_maps(find_tflite(model))
        for path, index in wanted:
            if time.perf_counter() - began > SECONDS:
                break
            uris |= _heat_uri(path, index, preprocessing, maps)
    except ModelError:
        return {}
    return uris


def _heat_uri(path: str, index: int, preprocessing: Preprocessing, maps: Callable[[Pixels], Maps]) -> dict[str, str]:
    """The photo with its map over it, by path; nothing if it cannot be read."""
    try:
        data = completed(read_photo(path))
        heat = maps(preprocessing.pixels(data))[index]
        photo = Image.fromarray(SMALL.pixels(data, _whole))
    except PhotoError:
        return {}
    return {path: data_uri(ImageOps.fit(overlay(photo, heat), (SIDE, SIDE)))}


def _whole(photo: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
    """The whole photo, its shorter side `size` long."""
    scale = size / min(photo.size)
    width, height = (max(1, min(8 * size, round(side * scale))) for side in photo.size)
    return photo.resize((width, height), resample)
