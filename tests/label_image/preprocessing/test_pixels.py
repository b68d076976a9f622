"""Every format and mode as a square of RGB pixels: on white, upright, resized as the text says."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from encoding import BLUE, GREEN, RED, WHITE, encoded, random_pixels, square
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from label_image.errors import PhotoError
from label_image.photo_files import opening
from label_image.photo_files.resizing import squeezed
from label_image.preprocessing import FILTERS, load_pixels

SHARED = Path(__file__).resolve().parents[3].parent / "shared"


def test_transparency_is_white() -> None:
    pixels = random_pixels(4, 4, 4)
    pixels[0, 0], pixels[1, 1] = (10, 20, 30, 0), (10, 20, 30, 255)
    alpha = pixels[..., 3:] / 255
    expected = pixels[..., :3] * alpha + 255 * (1 - alpha)
    for format, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        shown = square(4).pixels(encoded(Image.fromarray(pixels), format, **options))
        assert np.abs(shown - expected).max() <= 1
        assert shown[0, 0].tolist() == [255, 255, 255] and shown[1, 1].tolist() == [10, 20, 30]


def test_gray_with_alpha() -> None:
    pixels = np.array([[[0, 0], [0, 255]], [[200, 255], [0, 51]]], np.uint8)
    shown = square(2).pixels(encoded(Image.fromarray(pixels, "LA"), "PNG"))
    assert shown[..., 0].tolist() == [[255, 0], [200, 204]]
    assert (shown == shown[..., :1]).all()


def test_a_palette_with_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1])
    for transparency in (0, b"\x00\xff\xff"):
        shown = square(2).pixels(encoded(image, "PNG", transparency=transparency))
        assert shown[0].tolist() == [[*WHITE], [*GREEN]]
    assert square(2).pixels(encoded(image, "PNG"))[0].tolist() == [[*RED], [*GREEN]]
    assert square(2).pixels(encoded(image, "GIF", transparency=0))[0].tolist() == [[*WHITE], [*GREEN]]


@pytest.mark.parametrize(("mode", "color"), [("RGB", (9, 9, 9)), ("L", 9)])
def test_a_transparent_color(mode: str, color: object) -> None:
    image = Image.new(mode, (2, 1), color)
    image.putpixel((1, 0), (0, 0, 0) if mode == "RGB" else 0)
    shown = square(2).pixels(encoded(image, "PNG", transparency=color))
    assert shown[0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize("mode", ["L", "1", "P"])
@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF"])
def test_gray_and_black_and_white_and_palettes(mode: str, format: str) -> None:
    gray = np.where(random_pixels(6, 6) > 127, 255, 0).astype(np.uint8)
    shown = square(6).pixels(encoded(Image.fromarray(gray).convert(mode), format))
    assert np.array_equal(shown, np.repeat(gray[..., np.newaxis], 3, axis=2))


def test_gray_jpeg() -> None:
    data = encoded(Image.new("L", (20, 20), 77), "JPEG")
    assert square(3).pixels(data).tolist() == [[[77] * 3] * 3] * 3


def test_floating_point_pixels_are_refused() -> None:
    data = encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "TIFF")
    with pytest.raises(PhotoError, match="floating-point"):
        square(2).pixels(data)


def test_cmyk() -> None:
    for format in ("JPEG", "TIFF"):
        for ink, color in (((0, 255, 255, 0), RED), ((0, 0, 0, 255), (0, 0, 0)), ((0, 0, 0, 0), WHITE)):
            shown = square(2).pixels(encoded(Image.new("CMYK", (16, 16), ink), format))
            assert np.abs(shown.astype(int) - color).max() <= 3


def test_one_pixel_fills_the_square() -> None:
    data = encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")
    assert square(5, "bilinear").pixels(data).tolist() == [[[1, 2, 3]] * 5] * 5


@pytest.mark.parametrize("size", [(195, 33), (1, 500), (500, 1)])
def test_extreme_shapes_are_squeezed_not_cropped(size: tuple[int, int]) -> None:
    pixels = random_pixels(size[1], size[0], 3)
    shown = square(224, "bilinear").pixels(encoded(Image.fromarray(pixels), "PNG"))
    expected = Image.fromarray(pixels).resize((224, 224), Image.Resampling.BILINEAR)
    assert np.array_equal(shown, np.asarray(expected))


def test_the_resize_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    shown = square(8, "bilinear").pixels(encoded(Image.fromarray(stripes), "PNG"))
    assert np.abs(shown.astype(int) - 127).max() <= 10


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in (RED, GREEN, BLUE)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 3
    assert square(2).pixels(data).tolist() == [[[*RED]] * 2] * 2


def test_mpo_is_the_first_picture() -> None:
    first, second = Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), BLUE)
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "MPO"
    assert np.abs(square(2).pixels(data).astype(int) - RED).max() <= 3


@pytest.mark.parametrize(("format", "name"), [("PNG", "a.jpg"), ("WEBP", "a.png"), ("JPEG", "a.GIF"), ("BMP", "a")])
def test_t21_the_format_is_that_of_the_content(format: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(Image.new("RGB", (16, 16), (90, 90, 90)), format))
    assert load_pixels(path, square(2)).tolist() == [[[90] * 3] * 2] * 2


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
@pytest.mark.parametrize("brand", [b"avif", b"mif1"])
def test_avif_whichever_brand_comes_first(brand: bytes) -> None:
    data = encoded(Image.new("RGB", (16, 16), (90, 90, 90)), "AVIF", quality=100)
    assert data[4:12] == b"ftypavif"
    shown = square(2).pixels(data[:8] + brand + data[12:])
    assert np.abs(shown.astype(int) - 90).max() <= 2


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1"])
def test_heic_without_the_plugin_is_a_sentence(brand: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    opening._register_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError, match="is a HEIC photo, and what reads these is not installed: save it as JPEG"):
        square(2).pixels(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + b"\0\0\0\x0cmeta" + b"\0" * 100)


def test_12_megapixels_are_one_antialiased_resize() -> None:
    photo = Image.fromarray(random_pixels(300, 400, 3)).resize((4000, 3000), Image.Resampling.BICUBIC)
    data = encoded(photo, "JPEG", quality=85)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR))
    assert np.array_equal(square(224, "bilinear").pixels(data), expected)


@pytest.mark.parametrize("resample", sorted(FILTERS))
def test_the_resize_is_the_one_that_the_string_names(resample: str) -> None:
    pixels = random_pixels(50, 70, 3)
    expected = Image.fromarray(pixels).resize((31, 31), Image.Resampling[resample.upper()])
    assert np.array_equal(square(31, resample).pixels(encoded(Image.fromarray(pixels), "PNG")), np.asarray(expected))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.sampled_from([1, 7, 128, 224, 299, 450]),
    st.sampled_from(["L", "RGB", "CMYK"]),
)
def test_the_pixels_of_a_jpeg_are_those_of_pillow(width: int, height: int, side: int, mode: str) -> None:
    """To the bit, also where they are more than Pillow gives at a time."""
    data = encoded(Image.fromarray(random_pixels(height, width, 3)).convert(mode), "JPEG")
    with Image.open(io.BytesIO(data)) as image:
        expected = squeezed(image if mode == "L" else image.convert("RGB"), side).convert("RGB")
    assert np.array_equal(square(side, "bilinear").pixels(data), np.asarray(expected))


def test_pixels_are_of_the_promised_type() -> None:
    shown = square(7).pixels(encoded(Image.new("L", (3, 9)), "PNG"))
    assert shown.shape == (7, 7, 3) and shown.dtype == np.uint8


@pytest.mark.real
@pytest.mark.skipif(not (SHARED / "data/odd").is_dir(), reason=f"{SHARED}/data/odd is absent")
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_odd_photos_are_what_pillow_shows() -> None:
    paths = sorted((SHARED / "data/odd").iterdir())
    assert len(paths) >= 15
    for path in paths:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGBA")
            canvas = Image.new("RGBA", upright.size, "white")
            canvas.alpha_composite(upright)
            expected = np.asarray(canvas.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR))
        assert np.array_equal(load_pixels(path, square(64, "bilinear")), expected), path.name
