"""Photos as programs have them: paths, encoded bytes, Pillow's images, arrays of uint8.

What is in memory is handed on as a PNG of the same pixels, gray of more than 8 bits as a TIFF, so that every photo goes
one way from there. A JPEG is best
passed as its path or bytes: a large one is decoded at a fraction of its size, as in training.
"""

import io
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from label_image.errors import PhotoError
from label_image.in_order import map_in_order
from label_image.pool import MOST
from label_image.preprocessing import Pixels, Preprocessing, load_pixels

AnyPhoto = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8]
KINDS = "a path, the bytes of a file, an image of Pillow, or an array of uint8 (height, width, 3)"
AHEAD = 2 * MOST


def as_photos(photos: AnyPhoto | Iterable[AnyPhoto]) -> list[AnyPhoto]:
    """A list of photos; one photo is enough, and an array (n, height, width, 3) is n of them."""
    if isinstance(photos, str | os.PathLike | bytes | bytearray | Image.Image):
        return [photos]
    if isinstance(photos, np.ndarray) and photos.dtype.kind == "u" and photos.ndim in (2, 3):
        return [photos]
    # A file gives its lines, and a view of memory its numbers: neither is a list of photos.
    if not isinstance(photos, Iterable) or isinstance(photos, memoryview) or hasattr(photos, "read"):
        return [photos]  # type: ignore[list-item]  # whoever looks at it says what it is
    return list(photos)


def encoded(photo: AnyPhoto) -> bytes:
    """The bytes of a photo in memory, those of a PNG or TIFF where it is not encoded. Raises PhotoError."""
    if isinstance(photo, bytes | bytearray):
        return bytes(photo)
    try:
        return _written(_image(photo))
    except PhotoError:
        raise
    except Exception as error:  # Pillow decodes an opened image only here, and raises what its plugins do
        raise PhotoError(f"cannot be decoded: {str(error).strip().rstrip('.') or type(error).__name__}") from None


def pixels_of(photo: AnyPhoto, preprocessing: Preprocessing) -> Pixels:
    """A photo as a network sees it, uint8 RGB (size, size, 3). Raises PhotoError."""
    if isinstance(photo, str | os.PathLike):
        return load_pixels(photo, preprocessing)
    return preprocessing.pixels(encoded(photo))


def batches(photos: list[AnyPhoto], preprocessing: Preprocessing, size: int) -> Iterator[Pixels]:
    """Photos prepared by all cores, `size` at a time. Raises PhotoError, which says of which photo."""

    def prepare(place: int) -> Pixels:
        try:
            return pixels_of(photos[place], preprocessing)
        except PhotoError as error:
            raise PhotoError(f"{name_of(photos[place], place)} {error}") from None

    if len(photos) == 1:
        yield prepare(0)[None]
        return
    from concurrent.futures import ThreadPoolExecutor  # 10 ms that one photo need not wait for

    with ThreadPoolExecutor(MOST, thread_name_prefix="photos") as threads:
        prepared = map_in_order(prepare, range(len(photos)), threads, AHEAD)
        while batch := list(islice(prepared, size)):
            yield np.stack(batch)


def name_of(photo: AnyPhoto, place: int) -> str:
    """What a photo of a list is called: its path, or its place."""
    return os.fspath(photo) if isinstance(photo, str | os.PathLike) else f"photo {place}"


def _image(photo: Any) -> Image.Image:
    if isinstance(photo, Image.Image):
        from PIL import ImageOps

        return ImageOps.exif_transpose(photo) or photo
    if not isinstance(photo, np.ndarray):
        raise PhotoError(f"is {type(photo).__name__}, not {KINDS}{_instead_of(photo)}")
    if photo.dtype != np.uint8:
        raise PhotoError(f"is an array of {photo.dtype}, not of uint8: multiply values of 0..1 by 255")
    if photo.ndim == 3 and photo.shape[2] == 1:
        photo = photo[:, :, 0]
    if photo.ndim not in (2, 3) or (photo.ndim == 3 and photo.shape[2] not in (3, 4)) or 0 in photo.shape:
        raise PhotoError(f"is an array of the shape {photo.shape}, not (height, width, 3)")
    return Image.fromarray(np.ascontiguousarray(photo))


def _instead_of(photo: Any) -> str:
    """What to pass in place of something that has the bytes of a photo, and is not them."""
    if isinstance(photo, memoryview):
        return ": pass bytes(…) of it"
    return ": pass what its read() gives" if hasattr(photo, "read") else ""


def _written(image: Image.Image) -> bytes:
    file = io.BytesIO()
    if image.mode.startswith(("I", "F")):  # Pillow's own conversion would make white of all above 255
        image.save(file, "TIFF")
        return file.getvalue()
    (image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else image.convert("RGB")).save(
        file, "PNG", compress_level=1
    )
    return file.getvalue()
