"""PNG files as chunks: all that pixels depend on, and nothing that they do not.

Every viewer passes over a text of a gigabyte or a time stamp with a wrong checksum; Pillow refuses the photo. So
Pillow is given what decides about pixels: the critical chunks, transparency and orientation. Of an animation that is
the first picture. Nothing else is even inflated.
"""

import struct
import zlib

from label_image.errors import PhotoError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 100_000  # an encoder with chunks of 4 KB makes 65,000 of the largest file that is read
LONGEST_TEXT = 2**20  # as Pillow's MAX_TEXT_CHUNK: longer texts were never read
# Texts in which programs keep the orientation; Pillow looks for it there where there is no EXIF.
_ORIENTATION_TEXTS = (b"XML:com.adobe.xmp", b"Raw profile type exif")


def pixels_only(data: bytes) -> bytes:
    """A PNG of the chunks that pixels depend on, those of orientation before the pixels; `data` if it has no others.

    The end of a file that is cut off stays as it is. Raises PhotoError for a critical chunk with a wrong checksum.
    """
    view = memoryview(data)
    before, pixels = [view[: len(SIGNATURE)]], list[memoryview]()
    texts, dropped, moved, at = 0, False, False, len(SIGNATURE)
    for number, (name, start, end) in enumerate(_chunks(data)):
        if number == MOST_CHUNKS:
            raise PhotoError(f"has more than {MOST_CHUNKS} chunks, which no picture needs")
        at = end
        chunk = view[start:end]
        intact = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if not name[0] & 32:  # critical
            if not intact:
                raise PhotoError(f"is damaged: its {name.decode()} chunk has a wrong checksum")
            (pixels if pixels or name == b"IDAT" else before).append(chunk)
            continue
        is_text = intact and name in (b"iTXt", b"zTXt", b"tEXt") and texts < 4 and _tells_orientation(name, chunk[8:-4])
        if intact and (name in (b"tRNS", b"eXIf") or is_text):
            texts += is_text
            moved = moved or bool(pixels)
            before.append(chunk)
        else:
            dropped = True
    if not dropped and not moved:
        return data
    return b"".join([*before, *pixels, view[at:]])


def has_16_bits(data: bytes) -> bool:
    """Whether a PNG has 16 bits per channel."""
    return data[24:25] == b"\x10"


def _chunks(data: bytes) -> list[tuple[bytes, int, int]]:
    """Name, start and end of each whole chunk, to IEND or to where the file is cut off or no PNG any more."""
    found: list[tuple[bytes, int, int]] = []
    at = len(SIGNATURE)
    while at + 12 <= len(data) and len(found) <= MOST_CHUNKS:
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or not name.isalpha():
            break
        found.append((name, at, end))
        if name == b"IEND":
            break
        at = end
    return found


def _tells_orientation(name: bytes, text: memoryview) -> bool:
    """Whether a text chunk is one of orientation, and not so long that Pillow would refuse it."""
    keyword, _, rest = bytes(text[:80]).partition(b"\0")
    if keyword not in _ORIENTATION_TEXTS or len(text) > LONGEST_TEXT:
        return False
    compressed = name == b"zTXt" or (name == b"iTXt" and rest[:1] == b"\1")
    if not compressed:
        return True
    body = bytes(text[len(keyword) + 1 :])
    packed = body[1:] if name == b"zTXt" else body[2:].partition(b"\0")[2].partition(b"\0")[2]
    try:
        inflater = zlib.decompressobj()
        inflater.decompress(packed, LONGEST_TEXT)
    except zlib.error:
        return False
    return not inflater.unconsumed_tail
