import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from label_image.errors import PhotoError, PreprocessingError
from label_image.photo_files import opening
from label_image.preprocessing import FILTERS, Preprocessing, load_pixels

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
DEFAULT = "decode|orient|resize(299,bilinear)|value_range(-1,1)"
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
# What a camera stores so that orientation n shows the upright picture: the inverse of the turn.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: np.rot90(p, -1),
}


def square(size: int, resample: str = "nearest", decode: str = "decode") -> Preprocessing:
    return Preprocessing.parse(f"{decode}|orient|resize({size},{resample})")


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def picture(width: int = 40, height: int = 40) -> np.ndarray:
    """Red, green, blue and white quarters: no turn or mirror leaves it as it is."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = WHITE
    return pixels


def random_pixels(*shape: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


# The grammar


numbers = st.integers(-1000, 1000) | st.floats(-1000, 1000).map(lambda value: round(value, 3))
positive = st.floats(0.001, 1000).map(lambda value: round(value, 3))
value_ranges = st.tuples(numbers, positive).map(lambda ends: f"value_range({ends[0]},{ends[0] + ends[1]})")
standardizations = st.tuples(*[numbers] * 3, *[positive] * 3).map(
    lambda values: f"standardize({','.join(map(str, values))})"
)
texts = st.builds(
    lambda decode, orient, size, resample, rest: "|".join(
        [decode, *(["orient"] if orient else []), f"resize({size},{resample})", *rest]
    ),
    st.sampled_from(["decode", "decode(2)", "decode(8)"]),
    st.booleans(),
    st.integers(1, 4096),
    st.sampled_from(sorted(FILTERS)),
    st.lists(value_ranges | standardizations | st.just("bgr"), max_size=4),
)


@given(texts)
def test_a_string_is_parsed_and_written_back(text: str) -> None:
    preprocessing = Preprocessing.parse(text)
    assert str(preprocessing) == text
    assert Preprocessing.parse(str(preprocessing)) == preprocessing


@given(texts, st.integers(1, 4096))
def test_with_size_changes_the_size_alone(text: str, size: int) -> None:
    changed = Preprocessing.parse(text).with_size(size)
    assert changed.size == size
    assert changed.arithmetic() == Preprocessing.parse(text).arithmetic()
    before = text[text.index("resize(") + len("resize(") :].partition(",")[0]
    assert str(changed) == text.replace(f"resize({before},", f"resize({size},")


@pytest.mark.parametrize(
    "text",
    [
        " decode | orient | resize( 299 , bilinear ) | value_range( -1 , +1 ) ",
        "decode()|orient()|resize(299,bilinear)|value_range(-1,1,)",
        "decode|orient|resize(0x12b,bilinear)|value_range(-1,1)",
    ],
)
def test_every_way_to_write_it_has_one_canonical_text(text: str) -> None:
    assert str(Preprocessing.parse(text)) == DEFAULT


REJECTED = [
    "",
    "|",
    "decode",
    "resize(299,bilinear)",
    "orient|decode|resize(299,bilinear)",
    "decode|resize(299,bilinear)|orient",
    "decode|decode|resize(299,bilinear)",
    "decode|orient|orient|resize(299,bilinear)",
    "decode|orient|resize(299,bilinear)|resize(299,bilinear)",
    "decode|orient|bgr|resize(299,bilinear)",
    "decode|value_range(-1,1)|orient|resize(299,bilinear)",
    "decode|orient|resize(299,bilinear)|",
    "decode|orient|resize(299,bilinear)||bgr",
    "decode|orient|resize(299,bilinear)|crop(3)",
    "decode(1)|orient|resize(299,bilinear)",
    "decode(9)|orient|resize(299,bilinear)",
    "decode(2.0)|orient|resize(299,bilinear)",
    "decode(2,2)|orient|resize(299,bilinear)",
    "decode(half)|orient|resize(299,bilinear)",
    "decode|orient(6)|resize(299,bilinear)",
    "decode|orient|resize",
    "decode|orient|resize()",
    "decode|orient|resize(299)",
    "decode|orient|resize(299,bilinear,1)",
    "decode|orient|resize(bilinear,299)",
    "decode|orient|resize(0,bilinear)",
    "decode|orient|resize(-299,bilinear)",
    "decode|orient|resize(4097,bilinear)",
    "decode|orient|resize(299.0,bilinear)",
    "decode|orient|resize(True,bilinear)",
    "decode|orient|resize(299,'bilinear')",
    "decode|orient|resize(299,area)",
    "decode|orient|resize(299,BILINEAR)",
    "decode|orient|resize(*[299],bilinear)",
    "decode|orient|resize(299,resample=bilinear)",
    "decode|orient|resize(299,[])",
    "decode|orient|resize(299,bilinear)|value_range",
    "decode|orient|resize(299,bilinear)|value_range(1)",
    "decode|orient|resize(299,bilinear)|value_range(0,1,2)",
    "decode|orient|resize(299,bilinear)|value_range(1,1)",
    "decode|orient|resize(299,bilinear)|value_range(1,-1)",
    "decode|orient|resize(299,bilinear)|value_range(low,high)",
    "decode|orient|resize(299,bilinear)|value_range(0,nan)",
    "decode|orient|resize(299,bilinear)|value_range(0,inf)",
    "decode|orient|resize(299,bilinear)|value_range(0,1e400)",
    "decode|orient|resize(299,bilinear)|value_range(-1e400,1)",
    "decode|orient|resize(299,bilinear)|value_range(-1e308,1e308)",
    "decode|orient|resize(299,bilinear)|value_range(0,1e300)",
    f"decode|orient|resize(299,bilinear)|value_range(0,1{'0' * 400})",
    f"decode|orient|resize(299,bilinear)|value_range(0,1{'0' * 5000})",
    "decode|orient|resize(299,bilinear)|value_range(0,1j)",
    "decode|orient|resize(299,bilinear)|value_range(0,1+1j)",
    "decode|orient|resize(299,bilinear)|value_range(0,True)",
    "decode|orient|resize(299,bilinear)|value_range(0,None)",
    "decode|orient|resize(299,bilinear)|value_range(0,'1')",
    "decode|orient|resize(299,bilinear)|value_range(0,2**3)",
    "decode|orient|resize(299,bilinear)|standardize(1,1,1)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,0)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,-1)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,1e400)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,1e-320)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,1,1)",
    "decode|orient|resize(299,bilinear)|bgr(1)",
    "decode|orient|resize(299,bilinear)|1",
    "decode|orient|resize(299,bilinear)|x.bgr",
    "decode|orient|resize(299,bilinear)|x.bgr()",
    "decode|orient|resize(299,bilinear)|bgr()()",
    "decode|orient|resize(299,bilinear)|bgr;bgr",
    "decode|orient|resize(299,bilinear)|bgr\x00",
    "decode|orient|resize(299,bilinear)|bgr\ud800",
    "décode|orient|resize(299,bilinear)",
    f"decode|orient|resize(299,bilinear)|value_range(0,{'-' * 20_000}1)",
    f"decode|orient|resize(299,bilinear)|value_range(0,{'(' * 20_000}1{')' * 20_000})",
]


@pytest.mark.parametrize("text", REJECTED, ids=lambda text: ascii(text)[:75])
def test_what_the_grammar_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(PreprocessingError, match=r"^Preprocessing "):
        Preprocessing.parse(text)


@given(st.text(alphabet="decodresiz(),|1-.'x_ ", max_size=40) | st.text(max_size=40))
def test_random_text_is_parsed_or_refused(text: str) -> None:
    try:
        preprocessing = Preprocessing.parse(text)
    except PreprocessingError:
        return
    assert Preprocessing.parse(str(preprocessing)) == preprocessing


@pytest.mark.parametrize(
    "code",
    [
        "__import__('os').mkdir('made')",
        "open('made','w')",
        "value_range(0,__import__('os').mkdir('made') or 1)",
        "value_range(0,open('made','w'))",
        "standardize(0,0,0,1,1,[open('made','w') for _ in '1'])",
        "(lambda: open('made','w'))()",
        "bgr(made:=open('made','w'))",
        'value_range(0,f\'{open("made","w")}\')',
    ],
)
def test_code_is_never_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in (f"decode|orient|resize(299,bilinear)|{code}", code):
        with pytest.raises(PreprocessingError):
            Preprocessing.parse(text)
    assert not list(tmp_path.iterdir())


# The arithmetic


def applied(text: str, pixels: np.ndarray) -> np.ndarray:
    """What a network does with the arithmetic."""
    arithmetic = Preprocessing.parse(text).arithmetic()
    return (pixels[..., ::-1] if arithmetic.bgr else pixels) * arithmetic.scale + arithmetic.offset


def computed(text: str, pixels: np.ndarray) -> np.ndarray:
    """The steps one after the other, as their descriptions say."""
    values = pixels.astype(np.float64)
    for step in Preprocessing.parse(text).steps:
        if step.name == "bgr":
            values = values[..., ::-1]
        elif step.name == "value_range":
            low, high = step.arguments
            values = values / 255 * (high - low) + low
        elif step.name == "standardize":
            values = (values - step.arguments[:3]) / step.arguments[3:]
    return values


EVERY_LEVEL = np.stack([np.arange(256), np.arange(255, -1, -1), np.roll(np.arange(256), 77)], axis=-1)


def test_value_range_maps_black_and_white_to_its_ends() -> None:
    values = applied("decode|resize(2,box)|value_range(-1,1)", np.array([[0, 255, 127.5]]))
    assert values == pytest.approx(np.array([[-1, 1, 0]]), abs=1e-12)


def test_standardize_subtracts_the_mean_of_each_channel() -> None:
    values = applied("decode|resize(2,box)|standardize(10,20,30,1,2,4)", np.array([[11, 24, 42]]))
    assert values == pytest.approx(np.array([[1, 2, 3]]))


def test_bgr_swaps_red_and_blue_and_twice_is_nothing() -> None:
    assert applied("decode|resize(2,box)|bgr", np.array([[1, 2, 3]])).tolist() == [[3, 2, 1]]
    assert applied("decode|resize(2,box)|bgr|bgr", np.array([[1, 2, 3]])).tolist() == [[1, 2, 3]]


def test_caffe_style_means_are_those_of_bgr() -> None:
    values = applied("decode|resize(2,box)|bgr|standardize(103.939,116.779,123.68,1,1,1)", np.array([[123.68, 0, 0]]))
    assert values == pytest.approx(np.array([[-103.939, -116.779, 0]]))


@given(texts)
def test_compositions_are_what_the_steps_say_one_after_the_other(text: str) -> None:
    expected = computed(text, EVERY_LEVEL)
    assert np.abs(applied(text, EVERY_LEVEL) - expected).max() <= 1e-9 * max(1, np.abs(expected).max())


# Decoding


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


def smooth_photo(width: int, height: int) -> Image.Image:
    return Image.fromarray(random_pixels(6, 8, 3)).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        ((63, 64), 1),
        ((64, 64), 2),
        ((64, 1000), 2),
        ((1000, 64), 2),
        ((127, 128), 2),
        ((128, 128), 4),
        ((255, 300), 4),
        ((256, 256), 8),
        ((999, 2000), 8),
    ],
)
def test_a_large_jpeg_is_decoded_smaller_but_no_smaller_than_twice_the_square(
    size: tuple[int, int], scale: int
) -> None:
    data = encoded(smooth_photo(*size), "JPEG")
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (size[0] // scale, size[1] // scale))
        assert image.size == (-(-size[0] // scale), -(-size[1] // scale))
        box = (0, 0, size[0] / scale, size[1] / scale)
        assert scale == 1 or min(box[2:]) >= 32
        expected = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR, box))
    assert np.array_equal(square(16, "bilinear", "decode(2)").pixels(data), expected)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_other_formats_are_decoded_whole(format: str) -> None:
    data = encoded(smooth_photo(200, 300), format)
    assert np.array_equal(square(8, "bilinear", "decode(2)").pixels(data), square(8, "bilinear").pixels(data))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 2}], ids=str)
@pytest.mark.parametrize("format", ["JPEG", "MPO"])
def test_every_kind_of_jpeg_looks_alike_at_any_scale(format: str, mode: str, options: dict[str, object]) -> None:
    photo = smooth_photo(400, 300).convert(mode)
    data = encoded(photo, format, quality=95, **options)
    scaled, whole = (square(16, "bilinear", decode).pixels(data).astype(int) for decode in ("decode(2)", "decode"))
    assert np.abs(scaled - whole).max() <= 4
    assert np.abs(scaled - whole).mean() <= 1


@pytest.mark.parametrize("size", [(257, 257), (511, 259), (300, 263)])
def test_a_size_that_does_not_divide_shifts_nothing(size: tuple[int, int]) -> None:
    """Each row and column of a ramp comes out as dark or as light as without scaling."""
    ramp = np.linspace(0, 255, size[0])[None, :, None].repeat(size[1], 0).repeat(3, 2)
    data = encoded(Image.fromarray(ramp.astype(np.uint8)), "JPEG", quality=100, subsampling=0)
    scaled, whole = (square(16, "bilinear", decode).pixels(data).astype(int) for decode in ("decode(2)", "decode"))
    assert np.abs(scaled - whole).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_upright_at_any_scale(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](picture(640, 320))))
    data = encoded(stored, "JPEG", exif=exif, quality=100, subsampling=0)
    pixels = square(8, "box", "decode(2)").pixels(data).astype(int)
    assert np.abs(pixels - picture(8, 8)).max() <= 2


def test_a_cut_jpeg_is_refused_at_any_scale() -> None:
    data = encoded(smooth_photo(400, 300), "JPEG")
    with pytest.raises(PhotoError, match="is cut off"):
        square(16, "bilinear", "decode(2)").pixels(data[: len(data) // 2])


@pytest.mark.parametrize("resample", sorted(FILTERS))
def test_the_resize_is_the_one_that_the_string_names(resample: str) -> None:
    pixels = random_pixels(50, 70, 3)
    expected = Image.fromarray(pixels).resize((31, 31), Image.Resampling[resample.upper()])
    assert np.array_equal(square(31, resample).pixels(encoded(Image.fromarray(pixels), "PNG")), np.asarray(expected))


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
