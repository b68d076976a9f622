"""PNG that every viewer opens: with much metadata, or with wrong checksums where they say nothing about pixels."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hostile_photos import chunk, directory, png
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from label_image.errors import PhotoError
from label_image.photo_files.png import MOST_CHUNKS, pixels_only
from label_image.preprocessing import Preprocessing, read_header

PREPROCESSING = Preprocessing.parse("decode|orient|resize(12,bilinear)")
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
END = len(chunk(b"IEND", b""))


def written(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


PHOTO = written(Image.fromarray(PIXELS))
TURNED = Image.Exif()
TURNED[0x0112] = 3


def with_chunks(*chunks: bytes, photo: bytes = PHOTO, before: bool = True) -> bytes:
    """A photo with more chunks, before its pixels or behind them."""
    place = photo.index(b"IDAT") - 4 if before else len(photo) - END
    return photo[:place] + b"".join(chunks) + photo[place:]


def broken(whole: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return whole[:-1] + bytes([whole[-1] ^ 1])


MEGABYTES = zlib.compress(os.urandom(2**21))
BOMB = zlib.compress(bytes(2**27), 9)
NOTHING_OF_PIXELS = {
    "a long text": chunk(b"zTXt", b"Comment\0\0" + MEGABYTES),
    "a long international text": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + MEGABYTES),
    "a long orientation": chunk(b"zTXt", b"Raw profile type exif\0\0" + MEGABYTES),
    "a bomb of text": chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "a bomb of orientation": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
    "a large profile": chunk(b"iCCP", b"x\0\0" + MEGABYTES),
    "a bomb of a profile": chunk(b"iCCP", b"x\0\0" + BOMB),
    "a profile packed in an unknown way": chunk(b"iCCP", b"x\0\7" + MEGABYTES[:99]),
    "many texts": b"".join(chunk(b"tEXt", b"Comment\0" + bytes(99) + str(number).encode()) for number in range(3000)),
    "a wrong checksum of the gamma": broken(chunk(b"gAMA", struct.pack(">I", 45455))),
    "a wrong checksum of a text": broken(chunk(b"tEXt", b"Comment\0hello")),
    "a wrong checksum of the transparency": broken(chunk(b"tRNS", bytes(6))),
    "a wrong checksum of the orientation": broken(chunk(b"eXIf", TURNED.tobytes()[6:])),
    "a gamma that is too short": chunk(b"gAMA", b"\1"),
    "a time": chunk(b"tIME", b"\1\2\3\4\5\6\7"),
    "an animation out of order": chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", bytes(26)) * 2,
}


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("name", NOTHING_OF_PIXELS)
def test_what_says_nothing_about_pixels_is_passed_over(name: str, before: bool) -> None:
    data = with_chunks(NOTHING_OF_PIXELS[name], before=before)
    assert np.array_equal(PREPROCESSING.pixels(data), PIXELS)
    header = read_header(data)
    assert (header.width, header.height, header.orientation) == (12, 12, 1)


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE", b"IDAT", b"IEND"])
def test_a_critical_chunk_with_a_wrong_checksum_is_refused(name: bytes) -> None:
    palette = written(Image.fromarray(PIXELS).quantize(8))
    start = palette.index(name) - 4
    length = 12 + int.from_bytes(palette[start : start + 4], "big")
    data = palette[:start] + broken(palette[start : start + length]) + palette[start + length :]
    with pytest.raises(PhotoError, match=f"^is damaged: its {name.decode()} chunk has a wrong checksum$"):
        PREPROCESSING.pixels(data)


@pytest.mark.parametrize("before", [True, False])
def test_the_orientation_is_kept_wherever_it_stands(before: bool) -> None:
    exif = TURNED.tobytes().removeprefix(b"Exif\0\0")
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="3"/></x:xmpmeta>'
    raw = b"\nexif\n%8d\n" % (len(exif) + 6) + (b"Exif\0\0" + exif).hex().encode()
    for kept in (
        chunk(b"eXIf", exif),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
    ):
        data = with_chunks(NOTHING_OF_PIXELS["a long text"], kept, before=before)
        assert np.array_equal(PREPROCESSING.pixels(data), PIXELS[::-1, ::-1])
        assert read_header(data).orientation == 3


def test_transparency_and_palette_are_kept() -> None:
    palette = Image.fromarray(PIXELS).quantize(8)
    for image, options in ((palette, {"transparency": 3}), (Image.fromarray(PIXELS), {"transparency": (1, 2, 3)})):
        plain = written(image, **options)
        data = with_chunks(*NOTHING_OF_PIXELS.values(), photo=plain)
        assert np.array_equal(PREPROCESSING.pixels(data), PREPROCESSING.pixels(plain))


def test_an_ordinary_png_is_not_copied() -> None:
    assert pixels_only(PHOTO) is PHOTO
    assert pixels_only(b"\x89PNG\r\n\x1a\n") == b"\x89PNG\r\n\x1a\n"


def test_an_animation_is_its_first_picture() -> None:
    frames = [Image.fromarray(PIXELS), Image.new("RGB", (12, 12), "red")]
    for default in (False, True):
        data = written(frames[0], save_all=True, append_images=frames[1:], default_image=default)
        with Image.open(io.BytesIO(data)) as image:
            assert isinstance(image, PngImagePlugin.PngImageFile) and image.is_animated
        assert np.array_equal(PREPROCESSING.pixels(data), PIXELS)


def test_more_chunks_than_a_picture_needs() -> None:
    with pytest.raises(PhotoError, match=f"^has more than {MOST_CHUNKS} chunks"):
        PREPROCESSING.pixels(with_chunks(chunk(b"teXt", b"") * (MOST_CHUNKS + 1)))
    assert np.array_equal(PREPROCESSING.pixels(with_chunks(chunk(b"teXt", b"") * (MOST_CHUNKS - 10))), PIXELS)


def test_exif_that_is_many_times_the_file_counts_as_none() -> None:
    data = png(12, 12, "RGB", extra=chunk(b"eXIf", directory(65_535, 2**20, 0)))
    assert np.array_equal(PREPROCESSING.pixels(data), np.zeros((12, 12, 3), np.uint8))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_byte_changes_no_pixel_unnoticed(data: st.DataObject) -> None:
    """Every byte of a PNG is under a checksum: the pixels are right, or the photo is refused."""
    place = data.draw(st.integers(8, len(PHOTO) - END - 1))
    changed = bytearray(PHOTO)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        pixels = PREPROCESSING.pixels(bytes(changed))
    except PhotoError:
        return
    assert np.array_equal(pixels, PIXELS)
