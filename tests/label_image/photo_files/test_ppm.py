"""PPM, PGM and PBM, as Pillow shows them; and TGA, of which nothing but the shape of its header tells."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from label_image.errors import PhotoError
from label_image.photo_files import ppm
from label_image.preprocessing import Preprocessing

PREPROCESSING = Preprocessing.parse("decode|orient|resize(8,box)")
VALUES = np.random.default_rng(0).integers(0, 256, (8, 8, 3))


def as_text(values: np.ndarray) -> bytes:
    return b" ".join(b"%d" % value for value in values.ravel())


def as_words(values: np.ndarray) -> bytes:
    return values.astype(">u2").tobytes()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P6 8 8 255\n" + VALUES.astype(np.uint8).tobytes(), VALUES),
        (b"P6\n# a camera\n8 # wide\n8 255\n" + VALUES.astype(np.uint8).tobytes(), VALUES),
        (b"P3 8 8 255\n" + as_text(VALUES) + b"\n", VALUES),
        (b"P3 8 8 255\n# nothing\n" + as_text(VALUES), VALUES),
        (b"P6 8 8 1023\n" + as_words(VALUES * 4), VALUES * 4 * 255 / 1023),
        (b"P6 8 8 65535\n" + as_words(VALUES * 257), VALUES),
        (b"P5 8 8 255\n" + VALUES[..., 0].astype(np.uint8).tobytes(), VALUES[..., :1].repeat(3, 2)),
        (b"P5 8 8 15\n" + (VALUES[..., 0] // 16).astype(np.uint8).tobytes(), (VALUES[..., :1] // 16 * 17).repeat(3, 2)),
        # However dark it is, it says itself how bright it might be.
        (b"P5 8 8 4095\n" + as_words(VALUES[..., 0]), (VALUES[..., :1] * 255 / 4095).repeat(3, 2)),
        (b"P2 8 8 255\n" + as_text(VALUES[..., 0]), VALUES[..., :1].repeat(3, 2)),
        (b"P1 8 8\n" + b"01" * 32, np.full((8, 8, 3), 255) * (1 - np.arange(8) % 2)[:, None]),
    ],
)
def test_pixels(data: bytes, expected: np.ndarray) -> None:
    assert np.abs(PREPROCESSING.pixels(data) - expected).max() <= 0.5


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"P6 8 8 255\n" + bytes(100), "is cut off: its 111 bytes"),
        (b"P6 8 8 1023\n" + bytes(100), "is cut off: its 112 bytes"),
        (b"P3 8 8 255\n1 2 3", "is cut off: its 16 bytes"),
        (b"P3 8 8 255\n1 2 x", "is damaged: not all of its pixels are numbers"),
        (b"P6 8", "is damaged: it does not say its size"),
        (b"P6 #" + b"x" * 10**6, "is damaged: it does not say its size"),
        (b"P6 8 8 99999\n", "is damaged: it does not say how bright"),
        (b"P6 8 8 0\n", "is damaged: it does not say how bright"),
        (b"P2 9000 9000 255\n" + b"1 " * 2**23, "has its pixels written as text"),
        (b"P6 15000 15000 255\n", "is 15000 x 15000 pixels and would take"),
    ],
)
def test_what_is_none_is_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(PhotoError, match=f"^{sentence}"):
        PREPROCESSING.pixels(data)


def test_those_that_pillow_reads_fast_are_not_copied() -> None:
    data = b"P5 8 8 65535\n" + bytes(128)
    assert ppm.of_8_bits(data) is data


def test_a_tga_that_is_transparent_everywhere_is_opaque() -> None:
    """As programs write it that know no transparency."""
    image = Image.fromarray(np.dstack([VALUES, np.zeros((8, 8))]).astype(np.uint8), "RGBA")
    buffer = io.BytesIO()
    image.save(buffer, "TGA")
    assert np.array_equal(PREPROCESSING.pixels(buffer.getvalue()), VALUES)


def test_an_old_tga_without_a_signature() -> None:
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 8, 8, 24, 0x20)
    assert np.array_equal(PREPROCESSING.pixels(header + VALUES[..., ::-1].astype(np.uint8).tobytes()), VALUES)
