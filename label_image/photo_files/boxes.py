"""The boxes that HEIC, JPEG 2000 and films are made of: a length, a kind of four letters, and a content."""

import struct
from collections.abc import Iterator

from label_image.errors import PhotoError

MOST_BOXES = 10_000  # beside each other

Box = tuple[bytes, int, int]  # its kind, where its content begins, and where it ends


def boxes_in(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places. Raises PhotoError where one reaches further, or where there are too many."""
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        stop = start + size if size else end
        if stop < start + head:
            raise PhotoError(f"is damaged: a part of it has {size} bytes")
        if stop > end:
            raise PhotoError(f"is cut off: its {len(data)} bytes end before the picture does")
        yield kind, start + head, stop
        start = stop
    raise PhotoError(f"has more than {MOST_BOXES} parts, which no picture needs")
