"""Decoding a photo within a budget of bytes: to a small square, or upright in RGB.

A photo that is decoded whole is in memory once as it is stored. It is turned and made RGB in bands of a megapixel,
so that this needs one more copy and not five. Above LARGEST pixels there is no room for that copy either: bands are
resized along their rows, each for itself, and then all of them along the columns. That is the order of most other
photos, too (see `resizing`); the pixels of a tall one may be off by a level of rounding.
"""

import math
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image

from label_image.errors import PhotoError
from label_image.photo_files import bmp, tiff
from label_image.photo_files.budget import ByteBudget
from label_image.photo_files.colours import Convert, as_it_is, to_8_bits
from label_image.photo_files.opening import NO_MEMORY, TURNS, OpenPhoto, orientation
from label_image.photo_files.resizing import Box, squeezed

MOST_BYTES = 640 * 2**20  # enough for a PNG of 150 megapixels, or a progressive JPEG of 108
ORDINARY_BYTES = 56 * 2**20  # of a PNG of 12 megapixels
BAND = 2**20  # pixels
LARGEST = 2**25  # pixels, 33 million, of a photo of which there may be a copy

DECODING = ByteBudget(MOST_BYTES, ORDINARY_BYTES)

Size = tuple[int, int]
Turn = Image.Transpose | None

_SWAPPING = {
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
}
_BACKWARD = {  # whose first row is the last row or column that is stored
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_90,
    Image.Transpose.TRANSVERSE,
}
# Bytes per pixel: of a decoded picture by its mode (4 of all others), of what decoders take beside it, of a band that
# is turned and made RGB, and of the copies that are made of a whole photo.
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
_DECODERS = {"WEBP": 12, "AVIF": 16, "GIF": 1}
_RUN_LENGTH = 3
_BAND = 24
_COPY, _DISTORTED = 4, 12
_FILTER = 48  # per pixel of a side: the weights of the widest filter


@dataclass(frozen=True)
class Decoded:
    """A photo in memory as it is stored; `turn` makes it upright, `convert` 8 bits of RGB or gray.

    There is room for a copy that is so many `times` smaller.
    """

    image: Image.Image
    turn: Turn
    convert: Convert
    times: int = 1

    def square(self, side: int, resample: Image.Resampling, box: Box | None = None) -> Image.Image:
        """The upright photo in RGB, squeezed to a square. `box` is what it fills of the picture, if not all."""
        if box is None:
            return _rgb(_squeezed(self, side, resample))
        stored = Decoded(self.image, None, self.convert)
        return _rgb(_turned(_squeezed(stored, side, resample, box), self.turn))

    def upright(self, box: Box | None = None) -> Image.Image:
        """The upright photo in RGB. A large one, by LARGEST or `times`, is made smaller by a whole number."""
        size = self.image.size if box is None else (round(box[2]), round(box[3]))
        times = max(self.times, math.ceil(math.sqrt(size[0] * size[1] / LARGEST)))
        return _assembled(self, size, times).convert("RGB")


@contextmanager
def decoded(photo: OpenPhoto, side: int, orient: bool, whole: bool) -> Iterator[Decoded]:
    """Decode a photo once there is room for it; it is in memory while the block runs.

    It is wanted as a square of that side, or `whole`. Raises PhotoError for one that takes more than there is for all,
    and whatever Pillow raises.
    """
    times = _times_smaller(photo, side) if whole else 1
    need = decode_bytes(photo, side, whole, times)
    if need > DECODING.total:
        raise PhotoError(
            f"is {photo.image.width} x {photo.image.height} pixels and would take {need / 1e6:,.0f} MB to decode; "
            f"the limit is {DECODING.total / 1e6:.0f} MB: make it smaller, or save it as JPEG"
        )
    with DECODING.reserved(need):
        try:
            photo.image.load()  # Pillow turns a TIFF while it loads, and then drops the orientation
            turn = TURNS.get(orientation(photo.image)) if orient else None
            yield Decoded(photo.image, turn, to_8_bits(photo), times)
        except Exception:
            photo.image.close()  # it is in nobody's way then
            if not _is_room_for(need):  # several libraries call that a damaged file
                raise PhotoError(NO_MEMORY) from None
            raise


def decode_bytes(photo: OpenPhoto, side: int, whole: bool = False, times: int = 1) -> int:
    """How many bytes it takes, at most, to decode an open photo and bring it to a square of that side.

    One that is wanted whole is made smaller so many times, or as LARGEST says.
    """
    image = photo.image
    width, height = image.size
    pixels, longest = width * height, max(width, height)
    is_ready = image.mode in ("RGB", "L") and "transparency" not in image.info and orientation(image) == 1
    band = 0 if is_ready else _BAND
    copies = 0 if is_ready or pixels > LARGEST else pixels * _COPY
    return (
        pixels * _STORED.get(image.mode, 4)
        + _decoder_bytes(photo)
        + (_distorted_bytes(pixels, times) if whole else copies)
        + min(pixels, max(BAND, longest)) * band
        + (width + height) * _FILTER
        + 4 * side * longest
    )


