"""JPEG files as segments: how the picture is coded, and how often a decoder has to go over it.

A progressive JPEG keeps the coefficients of the whole picture in memory, whatever size it is decoded at, and goes
over all of them once per scan. A scan of a few bytes is enough, so files of a megabyte could keep a decoder busy
for minutes. Pillow goes through the segments before the first scan one by one, which may take as long.
"""

import re
import struct
from dataclasses import dataclass

from label_image.errors import PhotoError
from label_image.photo_files.tiff import check_directory

MOST_PADDING = 2**16  # bytes before the first scan that belong to no segment
MOST_SEGMENTS = 10_000
MOST_EXIF = 2**24  # bytes of all EXIF segments, 64 KB each
MOST_SCANNED = 2 * 10**10  # pixels, each as often as there are scans: seconds

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_ARITHMETIC = {*range(0xC9, 0xD0)}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xDA)}
_ARITHMETIC_COST = 10  # as slow for a block of nothing as the other codes for ten
_FILL = re.compile(rb"\xff*")
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


END = b"\xff\xd9"


@dataclass(frozen=True)
class Frame:
    """How the picture is coded. `coefficients` are the bytes of them that are kept, 0 where each is used at once."""

    coefficients: int = 0
    scans: int = 1
    first_scan: int = 0


def read_frame(data: bytes) -> Frame:
    """Go through the segments. Raises PhotoError for what would keep a decoder busy for minutes."""
    at, padding, exif, frame, marker = 2, 0, [], None, 0
    for _ in range(MOST_SEGMENTS):
        # As Pillow: whatever is no marker is passed over, and a marker may begin with many 0xff.
        found = _FILL.match(data, begins) if (begins := data.find(b"\xff", at)) >= 0 else None
        if found is None or found.end() == len(data):
            raise PhotoError(f"is cut off: its {len(data)} bytes end before the picture begins")
        marker, padding, at = data[found.end()], padding + found.end() - at - 1, found.end() + 1
        if padding > MOST_PADDING:
            raise PhotoError(f"is damaged: {padding} bytes before the picture belong to nothing")
        if marker == 0 or marker in _WITHOUT_LENGTH:
            continue
        end = at + max(2, int.from_bytes(data[at : at + 2], "big"))
        if marker in _FRAMES and frame is None:
            frame = (marker, data[at + 2 : end])
        if marker == 0xE1 and data[at + 2 : at + 8] == b"Exif\0\0":
            exif.append(data[at + 8 : end])
        if marker == 0xDA:
            break
        at = end
    else:
        raise PhotoError(f"has more than {MOST_SEGMENTS} segments before the picture, which no picture needs")
    _check_exif(exif)
    return _coding(data, at, *frame) if frame else Frame()


def is_cut_off(data: bytes) -> bool:
    """Whether there is no end marker behind the picture's beginning. Raises as `read_frame`."""
    return data.rfind(END) < read_frame(data).first_scan


def completed(data: bytes) -> bytes:
    """A JPEG that ends within its picture, with the end marker that it lacks: what is missing of it comes out plain.

    Anything else as it is.
    """
    try:
        if not data.startswith(b"\xff\xd8\xff") or not is_cut_off(data):
            return data
    except PhotoError:
        return data
    return data[: _last_whole_segment(data)] + END


def _last_whole_segment(data: bytes) -> int:
    """Where to end a JPEG so that no segment behind its first scan is a part of one."""
    at = read_frame(data).first_scan
    while (found := _NEXT_MARKER.search(data, at)) is not None:
        at = found.end()
        if found.group()[1] not in _WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")
            if at > len(data) or at < found.end() + 2:
                return found.start()
    return len(data)


def _coding(data: bytes, scan: int, marker: int, header: bytes) -> Frame:
    """The frame, with the `header` of its marker; `scan` is where the length of the first scan's header stands."""
    try:
        _, height, width, count = struct.unpack_from(">BHHB", header)
        factors = [
            (sampling >> 4, sampling & 15) for _, sampling, _ in struct.iter_unpack("3B", header[6 : 6 + 3 * count])
        ]
        at_once = data[scan + 2] == count
    except (struct.error, IndexError):
        return Frame()
    if (marker not in _PROGRESSIVE and at_once) or not factors:
        return Frame(first_scan=scan)
    widest, tallest = max(h for h, _ in factors) or 1, max(v for _, v in factors) or 1
    units = -(-width // (8 * widest)) * -(-height // (8 * tallest))
    coefficients = 128 * units * sum(h * v for h, v in factors)  # blocks of 64, two bytes each
    scans = _count_scans(data, scan)
    cost = scans * width * height * (_ARITHMETIC_COST if marker in _ARITHMETIC else 1)
    if cost > MOST_SCANNED:
        raise PhotoError(f"is {width} x {height} pixels in {scans} scans, which would take minutes: save it again")
    return Frame(coefficients, scans, scan)


def _count_scans(data: bytes, scan: int) -> int:
    """The scans of the picture, the first of which begins at `scan`."""
    scans, at, segments = 1, scan, 0
    while (found := _NEXT_MARKER.search(data, at)) is not None and segments < 10 * MOST_SEGMENTS:
        marker = found.group()[1]
        if marker == 0xD9:
            break
        scans += marker == 0xDA
        at = (
            found.end()
            if marker in _WITHOUT_LENGTH
            else found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
        )
        segments += 1
    return scans + (segments >= 10 * MOST_SEGMENTS) * segments


def _check_exif(segments: list[bytes]) -> None:
    if not segments:
        return
    if sum(map(len, segments)) > MOST_EXIF:
        raise PhotoError(f"has more than {MOST_EXIF} bytes of EXIF data")
    check_directory(b"".join(segments))
