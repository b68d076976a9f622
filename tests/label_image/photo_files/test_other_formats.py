"""TIFF, GIF and BMP that would keep Pillow busy for minutes, or fill the memory, before or while it decodes them."""

import io
import struct

import numpy as np
import pytest
from hostile_photos import HOSTILE, bmp_of_lines
from PIL import Image

from label_image.errors import PhotoError
from label_image.photo_files import bmp
from label_image.photo_files.tiff import first_numbers, strip_bytes
from label_image.preprocessing import Preprocessing

PREPROCESSING = Preprocessing.parse("decode|orient|resize(12,bilinear)")


def written(format: str, image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("strips_20M.tif", "has 20000000 numbers in its tag 273; the limit is 200000"),
        ("blocks_10M.gif", "has more than 200000 blocks before its first picture"),
        ("lines_250M.bmp", "is a run-length coded BMP of 15800 x 15800 pixels; the limit of these is 32000000"),
    ],
)
def test_more_than_a_picture_needs_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(PhotoError, match=f"^{sentence}"):
        PREPROCESSING.pixels(HOSTILE[name]())


def test_the_tags_of_a_tiff_that_are_many_times_the_file() -> None:
    entries = b"".join(struct.pack("<HHII", 40_000 + number, 7, 400_000, 0) for number in range(1000))
    with pytest.raises(PhotoError, match=r"^is damaged: its tags say that they are many times longer"):
        PREPROCESSING.pixels((b"II*\0" + struct.pack("<IH", 8, 1000) + entries + bytes(4)).ljust(400_000, b"\0"))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("rows", [7, 100])
def test_the_strips_of_a_tiff(rows: int, big: bool) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8))
    data = written("TIFF", image, tiffinfo={278: rows}, compression="tiff_lzw", big_tiff=big)
    numbers = first_numbers(data)
    assert (numbers[256], numbers[257], numbers[258], numbers[277]) == (50, 60, 8, 3)
    assert strip_bytes(numbers, 50, 60) >= min(numbers[278], 60) * 50 * 3
    assert np.array_equal(
        Preprocessing.parse("decode|resize(50,box)").pixels(data), np.asarray(image.resize((50, 50), 4))
    )


def test_a_gif_with_comments_is_read() -> None:
    plain = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8))
    data = written("GIF", plain, comment=b"x" * 60_000)
    assert np.array_equal(PREPROCESSING.pixels(data)[..., 0], np.asarray(plain))


def test_a_small_run_length_coded_bmp_is_read() -> None:
    assert bmp.is_run_length_coded(bmp_of_lines(40))
    assert PREPROCESSING.pixels(bmp_of_lines(40)).shape == (12, 12, 3)
