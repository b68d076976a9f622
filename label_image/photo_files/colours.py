"""From what a photo stores to RGB, or gray, of 8 bits: gray of any depth, palettes, transparency."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from label_image.errors import PhotoError
from label_image.photo_files import png, tiff
from label_image.photo_files.opening import OpenPhoto

Convert = Callable[[Image.Image], Image.Image]

# What gray of more than 8 bits is taken for: the least depth that holds its brightest pixel. X-rays and microscopes
# have 8, 10 or 12 bits and are stored in 16 or 32. One of 13 to 16 bits shows its high byte, as in every viewer.
DEPTHS = (8, 10, 12, 16, 24, 32)
BLACK = 16  # of 256: colours of 16 bits that stay below are a picture of 12 bits or less, and look black
_ROWS = 2**20  # pixels that are looked at in one go
_UNSIGNED = 1  # of TIFF's tag SampleFormat
_SAMPLE_FORMAT = 339


def to_8_bits(photo: OpenPhoto) -> Convert:
    """What makes RGB of the decoded photo, and of any part of it, or gray (mode L) where it has no colours.

    Raises PhotoError for what has no such meaning.
    """
    image = photo.image
    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        _check_not_black(photo)
        return as_it_is
    if image.mode == "F":
        raise PhotoError("has floating-point pixels; save it with 8 bits per channel")
    if image.mode.startswith("I"):
        return _gray(photo)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        _check_not_black(photo)
        if photo.kind in ("BMP", "TGA") and _is_invisible(image):
            return _plain  # programs that know no transparency leave these bytes zero
        return _over_white
    return _plain


def as_it_is(image: Image.Image) -> Image.Image:
    """The same picture: of what is RGB or gray of 8 bits already."""
    return image


def _plain(image: Image.Image) -> Image.Image:
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _gray(photo: OpenPhoto) -> Convert:
    """Gray of 16 or 32 bits, by the high byte of the depth that it uses."""
    image = photo.image
    # Pillow has no mode for 32 bits without a sign.
    unsigned = image.mode == "I" and photo.kind == "TIFF" and _sample_format(photo.data) == _UNSIGNED

    def values(part: Image.Image) -> npt.NDArray[np.integer]:
        stored = np.asarray(part)
        return stored.view(np.uint32) if unsigned else stored

    if photo.kind == "HEIF":
        brightest = 2**16 - 1  # libheif has stretched its 10 or 12 bits to 16
    elif image.mode == "I;16":
        brightest = int(image.getextrema()[1])  # type: ignore[arg-type]
    else:
        brightest = max(int(values(rows).max()) for rows in _in_rows(image))
    shift = next(depth for depth in DEPTHS if brightest < 2**depth) - 8

    def convert(part: Image.Image) -> Image.Image:
        gray: npt.NDArray[np.uint8] = (np.maximum(values(part), 0) >> shift).astype(np.uint8)
        return Image.fromarray(gray)

    return convert


def _sample_format(data: bytes) -> int:
    return tiff.first_numbers(data).get(_SAMPLE_FORMAT, _UNSIGNED)


def _is_invisible(image: Image.Image) -> bool:
    return image.mode == "RGBA" and _highest(image, (3,)) == 0


def _check_not_black(photo: OpenPhoto) -> None:
    """Colours of 16 bits: Pillow keeps the high bytes alone, and of 12 bits in 16 these are next to nothing."""
    if photo.image.mode == "L" or not _has_16_bits(photo) or _highest(photo.image, (0, 1, 2)) >= BLACK:
        return
    raise PhotoError(
        "has 16 bits per channel and uses less than a sixteenth of their range, so that it would be black; "
        "save it with 8 bits per channel"
    )


def _has_16_bits(photo: OpenPhoto) -> bool:
    if photo.kind == "PNG":
        return png.has_16_bits(photo.data)
    return photo.kind == "TIFF" and tiff.first_numbers(photo.data).get(tiff.BITS) == 16


def _highest(image: Image.Image, channels: Sequence[int]) -> int:
    """The highest value of some channels of an RGB or RGBA picture."""
    return max(int(np.asarray(rows)[..., list(channels)].max()) for rows in _in_rows(image))


def _in_rows(image: Image.Image) -> Iterator[Image.Image]:
    """The picture, from top to bottom, in parts."""
    height = max(1, _ROWS // image.width)
    for top in range(0, image.height, height):
        yield image.crop((0, top, image.width, min(top + height, image.height)))
