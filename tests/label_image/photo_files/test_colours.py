"""Gray of more than 8 bits, colours of 16, and BMP that would be invisible."""

import struct
import zlib

import numpy as np
import pytest
from encoding import encoded
from PIL import Image

from label_image.errors import PhotoError
from label_image.preprocessing import Preprocessing

SIDE = 16


def shown(data: bytes, side: int = SIDE) -> np.ndarray:
    return Preprocessing.parse(f"decode|orient|resize({side},nearest)").pixels(data)


def levels(highest: int, seed: int = 0) -> np.ndarray:
    """Random levels (16, 16) of which the highest and 0 occur."""
    values = np.random.default_rng(seed).integers(0, highest, (SIDE, SIDE), np.int64, endpoint=True)
    values[0, :2] = 0, highest
    return values


def gray_of(values: np.ndarray, format: str, order: str) -> bytes:
    """16 bits per pixel."""
    mode = "I;16" if order == "<u2" else "I;16B"
    return encoded(Image.frombytes(mode, values.shape[::-1], values.astype(order).tobytes()), format)


def tiff_of_32_bits(values: np.ndarray, sample_format: int) -> bytes:
    """An uncompressed gray TIFF, which Pillow writes with a sign alone. Formats: 1 unsigned, 2 with a sign."""
    height, width = values.shape
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 32), (259, 3, 1, 1), (262, 3, 1, 1),
               (273, 4, 1, 122), (277, 3, 1, 1), (279, 4, 1, values.size * 4), (339, 3, 1, sample_format)]  # fmt: skip
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"II*\0"
        + struct.pack("<IH", 8, len(entries))
        + packed
        + bytes(4)
        + values.astype("<i8").astype("<u4").tobytes()
    )


@pytest.mark.parametrize(("format", "order"), [("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2")])
@pytest.mark.parametrize(
    ("highest", "shift"),
    [(0, 0), (1, 0), (250, 0), (255, 0), (256, 2), (1023, 2), (1024, 4), (4095, 4), (4096, 8), (16383, 8), (65535, 8)],
)
def test_16_bit_gray_is_of_the_depth_that_it_uses(format: str, order: str, highest: int, shift: int) -> None:
    values = levels(highest)
    expected = (values >> shift).astype(np.uint8)
    assert np.array_equal(shown(gray_of(values, format, order)), np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize("sample_format", [1, 2])
@pytest.mark.parametrize(
    ("highest", "shift"),
    [(255, 0), (1000, 2), (4095, 4), (65535, 8), (65536, 16), (2**24 - 1, 16), (2**24, 24), (2**31 - 1, 24)],
)
def test_32_bit_gray_is_of_the_depth_that_it_uses(highest: int, shift: int, sample_format: int) -> None:
    values = levels(highest)
    expected = (values >> shift).astype(np.uint8)
    pixels = shown(tiff_of_32_bits(values, sample_format))
    assert np.array_equal(pixels, np.repeat(expected[..., None], 3, axis=2))


def test_32_bits_without_a_sign_reach_white() -> None:
    values = levels(2**32 - 1)
    assert np.array_equal(shown(tiff_of_32_bits(values, 1))[..., 0], (values >> 24).astype(np.uint8))


def test_below_zero_is_black() -> None:
    values = levels(255) - 100
    assert np.array_equal(shown(tiff_of_32_bits(values, 2))[..., 0], np.maximum(values, 0).astype(np.uint8))


def png_of_16_bits(values: np.ndarray, colour_type: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("colour_type", [2, 4, 6])
def test_colours_of_16_bits_that_would_be_black_are_named(colour_type: int) -> None:
    channels = {2: 3, 4: 2, 6: 4}[colour_type]
    values = np.repeat(levels(4095)[..., None], channels, axis=2)
    if channels != 3:
        values[..., -1] = 65535
    with pytest.raises(PhotoError, match="has 16 bits per channel and uses less than a sixteenth of their range"):
        shown(png_of_16_bits(values, colour_type))
    values[3, 3, 0] = 4096
    assert shown(png_of_16_bits(values, colour_type)).max() > 0


def test_a_dark_photo_of_8_bits_is_as_it_is() -> None:
    dark = Image.new("RGB", (4, 4), (3, 2, 1))
    for format in ("PNG", "TIFF", "BMP", "WEBP"):
        options = {"lossless": True} if format == "WEBP" else {}
        assert shown(encoded(dark, format, **options), 1).tolist() == [[[3, 2, 1]]]


@pytest.mark.parametrize("opaque", [False, True])
def test_a_bmp_that_is_transparent_everywhere_is_opaque(opaque: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    pixels[..., 3] = 0
    if opaque:
        pixels[2, 2, 3] = 255  # one pixel says that transparency is meant
    header = struct.pack(
        "<IiiHHIIiiII4I", 108, SIDE, SIDE, 1, 32, 3, 0, 0, 0, 0, 0, *(0xFF << s for s in (16, 8, 0, 24))
    )
    data = (
        b"BM" + struct.pack("<IHHI", 0, 0, 0, 122) + header.ljust(108, b"\0") + pixels[::-1, :, [2, 1, 0, 3]].tobytes()
    )
    expected = pixels[..., :3].copy()
    if opaque:
        expected[pixels[..., 3] == 0] = 255
    assert np.array_equal(shown(data), expected)


def test_a_png_that_is_transparent_everywhere_is_white() -> None:
    assert shown(encoded(Image.new("RGBA", (4, 4), (9, 9, 9, 0)), "PNG"), 1).tolist() == [[[255] * 3]]
