"""Small files that are made to take a decoder gigabytes or minutes, by name; and two large photos that are not.

`python scripts/hostile_photos.py FOLDER` writes them; scripts/measure_hostile_photos.py measures what they take.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
from PIL import Image

SIDE = 15_800  # squared: just below the limit of 250 megapixels
COLOUR_TYPES = {"L": 0, "RGB": 2, "RGBA": 6}


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, mode: str, depth: int = 8, *, extra: bytes = b"", rows: bytes | None = None) -> bytes:
    """A PNG of zeros, or of `rows` (each with its filter's byte), with `extra` chunks before its pixels."""
    packer, packed = zlib.compressobj(9), []
    if rows is None:
        row = bytes(1 + (width * len(mode) * depth + 7) // 8)
        for top in range(0, height, 64):
            packed.append(packer.compress(row * min(64, height - top)))
    else:
        packed.append(packer.compress(rows))
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, depth, COLOUR_TYPES[mode], 0, 0, 0)
    pixels = chunk(b"IHDR", header) + extra + chunk(b"IDAT", b"".join(packed)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pixels


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_of_scans(side: int, scans: int) -> bytes:
    """A progressive gray JPEG of empty scans, each of them a pass over all its blocks."""
    blocks = (-(-side // 8)) ** 2
    head = [
        b"\xff\xd8",
        segment(0xDB, b"\0" + b"\1" * 64),
        segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0"),
        segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00"),
        segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0"),  # "skip 16,384 blocks, and more as the bits say"
        segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(blocks // 8 + 1),
    ]
    runs = ("0" + "1" * 14) * -(-blocks // 32767)
    runs += "1" * (-len(runs) % 8)
    passes = bytes(int(runs[at : at + 8], 2) for at in range(0, len(runs), 8)).replace(b"\xff", b"\xff\0")
    return b"".join(head) + (segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + passes) * scans + b"\xff\xd9"


def directory(entries: int, size: int, first: int = 40_000) -> bytes:
    """EXIF data, or a TIFF: entries whose values are all the same `size` bytes."""
    body = b"".join(struct.pack("<HHII", first + number, 7, size, 0) for number in range(entries))
    return (b"II*\0" + struct.pack("<IH", 8, entries) + body + bytes(4)).ljust(size, b"\0")


def picture(format: str, image: Image.Image, **options: object) -> bytes:
    """An encoded picture."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _with_exif(exif: bytes) -> bytes:
    plain = picture("JPEG", Image.new("RGB", (64, 64)))
    return plain[:2] + segment(0xE1, b"Exif\0\0" + exif) + plain[2:]


def _tiff_of_numbers(count: int) -> bytes:
    entries = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, count, 200)]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4 * count + 4)


def _gif_of_blocks(count: int) -> bytes:
    plain = picture("GIF", Image.new("L", (64, 64)))
    behind = 13 + 3 * 2 ** ((plain[10] & 7) + 1)
    return plain[:behind] + b"\x21\xfe\x00" * count + plain[behind:]


def bmp_of_lines(side: int) -> bytes:
    """A run-length coded BMP of lines that are left after one pixel."""
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 1078) + info + bytes(1024) + b"\1\0\0\0" * side + b"\0\1"


def jp2_of(side: int, tile: int, style: bytes) -> bytes:
    """A JPEG 2000 picture without pixels: its size, that of its tiles, and how these are coded."""
    size = struct.pack(">H8IHBBB", 0, side, side, 0, 0, tile, tile, 0, 0, 1, 7, 1, 1)
    coded = struct.pack(">BBHB", 1, 0, 1, 0) + style
    quantised = bytes([0x40] + [0x40] * (3 * style[0] + 1))
    segments = ((0xFF51, size), (0xFF52, coded), (0xFF5C, quantised))
    head = b"".join(struct.pack(">HH", marker, len(body) + 2) + body for marker, body in segments)
    return b"\xff\x4f" + head + struct.pack(">HHHIBB", 0xFF90, 10, 0, 0, 0, 1) + b"\xff\x93\0\xff\xd9"


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of a HEIC file."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def heic_of_squares(tiles: list[int], side: int, metadata: int = 0, profile: int = 0, pictures: int = 2) -> bytes:
    """A HEIC file without pixels: the first of its pictures is made of these others, and metadata belong to all."""
    numbers = range(1, pictures + 1)
    infe = [box(b"infe", b"\2\0\0\0", struct.pack(">HH4s", number, 0, b"hvc1")) for number in numbers]
    infe.append(box(b"infe", b"\2\0\0\0", struct.pack(">HH4s", 999, 0, b"Exif")))
    ipco = box(b"ipco", box(b"ispe", bytes(4), struct.pack(">II", side, side)), box(b"colr", b"prof", bytes(profile)))
    ipma = b"".join(struct.pack(">HBBB", number, 2, 1, 0x82) for number in numbers)
    iref = [box(b"dimg", struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *tiles))] if tiles else []
    iref.append(box(b"cdsc", struct.pack(f">HH{pictures}H", 999, pictures, *numbers)))
    iloc = struct.pack(">HHHHHII", 0x4400, 1, 999, 0, 1, 0, metadata)
    meta = [
        box(b"pitm", bytes(4), b"\0\1"),
        box(b"iinf", bytes(4), struct.pack(">H", len(infe)), *infe),
        box(b"iprp", ipco, box(b"ipma", bytes(4), struct.pack(">I", pictures), ipma)),
        box(b"iref", bytes(4), *iref),
        box(b"iloc", bytes(4), iloc),
    ]
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(4), *meta) + box(b"mdat", bytes(metadata))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "rgb_250M.png": lambda: png(SIDE, SIDE, "RGB"),
    "rgba_250M.png": lambda: png(SIDE, SIDE, "RGBA"),
    "gray16_250M.png": lambda: png(SIDE, SIDE, "L", 16),
    "rgba16_250M.png": lambda: png(SIDE, SIDE, "RGBA", 16),
    "wide_250Mx1.png": lambda: png(250_000_000, 1, "L", 1),
    "rgba_120M.png": lambda: png(11_000, 11_000, "RGBA"),
    "iccp_300MB.png": lambda: png(64, 64, "RGB", extra=chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(300 << 20), 9))),
    "ztxt_300MB.png": lambda: png(64, 64, "RGB", extra=chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(300 << 20), 9))),
    "chunks_3M.png": lambda: png(64, 64, "RGB", extra=chunk(b"teXt", b"") * 3_000_000),
    "exif_65535_tags.png": lambda: png(64, 64, "RGB", extra=chunk(b"eXIf", directory(65_535, 1 << 20, 0))),
    "one_colour.webp": lambda: picture("WEBP", Image.new("RGB", (SIDE, SIDE)), lossless=True, quality=0, method=0),
    "scans_1500.jpg": lambda: jpeg_of_scans(15_000, 1500),
    "markers_40MB.jpg": lambda: b"\xff\xd8" + b"\xff" * (40 << 20),
    "segments_5M.jpg": lambda: b"\xff\xd8" + segment(0xE0, b"") * 5_000_000,
    "exif_5000_tags.jpg": lambda: _with_exif(directory(5000, 65_000)),
    "strips_20M.tif": lambda: _tiff_of_numbers(20_000_000),
    "blocks_10M.gif": lambda: _gif_of_blocks(10_000_000),
    "lines_250M.bmp": lambda: bmp_of_lines(SIDE),
    # Levels, the size of a code block (64 x 64, then 4 x 4), modes, then of precincts (2 x 2, then the largest).
    "precincts_64M.jp2": lambda: jp2_of(8000, 8000, bytes([5, 4, 4, 0, 1, 0, *[0x11] * 5])),
    "blocks_60M.jp2": lambda: jp2_of(7700, 7700, bytes([5, 0, 0, 0, 1, *[0xFF] * 6])),
    "tiles_65025.jp2": lambda: jp2_of(8160, 32, bytes([0, 4, 4, 0, 1, 0xFF])),
    "tiles_60000.heic": lambda: heic_of_squares([2] * 60_000, 4096),
    "metadata_1000.heic": lambda: heic_of_squares([], 64, metadata=2**22, pictures=900),
    "text_32MB.ppm": lambda: b"P3 2300 2300 255\n" + b"1 " * (3 * 2300 * 2300),
    "comment_30MB.ppm": lambda: b"P6\n#" + b"x" * (30 << 20) + b"\n1 1 255\n\0\0\0",
}
SPARSE = {"sparse_255MB.jpg": 255 << 20, "sparse_10GB.jpg": 10 << 30}


def _clouds(width: int, height: int) -> Image.Image:
    few = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    return Image.fromarray(few).resize((width, height), Image.Resampling.BILINEAR)


HONEST: dict[str, Callable[[], bytes]] = {
    "ordinary.jpg": lambda: picture("JPEG", _clouds(500, 375)),
    "photo_108M.jpg": lambda: picture("JPEG", _clouds(12_000, 9_000)),
    "progressive_108M.jpg": lambda: picture("JPEG", _clouds(12_000, 9_000), progressive=True, subsampling=0),
    "photo_100M.png": lambda: picture("PNG", _clouds(10_000, 10_000), compress_level=1),
}


def write(folder: Path, names: Iterator[str] | None = None) -> Iterator[Path]:
    """Write the files, one after the other; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = {**HONEST, **HOSTILE}
    for name in names or iter([*makers, *SPARSE]):
        path = folder / name
        if path.exists():
            pass
        elif name in makers:
            path.write_bytes(makers[name]())
        else:
            with path.open("wb") as file:
                file.write(b"\xff\xd8\xff\xe0")
                file.truncate(SPARSE[name])
        yield path


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write photos that are made to hurt, and two honest large ones, into FOLDER (600 MB)."""
    for written in write(folder):
        print(written)


if __name__ == "__main__":
    main()
