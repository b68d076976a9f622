import io

import numpy as np
import pytest
from hostile_photos import directory, jpeg_of_scans, segment
from PIL import Image

from label_image.errors import PhotoError
from label_image.photo_files.jpeg import MOST_PADDING, MOST_SEGMENTS, is_cut_off, read_frame
from label_image.preprocessing import Preprocessing

PREPROCESSING = Preprocessing.parse("decode|orient|resize(12,bilinear)")


def written(width: int = 40, height: int = 24, mode: str = "RGB", **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


PHOTO = written()


@pytest.mark.parametrize(
    ("mode", "options", "blocks"),
    [("RGB", {"subsampling": 0}, 3 * 15), ("RGB", {"subsampling": 2}, 6 * 6), ("L", {}, 15), ("CMYK", {}, 4 * 15)],
)
def test_a_progressive_jpeg_tells_its_coefficients_and_scans(mode: str, options: dict, blocks: int) -> None:
    frame = read_frame(written(40, 24, mode, progressive=True, **options))
    assert frame.coefficients == blocks * 64 * 2
    assert 4 <= frame.scans <= 20
    plain = read_frame(written(40, 24, mode, **options))
    assert (plain.coefficients, plain.scans) == (0, 1)


def test_scans_are_counted() -> None:
    assert read_frame(jpeg_of_scans(800, 100)).scans == 101
    # Of the picture alone, not of what stands behind it: in an MPO that is another picture.
    assert read_frame(written(progressive=True) + PHOTO).scans == read_frame(written(progressive=True)).scans


def test_so_many_scans_that_it_would_take_minutes_are_refused() -> None:
    with pytest.raises(PhotoError, match=r"^is 15000 x 15000 pixels in 101 scans, which would take minutes"):
        PREPROCESSING.pixels(jpeg_of_scans(15_000, 100))
    assert PREPROCESSING.pixels(jpeg_of_scans(800, 100)).shape == (12, 12, 3)


@pytest.mark.parametrize("padding", [b"\xff" * 1000, segment(0xFE, b"a comment") * 100, b"\xff" + segment(0xE7, b"")])
def test_what_pillow_passes_over_is_passed_over(padding: bytes) -> None:
    data = PHOTO[:2] + padding + PHOTO[2:]
    assert np.array_equal(PREPROCESSING.pixels(data), PREPROCESSING.pixels(PHOTO))


def test_more_than_a_picture_needs_is_refused() -> None:
    with pytest.raises(PhotoError, match="bytes before the picture belong to nothing"):
        PREPROCESSING.pixels(PHOTO[:2] + b"\xff" * (MOST_PADDING + 2) + PHOTO[2:])
    with pytest.raises(PhotoError, match=f"^has more than {MOST_SEGMENTS} segments"):
        PREPROCESSING.pixels(PHOTO[:2] + segment(0xE5, b"") * MOST_SEGMENTS + PHOTO[2:])
    with pytest.raises(PhotoError, match="many times longer than the file"):
        PREPROCESSING.pixels(PHOTO[:2] + segment(0xE1, b"Exif\0\0" + directory(5000, 65_000)) + PHOTO[2:])
    with pytest.raises(PhotoError, match="bytes of EXIF data"):
        PREPROCESSING.pixels(PHOTO[:2] + segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 300 + PHOTO[2:])


def test_a_file_without_a_picture_is_cut_off() -> None:
    for data in (b"\xff\xd8" + b"\xff" * 99, b"\xff\xd8\xff\xe0" + bytes(99), PHOTO[:50]):
        with pytest.raises(PhotoError, match=f"^is cut off: its {len(data)} bytes end before the picture begins$"):
            PREPROCESSING.pixels(data)


def test_the_end_of_a_small_picture_within_is_not_the_end() -> None:
    with_thumbnail = PHOTO[:2] + segment(0xE1, b"Exif\0\0" + PHOTO[:500] + b"\xff\xd9") + PHOTO[2:]
    assert not is_cut_off(with_thumbnail)
    assert is_cut_off(with_thumbnail[:-2])
