"""Photos as small pictures: in a page as data URIs, in TensorBoard as one large picture (a sprite)."""

import base64
import io
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from PIL import Image, ImageOps

from label_image.errors import PhotoError
from label_image.preprocessing import Pixels, Preprocessing, completed, photo_bytes
from retrain.photos.reading import photo_threads

SIDE = 144  # pixels of a square; shown at 110 to 144, so that they are sharp enough on a phone, too
LONGER_SIDE = 160  # pixels, where the whole photo is shown
QUALITY = 75  # of JPEG
SPRITE_SIDE = 64
LARGEST_SPRITE = 8192  # pixels a side that TensorBoard's projector takes

Fit = Callable[[Image.Image, int, Image.Resampling], Image.Image]


def square_uris(paths: Iterable[str]) -> dict[str, str]:
    """Each photo that can be read, its middle cut out as a square, as `data:image/jpeg;base64,…`."""
    return _uris(paths, SIDE, _cut)


def whole_uris(paths: Iterable[str], longer_side: int = LONGER_SIDE) -> dict[str, str]:
    """Each photo that can be read, its longer side at most `longer_side`, as `data:image/jpeg;base64,…`."""
    # `decode(2)` leaves the shorter side of a JPEG at least twice what it is asked for.
    return _uris(paths, longer_side // 2, partial(_shrink, longer_side=longer_side))


def small_photo(path: str, longer_side: int) -> Image.Image:
    """One whole photo in RGB, upright, its longer side at most `longer_side`. Raises PhotoError."""
    steps = _steps(longer_side // 2)
    with photo_bytes(path) as data:
        return Image.fromarray(steps.pixels(data, partial(_shrink, longer_side=longer_side)))


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
    for place, pixels in enumerate(_small(paths, side, _cut)):
        if pixels is not None:
            picture.paste(Image.fromarray(pixels), (place % across * side, place // across * side))
    return picture, side


def _uris(paths: Iterable[str], side: int, fit: Fit) -> dict[str, str]:
    unique = list(dict.fromkeys(paths))
    return {
        path: data_uri(Image.fromarray(pixels))
        for path, pixels in zip(unique, _small(unique, side, fit), strict=True)
        if pixels is not None
    }


def _small(paths: Sequence[str], side: int, fit: Fit) -> Iterable[Pixels | None]:
    """Each photo, uint8 RGB, upright, as `fit` makes it of one that is at least `side`; None if it cannot be read."""
    steps = _steps(side)
    with photo_threads() as threads:
        yield from threads.map(partial(_pixels, steps=steps, fit=fit), paths)


def _steps(side: int) -> Preprocessing:
    return Preprocessing.parse(f"decode(2)|orient|resize({side},bilinear)|value_range(0,1)")


def _pixels(path: str, steps: Preprocessing, fit: Fit) -> Pixels | None:
    try:
        with photo_bytes(path) as data:
            return steps.pixels(completed(data), fit)
    except PhotoError:
        return None  # it was there when the bottlenecks were computed, and is gone


def _cut(photo: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
    return ImageOps.fit(photo, (size, size), resample)


def _shrink(photo: Image.Image, size: int, resample: Image.Resampling, longer_side: int) -> Image.Image:
    scale = min(1.0, longer_side / max(photo.size))
    return photo.resize((max(1, round(photo.width * scale)), max(1, round(photo.height * scale))), resample)
