"""The first directory of TIFF files and of EXIF data, which is the same: read before Pillow reads all its values.

A directory has up to 65,535 entries, and each may say that its value is the whole file.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from label_image.errors import PhotoError

WIDTH, ROWS_PER_STRIP, TILE_WIDTH, TILE_LENGTH = 256, 278, 322, 323
BITS, SAMPLES, ORIENTATION = 258, 277, 274
LONGER = 2**24  # bytes that the values may be longer than the file itself
MOST_NUMBERS = 200_000  # in one entry; there are as many as strips or tiles
PRIVATE = 32768  # tags from here on are not unpacked

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}


@dataclass(frozen=True)
class _Entry:
    tag: int
    type: int
    count: int
    size: int  # bytes of its value
    at: int  # where the value stands


def check_directory(data: bytes) -> None:
    """Raises PhotoError where the values of the first directory are longer than any picture needs."""
    total = 0
    for entry in _entries(data):
        total += max(0, min(entry.size, len(data) - entry.at))
        if total > len(data) + LONGER:
            raise PhotoError("is damaged: its tags say that they are many times longer than the file")
        if entry.count > MOST_NUMBERS and entry.size > entry.count and entry.tag < PRIVATE and entry.at < len(data):
            raise PhotoError(f"has {entry.count} numbers in its tag {entry.tag}; the limit is {MOST_NUMBERS}")


def first_numbers(data: bytes) -> dict[int, int]:
    """The first number of each whole-numbered tag."""
    order = _order(data)
    found = {}
    for entry in _entries(data):
        code = _CODES.get(entry.type)
        if code and entry.count and entry.at + struct.calcsize(code) <= len(data):
            found[entry.tag] = int(struct.unpack_from(order + code, data, entry.at)[0])
    return found


def strip_bytes(numbers: dict[int, int], width: int, height: int) -> int:
    """How many bytes a strip or tile has when it is decoded, of a picture of that size."""
    rows, columns = numbers.get(ROWS_PER_STRIP, height), width
    if TILE_WIDTH in numbers:
        rows, columns = numbers.get(TILE_LENGTH, height), numbers[TILE_WIDTH]
        return columns * rows * numbers.get(SAMPLES, 1) * numbers.get(BITS, 8) // 8
    return columns * min(rows, height) * max(4, numbers.get(SAMPLES, 1) * numbers.get(BITS, 8) // 8)


def _order(data: bytes) -> str:
    return ">" if data[:2] == b"MM" else "<"


def _entries(data: bytes) -> Iterator[_Entry]:
    order = _order(data)
    is_big = data[2:4] in (b"+\0", b"\0+")
    entry, inline = struct.Struct(order + ("HHQ8s" if is_big else "HHI4s")), 8 if is_big else 4
    try:
        (start,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)
        (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, start)
        first = start + (8 if is_big else 2)
        for number in range(min(count, 2**16)):
            place = first + number * entry.size
            tag, kind, values, value = entry.unpack_from(data, place)
            size = values * _SIZES.get(kind, 0)
            (offset,) = struct.unpack(order + ("Q" if is_big else "I"), value)
            yield _Entry(tag, kind, values, size, place + entry.size - inline if size <= inline else offset)
    except (struct.error, OverflowError):
        return  # no directory, or a cut one: all that there is has been seen
