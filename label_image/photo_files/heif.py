"""HEIC files by their boxes: what decoding them takes, before a library is asked to.

libheif refuses what its `ispe` boxes do not announce. It copies metadata once for each picture that refers to them,
and decodes a tile as often as a grid names it, so that files of a few kilobytes could take gigabytes and minutes.
"""

import struct
from dataclasses import dataclass, field
from functools import cache

from label_image.errors import PhotoError
from label_image.photo_files.boxes import boxes_in

MOST_STRUCTURE = 2**22  # bytes that describe the pictures of a file; a phone's are a few thousand
MOST_COPIED = 2**26  # bytes of metadata, each as often as it is copied
MOST_DECODED = 200_000_000  # pixels of all tiles, each as often as it is shown: seconds
DEEPEST = 8  # pictures that are made of pictures

_COPIED = (b"Exif", b"mime", b"uri ")


@dataclass
class _Boxes:
    """What the boxes of a file say, by the numbers of its items and properties."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)  # pixels, by number of the property
    profile: int = 0  # bytes of the longest colour profile
    properties: dict[int, list[int]] = field(default_factory=dict)
    parts: dict[int, list[int]] = field(default_factory=dict)  # what a grid or an overlay is made of
    auxiliary: dict[int, list[int]] = field(default_factory=dict)  # such as transparency
    described: int = 0  # how often metadata belong to a picture
    lengths: dict[int, int] = field(default_factory=dict)


def decoded_pixels(data: bytes) -> int:
    """The pixels of the largest picture that the file announces: the main one, before it is cropped.

    Raises PhotoError for what would take gigabytes or minutes, and for what holds no picture.
    """
    try:
        boxes = _read(data)
    except (struct.error, IndexError):
        raise PhotoError("is damaged: what it says of its pictures ends early") from None
    if boxes is None:
        raise PhotoError("is a HEIC file without a still picture: save one frame of it as JPEG")
    copies = boxes.described * max((boxes.lengths.get(item, 0) for item in _metadata(boxes)), default=0)
    if copies + boxes.profile * len(boxes.kinds) > MOST_COPIED:
        raise PhotoError("has metadata that belong to many pictures and would take much memory: save it as JPEG")
    shown = [boxes.primary, *boxes.auxiliary.get(boxes.primary, ())]
    if sum(_work(boxes, item) for item in shown if item in boxes.parts) > MOST_DECODED:
        raise PhotoError(f"is made of tiles of more than {MOST_DECODED} pixels in all: save it as JPEG")
    return max(boxes.sizes.values(), default=0)


def bytes_per_pixel(mode: str, bits: int) -> int:
    """What decoding takes for each pixel beside the picture, as measured and rounded up."""
    if mode in ("L", "I;16"):
        return 4 if bits <= 8 else 8
    channels = 4 if mode.endswith("A") else 3
    return (6 if bits <= 8 else 12) * channels // 3 + channels - 3


def _metadata(boxes: _Boxes) -> list[int]:
    return [item for item, kind in boxes.kinds.items() if kind in _COPIED]


def _work(boxes: _Boxes, start: int) -> int:
    """The pixels that are decoded for a picture, those of its tiles as often as they are named."""

    @cache
    def work(item: int, depth: int) -> int:
        if depth > DEEPEST:
            raise PhotoError("is damaged: its pictures are made of each other")
        if item in boxes.parts:
            return sum(work(part, depth + 1) for part in boxes.parts[item])
        return max((boxes.sizes.get(number, 0) for number in boxes.properties.get(item, ())), default=0)

    return work(start, 0)


def _read(data: bytes) -> _Boxes | None:
    for kind, start, end in boxes_in(data, 0, len(data)):
        if kind == b"meta":
            found = _Boxes()
            _read_into(found, data, start, end)
            return found
    return None


def _read_into(found: _Boxes, data: bytes, start: int, end: int) -> None:
    structure = 0
    for kind, begin, stop in boxes_in(data, start + 4, end):
        structure += stop - begin if kind != b"idat" else 0
        if structure > MOST_STRUCTURE:
            raise PhotoError(f"has more than {MOST_STRUCTURE} bytes of structure, which no picture needs")
        if kind == b"pitm":
            (found.primary,) = struct.unpack_from(">H" if data[begin] == 0 else ">I", data, begin + 4)
        elif kind == b"iinf":
            _read_items(found, data, begin, stop)
        elif kind == b"iprp":
            _read_properties(found, data, begin, stop)
        elif kind == b"iref":
            _read_references(found, data, begin, stop)
        elif kind == b"iloc":
            _read_lengths(found, data, begin)


def _read_items(found: _Boxes, data: bytes, start: int, end: int) -> None:
    for kind, at, _ in boxes_in(data, start + (6 if data[start] == 0 else 8), end):
        if kind == b"infe" and data[at] >= 2:
            number, _, name = struct.unpack_from(">HH4s" if data[at] == 2 else ">IH4s", data, at + 4)
            found.kinds[number] = name


def _read_properties(found: _Boxes, data: bytes, start: int, end: int) -> None:
    for kind, begin, stop in boxes_in(data, start, end):
        if kind == b"ipco":
            for number, (name, at, behind) in enumerate(boxes_in(data, begin, stop), 1):
                if name == b"ispe":
                    width, height = struct.unpack_from(">II", data, at + 4)
                    found.sizes[number] = width * height
                elif name == b"colr":
                    found.profile = max(found.profile, behind - at)
        elif kind == b"ipma":
            _read_associations(found, data, begin)


def _read_associations(found: _Boxes, data: bytes, start: int) -> None:
    item, is_wide = (">H" if data[start] == 0 else ">I"), data[start + 3] & 1
    (count,) = struct.unpack_from(">I", data, start + 4)
    at = start + 8
    for _ in range(count):
        (number,) = struct.unpack_from(item, data, at)
        at += struct.calcsize(item)
        many = data[at]
        packed = struct.unpack_from(f">{many}{'H' if is_wide else 'B'}", data, at + 1)
        at += 1 + many * (2 if is_wide else 1)
        found.properties.setdefault(number, []).extend(one & (0x7FFF if is_wide else 0x7F) for one in packed)


def _read_references(found: _Boxes, data: bytes, start: int, end: int) -> None:
    number = "H" if data[start] == 0 else "I"
    for kind, at, _ in boxes_in(data, start + 4, end):
        item, count = struct.unpack_from(f">{number}H", data, at)
        others = struct.unpack_from(f">{count}{number}", data, at + struct.calcsize(f">{number}H"))
        if kind == b"dimg":
            found.parts.setdefault(item, []).extend(others)
        elif kind == b"auxl":
            for other in others:
                found.auxiliary.setdefault(other, []).append(item)
        elif kind == b"cdsc":
            found.described += count


def _read_lengths(found: _Boxes, data: bytes, start: int) -> None:
    version, (sizes,) = data[start], struct.unpack_from(">H", data, start + 4)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index = index if version else 0
    wide = version >= 2
    (count,) = struct.unpack_from(">I" if wide else ">H", data, start + 6)
    at = start + (10 if wide else 8)
    for _ in range(count):
        (item,) = struct.unpack_from(">I" if wide else ">H", data, at)
        at += (4 if wide else 2) + (2 if version else 0) + 2 + base
        (extents,) = struct.unpack_from(">H", data, at)
        at += 2
        total = 0
        for _ in range(extents):
            at += index + offset
            if at + length > len(data):
                raise struct.error
            # Without a length it reaches to the end of the file.
            total += int.from_bytes(data[at : at + length], "big") or len(data)
            at += length
        found.lengths[item] = found.lengths.get(item, 0) + min(total, len(data) * max(1, extents))
