"""A photo as a small square copy and as a gray thumbnail: what is enough to see whether two are the same picture.

A JPEG is decoded at a fraction of its size where that leaves enough of it, which takes 1 to 3 ms.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from label_image.preprocessing import Pixels, Preprocessing, completed

SIDE = 160  # of the square copy
THUMBNAIL = 32
COPY = Preprocessing.parse(f"decode(2)|orient|resize({SIDE // 2},bilinear)|value_range(0,1)")
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in JPEG

Floats = npt.NDArray[np.float32]


def square_copy(data: bytes) -> Pixels:
    """The photo in these bytes as a square, upright, uint8 (160, 160, 3). Raises PhotoError."""
    return COPY.pixels(completed(data), _square)


def gray(pixels: Pixels) -> Floats:
    """The brightness of pixels (…, 3), 0..255."""
    brightness: Floats = pixels @ LUMA
    return brightness


def thumbnails(brightness: Floats) -> Floats:
    """The means of the blocks of gray square copies (n, 160, 160): (n, 32, 32)."""
    block = SIDE // THUMBNAIL
    rows = brightness.reshape(-1, THUMBNAIL, block, SIDE).sum(axis=2)  # one axis after the other: three times as fast
    means: Floats = rows.reshape(-1, THUMBNAIL, THUMBNAIL, block).sum(axis=3) / np.float32(block**2)
    return means


def _square(photo: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
    # All that was decoded: `decode(2)` leaves twice the size, or more.
    return photo.resize((2 * size, 2 * size), resample)
