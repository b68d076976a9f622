"""Small pictures inside a page: data URIs, so that the page needs no other file."""

import base64
import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from retrain.errors import PhotoError
from retrain.images import Preprocessing, read_photo

SIDE = 160  # of the longer side, in pixels
QUALITY = 72


def thumbnail_uri(path: str | os.PathLike[str], side: int = SIDE) -> str:
    """A photo as a small JPEG `data:` URI, upright, its longer side `side` pixels; empty if it cannot be read."""
    # `decode(2)` leaves a JPEG at least this size, however large it is.
    copy = Preprocessing.parse(f"decode(2)|orient|resize({max(8, side // 2)},bilinear)|value_range(0,1)")

    def fit(photo: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
        scale = min(1.0, side / max(photo.size))
        return photo.resize((max(1, round(photo.width * scale)), max(1, round(photo.height * scale))), resample)

    try:
        pixels = copy.pixels(read_photo(path), fit)
    except PhotoError:
        return ""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def thumbnail_uris(paths: Iterable[str], side: int = SIDE) -> dict[str, str]:
    """The thumbnails of several photos, by path, made in threads."""
    names = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        return dict(zip(names, threads.map(lambda path: thumbnail_uri(path, side), names), strict=True))
