"""Photos as small squares: in a page as data URIs, in TensorBoard as one large picture (a sprite)."""

import base64
import io
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from PIL import Image, ImageOps

from retrain.errors import PhotoError
from retrain.images import Pixels, Preprocessing, read_photo

SIDE = 144  # pixels; shown at 110 to 144, so that they are sharp enough on a phone, too
QUALITY = 75  # of JPEG
SPRITE_SIDE = 64
LARGEST_SPRITE = 8192  # pixels a side that TensorBoard's projector takes


def data_uris(paths: Iterable[str]) -> dict[str, str]:
    """Each photo that can be read, its middle cut out as a square, as `data:image/jpeg;base64,…`."""
    unique = list(dict.fromkeys(paths))
    return {
        path: data_uri(Image.fromarray(pixels))
        for path, pixels in zip(unique, _squares(unique, SIDE), strict=True)
        if pixels is not None
    }


def data_uri(image: Image.Image) -> str:
    """An RGB picture as a JPEG inside an address."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def sprite(paths: Sequence[str]) -> tuple[Image.Image, int]:
    """The photos side by side, row by row, in one picture, and the side of each. One that cannot be read is gray.

    The picture is a square of whole photos, of at most `LARGEST_SPRITE` pixels a side, as TensorBoard wants it.
    """
    across = max(1, math.ceil(math.sqrt(len(paths))))
    side = max(1, min(SPRITE_SIDE, LARGEST_SPRITE // across))
    picture = Image.new("RGB", (across * side, across * side), (128, 128, 128))
    for place, pixels in enumerate(_squares(paths, side)):
        if pixels is not None:
            picture.paste(Image.fromarray(pixels), (place % across * side, place // across * side))
    return picture, side


def _squares(paths: Sequence[str], side: int) -> Iterable[Pixels | None]:
    """The middle of each photo, uint8 RGB (side, side, 3), upright; None for one that cannot be read."""
    steps = Preprocessing.parse(f"decode(2)|orient|resize({side},bilinear)|value_range(0,1)")
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="thumbnails") as threads:
        yield from threads.map(partial(_square, steps=steps), paths)


def _square(path: str, steps: Preprocessing) -> Pixels | None:
    try:
        return steps.pixels(read_photo(path), _cut)
    except PhotoError:
        return None  # it was there when the bottlenecks were computed, and is gone


def _cut(photo: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
    return ImageOps.fit(photo, (size, size), resample)
