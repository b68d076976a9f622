"""Bands give the pixels of doing it all at once; what takes too much is refused by name; the budget is kept."""

import contextlib
import gc
import io
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from label_image.errors import PhotoError
from label_image.photo_files import decoding
from label_image.photo_files.budget import ByteBudget
from label_image.photo_files.decoding import decode_bytes
from label_image.photo_files.opening import open_photo
from label_image.preprocessing import FILTERS, Preprocessing, read_header

MODES = {
    "RGB": ("PNG", {}), "RGBA": ("PNG", {}), "L": ("PNG", {}), "LA": ("PNG", {}), "1": ("PNG", {}), "P": ("PNG", {}),
    "P transparent": ("PNG", {"transparency": 3}), "L transparent": ("PNG", {"transparency": 9}), "I;16": ("PNG", {}),
    "I": ("TIFF", {}), "CMYK": ("JPEG", {}), "RGB JPEG": ("JPEG", {}), "L JPEG": ("JPEG", {}), "RGB TIFF": ("TIFF", {}),
}  # fmt: skip


def photo(kind: str, width: int, height: int, orientation: int = 1) -> bytes:
    format, options = MODES[kind]
    mode = kind.split()[0]
    random = np.random.default_rng(width * 1000 + height)
    colours = Image.fromarray(random.integers(0, 256, (height, width, 4), np.uint8), "RGBA")
    if mode in ("I", "I;16"):
        gray = random.integers(0, 5000, (height, width), np.uint16)
        image = Image.fromarray(gray) if mode == "I;16" else Image.fromarray(gray.astype(np.int32))
    else:
        image = colours if mode == "RGBA" else colours.convert("RGB").convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, format, exif=exif, **options)
    return buffer.getvalue()


PHOTOS = st.builds(
    photo, st.sampled_from(sorted(MODES)), st.integers(1, 90), st.integers(1, 90), st.integers(1, 8)
)  # fmt: skip


def upright(data: bytes) -> Image.Image:
    """The photo in RGB, made of it as a whole."""
    with Image.open(io.BytesIO(data)) as image:
        turned = ImageOps.exif_transpose(image)
    if turned.mode in ("I", "I;16"):  # up to 4999, which are 13 bits or, in the smallest pictures, fewer
        values = np.asarray(turned).astype(int)
        return Image.fromarray((values >> max(0, depth(values.max()) - 8)).astype(np.uint8)).convert("RGB")
    if turned.has_transparency_data:
        rgba = turned.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return turned.convert("RGB")


def depth(highest: int) -> int:
    return next(bits for bits in (8, 10, 12, 16) if highest < 2**bits)


@settings(max_examples=150, deadline=None)
@given(PHOTOS, st.sampled_from(sorted(FILTERS)), st.integers(1, 40), st.integers(1, 3000))
def test_bands_make_no_difference(data: bytes, resample: str, side: int, band: int) -> None:
    expected = upright(data).resize((side, side), FILTERS[resample])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "BAND", band)
        pixels = Preprocessing.parse(f"decode|orient|resize({side},{resample})").pixels(data)
    assert np.array_equal(pixels, np.asarray(expected))


