"""Photos are turned as their EXIF says, whatever else is wrong with it."""

import io
import struct

import numpy as np
import pytest
from encoding import STORED, encoded, picture, square
from PIL import Image

from label_image.preprocessing import Preprocessing


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF_LZW"])
def test_every_orientation_shows_the_upright_picture(format: str, orientation: int) -> None:
    upright = picture(32, 16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "PNG": {},
        "WEBP": {"lossless": True},
        "TIFF": {"tiffinfo": {0x0112: orientation}},
        "TIFF_LZW": {"tiffinfo": {0x0112: orientation}, "compression": "tiff_lzw"},
    }[format]
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    data = encoded(stored, format.partition("_")[0], exif=exif, **options)
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif().get(0x0112) == orientation
    pixels = square(8).pixels(data).astype(int)
    assert np.abs(pixels - picture(8, 8)).max() <= 2


def test_without_orient_a_photo_stays_as_it_is_stored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(picture()), "PNG", exif=exif)
    assert np.array_equal(Preprocessing.parse("decode|resize(40,box)").pixels(data), picture())
    assert not np.array_equal(square(40).pixels(data), picture())


def exif(*entries: tuple[int, int, int, int], tail: bytes = b"") -> bytes:
    """A little-endian EXIF block of entries (tag, type, count, value)."""
    body = b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    return b"Exif\0\0II*\0" + struct.pack("<LH", 8, len(entries)) + body + struct.pack("<L", 0) + tail


SIX = (0x0112, 3, 1, 6)


DAMAGED_BESIDE_SIX = {
    "offset out of the block": exif(SIX, (0x0131, 2, 400, 99_999)),
    "unknown type": exif(SIX, (0x0132, 99, 4, 9)),
    "sub-block that is its own parent": exif(SIX, (0x8769, 4, 1, 8)),
    "sub-block out of the block": exif(SIX, (0x8769, 4, 1, 88_888)),
    "resolution as text": exif(SIX, (0x011B, 2, 4, 0x41414141)),
    "width as fraction": exif((0x0100, 5, 1, 38), SIX, tail=struct.pack("<LL", 1, 0)),
    "width as float": exif((0x0100, 12, 1, 38), SIX, tail=struct.pack("<d", 1e300)),
    "negative width": exif((0x0100, 9, 1, 0xFFFFFFFF), SIX),
    "cut in the next entry": exif(SIX)[:-4] + b"\x01",
}


@pytest.mark.parametrize("damaged", DAMAGED_BESIDE_SIX.values(), ids=DAMAGED_BESIDE_SIX)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_other_tags_may_be_damaged_and_the_photo_is_still_turned(damaged: bytes) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[6](picture())))
    data = encoded(stored, "JPEG", quality=100, subsampling=0, exif=damaged)
    assert np.abs(square(8).pixels(data).astype(int) - picture(8, 8)).max() <= 2


DAMAGED_EXIF = {
    "random": b"Exif\0\0" + b"\xff" * 50,
    "cut header": b"Exif\0\0II*",
    "nothing": b"Exif\0\0",
    "orientation 0": exif((0x0112, 3, 1, 0)),
    "orientation 9": exif((0x0112, 3, 1, 9)),
    "orientation as text": exif((0x0112, 2, 2, 0x36)),
    "no orientation at its offset": exif((0x0112, 5, 1, 99_999)),
}


@pytest.mark.parametrize("damaged", DAMAGED_EXIF.values(), ids=DAMAGED_EXIF)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_counts_as_none(damaged: bytes) -> None:
    plain = Image.fromarray(picture())
    data = encoded(plain, "JPEG", quality=90, exif=damaged)
    assert np.array_equal(square(8).pixels(data), square(8).pixels(encoded(plain, "JPEG", quality=90)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_upright_at_any_scale(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](picture(640, 320))))
    data = encoded(stored, "JPEG", exif=exif, quality=100, subsampling=0)
    pixels = square(8, "box", "decode(2)").pixels(data).astype(int)
    assert np.abs(pixels - picture(8, 8)).max() <= 2