def _distorted_bytes(pixels: int, times: int) -> int:
    """What the copies of a photo take that is wanted whole, and so many times smaller."""
    # A JPEG may fill a little less than what is decoded, and so need not be made smaller.
    return pixels // max(times, math.ceil(math.sqrt(pixels / LARGEST / 1.05))) ** 2 * _DISTORTED


def _times_smaller(photo: OpenPhoto, side: int) -> int:
    """How many times smaller a photo has to be that is wanted whole, for there to be room; 1 if that does not help."""
    pixels = photo.image.width * photo.image.height
    room = DECODING.total - decode_bytes(photo, side, whole=True) + _distorted_bytes(pixels, 1)
    enough = range(1, min(photo.image.size) // side + 1)
    return next((times for times in enough if _distorted_bytes(pixels, times) <= room), 1)


def _is_room_for(size: int) -> bool:
    """Whether the process may have as many bytes more (ulimit -v)."""
    try:
        mmap.mmap(-1, max(size, 1)).close()
    except (OSError, MemoryError):
        return False
    return True


def _decoder_bytes(photo: OpenPhoto) -> int:
    """What the decoder takes beside the decoded picture."""
    pixels = photo.image.width * photo.image.height
    beside = photo.kept + pixels * _DECODERS.get(photo.kind, 0)
    if photo.kind in ("PNG", "WEBP", "AVIF", "HEIF"):  # these have another copy of the file
        beside += len(photo.data)
    if photo.kind == "BMP" and bmp.is_run_length_coded(photo.data):
        beside += pixels * _RUN_LENGTH
    if photo.kind == "TIFF":
        numbers = tiff.first_numbers(photo.data)
        beside += tiff.strip_bytes(numbers, photo.image.width, photo.image.height)
        if numbers.get(tiff.ORIENTATION, 1) != 1:
            beside += 4 * pixels
    return beside


def _squeezed(photo: Decoded, side: int, resample: Image.Resampling, box: Box | None = None) -> Image.Image:
    """All of the photo, or its box, as a square. There is no box of one that is turned."""
    image = photo.image
    if image.width * image.height <= LARGEST or (photo.turn is None and photo.convert is as_it_is):
        return squeezed(_assembled(photo, image.size), side, resample, box)
    width, height = image.size[::-1] if photo.turn in _SWAPPING else image.size
    left, top, right, bottom = box or (0, 0, width, height)
    narrow = None
    for row, band in _bands(photo, image.size):
        narrow = narrow or Image.new(band.mode, (side, height))
        narrow.paste(band.resize((side, band.height), resample, (left, 0, right, band.height)), (0, row))
    assert narrow is not None, "no photo is without a row"
    return narrow.resize((side, side), resample, (0, top, side, bottom))


def _assembled(photo: Decoded, size: Size, times: int = 1) -> Image.Image:
    """The upright photo of 8 bits, as many times smaller. `size` is what it fills of the picture, as it is stored."""
    if photo.turn is None and photo.convert is as_it_is and size == photo.image.size and times == 1:
        return photo.image
    width, height = size[::-1] if photo.turn in _SWAPPING else size
    whole = None
    for row, band in _bands(photo, size, times):
        whole = whole or Image.new(band.mode, (-(-width // times), -(-height // times)))
        whole.paste(band.reduce(times) if times > 1 else band, (0, row // times))
    assert whole is not None, "no photo is without a row"
    return whole


def _bands(photo: Decoded, size: Size, times: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """The upright photo from top to bottom, in parts: the first row of each, and the part.

    `size` is that of the photo as it is stored. All parts but the last have a multiple of `times` rows.
    """
    width, height = size[::-1] if photo.turn in _SWAPPING else size
    rows = max(1, BAND // width // times) * times
    if rows >= height and size == photo.image.size:
        yield 0, _turned(photo.convert(photo.image), photo.turn)
        return
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, end = (height - bottom, height - top) if photo.turn in _BACKWARD else (top, bottom)
        box = (first, 0, end, size[1]) if photo.turn in _SWAPPING else (0, first, size[0], end)
        yield top, _turned(photo.convert(photo.image.crop(box)), photo.turn)


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")  # which copies what is RGB already


def _turned(image: Image.Image, turn: Turn) -> Image.Image:
    return image if turn is None else image.transpose(turn)