@settings(max_examples=150, deadline=None)
@given(PHOTOS, st.sampled_from(sorted(FILTERS)), st.integers(1, 40), st.integers(1, 3000))
def test_a_very_large_photo_is_resized_along_the_rows_first(data: bytes, resample: str, side: int, band: int) -> None:
    whole = upright(data)
    narrow = whole.resize((side, whole.height), FILTERS[resample])
    expected = np.asarray(narrow.resize((side, side), FILTERS[resample]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "BAND", band)
        patch.setattr(decoding, "LARGEST", 0)
        pixels = Preprocessing.parse(f"decode|orient|resize({side},{resample})").pixels(data)
    at_once = np.asarray(whole.resize((side, side), FILTERS[resample]))
    assert np.array_equal(pixels, expected) or np.array_equal(pixels, at_once)


@settings(max_examples=100, deadline=None)
@given(PHOTOS, st.integers(1, 2000), st.integers(1, 3000))
def test_a_photo_that_is_wanted_whole_is_made_smaller_by_a_whole_number(data: bytes, largest: int, band: int) -> None:
    expected = upright(data)
    times = int(np.ceil(np.sqrt(expected.width * expected.height / largest)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "LARGEST", largest)
        patch.setattr(decoding, "BAND", band)
        pixels = Preprocessing.parse("decode|orient|resize(4,bilinear)").pixels(data, lambda image, *_: image)
    assert np.array_equal(pixels, np.asarray(expected.reduce(times) if times > 1 else expected))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("width", [333, 1111])
def test_a_jpeg_decoded_smaller_in_bands(width: int, orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = photo("RGB JPEG", width, 700, orientation)
    preprocessing = Preprocessing.parse("decode(2)|orient|resize(64,bilinear)")
    plain, whole = preprocessing.pixels(data), preprocessing.pixels(data, lambda image, *_: image)
    monkeypatch.setattr(decoding, "BAND", 5000)
    assert np.array_equal(preprocessing.pixels(data), plain)
    assert np.array_equal(preprocessing.pixels(data, lambda image, *_: image), whole)


def test_a_photo_that_takes_more_than_there_is_is_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    data = photo("RGB", 90, 80)
    need = decode_bytes(open_photo(data), 8)
    preprocessing = Preprocessing.parse("decode|orient|resize(8,bilinear)")
    monkeypatch.setattr(decoding, "DECODING", ByteBudget(need, 0))
    preprocessing.pixels(data)
    monkeypatch.setattr(decoding, "DECODING", ByteBudget(need - 1, 0))
    with pytest.raises(PhotoError, match=r"^is 90 x 80 pixels and would take \d+ MB to decode; the limit is \d+ MB"):
        preprocessing.pixels(data)


def test_threads_decode_no_more_at_a_time_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    data = photo("RGB", 90, 80)
    preprocessing = Preprocessing.parse("decode|orient|resize(8,bilinear)")
    expected = preprocessing.pixels(data)
    # For two at a time, and not for three.
    monkeypatch.setattr(decoding, "DECODING", ByteBudget(int(2.5 * decode_bytes(open_photo(data), 8, True)), 0))
    lock, pair, at_once, most = threading.Lock(), threading.Barrier(2, timeout=20), 0, 0

    def distort(image: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        pair.wait()  # never passed if only one could be decoded at a time
        with lock:
            at_once -= 1
        pair.wait()
        return image.resize((size, size), resample)

    with ThreadPoolExecutor(8) as threads:
        for pixels in threads.map(lambda _: preprocessing.pixels(data, distort), range(8)):
            assert np.array_equal(pixels, expected)
    assert most == 2


@pytest.mark.parametrize(
    ("format", "mode", "per_pixel"),
    [
        ("PNG", "RGB", (4, 5)), ("PNG", "L", (1, 2)), ("PNG", "RGBA", (4, 5)), ("JPEG", "RGB", (4, 5)),
        ("WEBP", "RGBA", (16, 17)), *([("AVIF", "RGB", (16, 21))] if features.check("avif") else []),
    ],
)  # fmt: skip
def test_what_decoding_takes_is_told_by_the_header(format: str, mode: str, per_pixel: tuple[int, int]) -> None:
    side = 9000
    buffer = io.BytesIO()
    Image.new(mode, (30, 20)).save(buffer, format)
    opened = open_photo(buffer.getvalue())
    opened.image._size = (side, side)
    low, high = per_pixel
    assert low <= decode_bytes(opened, 299) / side**2 < high


def test_a_progressive_jpeg_keeps_its_coefficients_at_any_scale() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (1600, 800)).save(buffer, "JPEG", progressive=True, subsampling=0)
    opened = open_photo(buffer.getvalue())
    assert opened.kept == 1600 * 800 * 3 * 2
    opened.image.draft(None, (100, 100))
    assert decode_bytes(opened, 50) > opened.kept
    buffer = io.BytesIO()
    Image.new("RGB", (1600, 800)).save(buffer, "JPEG")
    assert open_photo(buffer.getvalue()).kept == 0


@pytest.mark.parametrize(
    "data",
    [
        photo("RGB", 40, 30)[:900],
        photo("RGB JPEG", 40, 30)[:-2],
        photo("RGB TIFF", 40, 30)[:-900],
        b"\xff\xd8\xff\xe0" + bytes(99),
        b"BM" + bytes(99),
        b"no photo",
    ],
)
def test_nothing_is_kept_of_a_photo_that_is_refused(data: bytes) -> None:
    """An error that held the bytes until the next garbage collection held those of many large files at a time."""
    preprocessing = Preprocessing.parse("decode|orient|resize(8,bilinear)")
    gc.disable()
    try:
        before = sys.getrefcount(data)
        for attempt in (preprocessing.pixels, read_header):
            with contextlib.suppress(PhotoError):
                attempt(data)
        assert sys.getrefcount(data) == before
    finally:
        gc.enable()


def test_every_photo_that_fits_as_a_square_has_views_too(monkeypatch: pytest.MonkeyPatch) -> None:
    data, preprocessing = photo("RGB", 600, 400), Preprocessing.parse("decode(2)|orient|resize(8,bilinear)")
    plain = decode_bytes(open_photo(data), 8)
    assert plain + 40_000 < decode_bytes(open_photo(data), 8, True)
    monkeypatch.setattr(decoding, "DECODING", ByteBudget(plain + 40_000, 0))
    seen: list[Image.Image] = []

    def distort(image: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
        seen.append(image.copy())
        return image.resize((size, size), resample)

    assert preprocessing.pixels(data, distort).shape == preprocessing.pixels(data).shape
    times = 9  # 600 / 9 x 400 / 9 x 12 bytes are the first that fit
    assert np.array_equal(seen[0], Image.open(io.BytesIO(data)).reduce(times))
