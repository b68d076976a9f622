"""PPM, PGM and PBM: those that Pillow reads value by value in Python, which takes minutes, are made of 8 bits here."""

import re

import numpy as np
import numpy.typing as npt

from label_image.errors import PhotoError

MOST_HEADER = 4096  # bytes; comments may stand in it
MOST_TEXT = 2**24  # bytes of a picture that is written as text

_BLANK = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADER = re.compile(rb"P([1-6])" + _BLANK + rb"(\d{1,9})" + _BLANK + rb"(\d{1,9})")
_MAXIMUM = re.compile(_BLANK + rb"(\d{1,5})\s")
_NUMBERS = re.compile(rb"[\d\s]*")
_COMMENT = re.compile(rb"#[^\r\n]*")
_NATIVE = {(5, 255), (5, 65535), (6, 255)}


def of_8_bits(data: bytes) -> bytes:
    """The same picture as Pillow reads it fast: of 8 bits, or what it was. Raises PhotoError for what is none."""
    header = _HEADER.match(data, 0, MOST_HEADER)
    if header is None:
        raise PhotoError("is damaged: it does not say its size")
    kind, width, height = map(int, header.groups())
    if kind in (1, 2, 3) and len(data) > MOST_TEXT:
        raise PhotoError(f"has its pixels written as text, {len(data)} bytes; the limit is {MOST_TEXT}: save it as PNG")
    if kind in (1, 4):
        return data
    found = _MAXIMUM.match(data, header.end(), MOST_HEADER)
    maximum = int(found.group(1)) if found else 0
    if found is None or not 0 < maximum < 2**16:
        raise PhotoError("is damaged: it does not say how bright a pixel can be")
    if (kind, maximum) in _NATIVE:
        return data
    count = width * height * (1 if kind in (2, 5) else 3)
    values = _as_text(data[found.end() :]) if kind in (2, 3) else _as_bytes(data, found.end(), maximum)
    if len(values) < count:
        raise PhotoError(f"is cut off: its {len(data)} bytes end before the picture does")
    to_8_bits: npt.NDArray[np.uint8] = np.rint(np.arange(maximum + 1) * (255 / maximum)).astype(np.uint8)
    pixels: bytes = to_8_bits[np.clip(values[:count], 0, maximum)].tobytes()
    return b"P%d %d %d 255\n" % (5 if kind in (2, 5) else 6, width, height) + pixels


def _as_bytes(data: bytes, start: int, maximum: int) -> npt.NDArray[np.integer]:
    if maximum < 256:
        return np.frombuffer(data, np.uint8, offset=start)
    return np.frombuffer(data, ">u2", (len(data) - start) // 2, start)


def _as_text(text: bytes) -> npt.NDArray[np.integer]:
    numbers = _COMMENT.sub(b" ", text)
    if not _NUMBERS.fullmatch(numbers):  # what NumPy says of it is a warning
        raise PhotoError("is damaged: not all of its pixels are numbers")
    return np.fromstring(numbers.decode("ascii"), np.int64, sep=" ")
