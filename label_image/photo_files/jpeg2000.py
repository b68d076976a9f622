"""JPEG 2000 files by their markers: what decoding takes. A header of 400 bytes may ask for millions of code blocks."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from label_image.errors import PhotoError
from label_image.photo_files.boxes import boxes_in

MOST_CHANNELS = 4
MOST_HEADER = 2**20  # bytes of a JP2 header, which may hold a palette
MOST_TILE_PARTS = 100_000
# What OpenJPEG keeps, in bytes, as measured and rounded up.
_SAMPLE, _CODE_BLOCK, _TILE, _TILE_CHANNEL = 6, 600, 6000, 2000

_SIZ, _COD, _COC, _SOT, _SOD, _EOC = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9


@dataclass(frozen=True)
class _Size:
    width: int
    height: int
    tiles: int
    channels: int


def decoder_bytes(data: bytes) -> int:
    """The bytes that decoding takes beside the picture. Raises PhotoError for what holds none, or too much of it."""
    try:
        start, end = _codestream(data)
        size = _size(data, start)
        blocks = max((_code_blocks(style, size) for style in _styles(data, start, end)), default=0)
    except (struct.error, IndexError):
        raise PhotoError(f"is cut off: its {len(data)} bytes end before the picture begins") from None
    return (
        size.width * size.height * size.channels * _SAMPLE
        + size.channels * blocks * _CODE_BLOCK
        + size.tiles * (_TILE + size.channels * _TILE_CHANNEL)
    )


def _codestream(data: bytes) -> tuple[int, int]:
    if data.startswith(b"\xff\x4f"):
        return 0, len(data)
    for kind, start, end in boxes_in(data, 0, len(data)):
        if kind == b"jp2h" and end - start > MOST_HEADER:
            raise PhotoError(f"has a header of {end - start} bytes, which no picture needs")
        if kind == b"jp2c":
            return start, end
    raise PhotoError(f"is cut off: its {len(data)} bytes end before the picture begins")


def _size(data: bytes, start: int) -> _Size:
    marker, _, _, right, bottom, left, top, tile_width, tile_height, tiles_left, tiles_top, channels = (
        struct.unpack_from(">HHH8IH", data, start + 2)
    )
    if marker != _SIZ or not tile_width or not tile_height:
        raise PhotoError("is damaged: it does not say its size")
    if channels > MOST_CHANNELS:
        raise PhotoError(f"has {channels} channels; the limit is {MOST_CHANNELS}")
    across = -(-max(0, right - tiles_left) // tile_width)
    down = -(-max(0, bottom - tiles_top) // tile_height)
    return _Size(max(0, right - left), max(0, bottom - top), across * down, channels)


def _styles(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """How the picture, its channels and its tiles are coded: from the number of levels on."""
    at, tile_parts = start + 2, 0
    tile_end = end
    while at + 4 <= end:
        marker, length = struct.unpack_from(">HH", data, at)
        segment = data[at + 4 : at + 2 + length]
        if marker == _EOC:
            return
        if marker == _SOD:
            at = tile_end
            continue
        if marker == _SOT:
            tile_parts += 1
            if tile_parts > MOST_TILE_PARTS:
                raise PhotoError(f"has more than {MOST_TILE_PARTS} tiles, which no picture needs")
            (bytes_of_part,) = struct.unpack_from(">I", segment, 2)
            tile_end = at + bytes_of_part if bytes_of_part >= 14 else end
        elif marker in (_COD, _COC):
            yield _style(segment, 5 if marker == _COD else 2)
        at += 2 + max(2, length)


def _style(segment: bytes, skipped: int) -> bytes:
    has_precincts = segment[skipped - (5 if skipped == 5 else 1)] & 1
    return segment[skipped : skipped + 5] + (segment[skipped + 5 :] if has_precincts else b"")


def _code_blocks(style: bytes, size: _Size) -> int:
    """How many parts one channel of the picture is coded in."""
    levels, block_width, block_height = min(style[0], 32), (style[1] & 15) + 2, (style[2] & 15) + 2
    precincts = style[5 : 6 + levels] or bytes([0xFF] * (levels + 1))
    if len(precincts) <= levels:
        raise IndexError
    total = 0
    for level, packed in enumerate(precincts):
        smaller = levels - level
        width, height = -(-size.width >> smaller), -(-size.height >> smaller)
        # Of all levels but the first there are three bands of half the size.
        halved = 1 if level else 0
        across = min(block_width, max(0, (packed & 15) - halved))
        down = min(block_height, max(0, (packed >> 4) - halved))
        total += ((width >> across) + 1) * ((height >> down) + 1)
    return total
