"""docs/odd_photos.md, row by row: what training, label_image and `serve_bytes` make of each odd photo."""

import io
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from heic import heic, heic_of_10_bits, heic_with_depth
from PIL import Image, ImageCms, features

from label_image.errors import PhotoError
from label_image.preprocessing import Preprocessing, read_photo
from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.bottlenecks.extraction import extract
from retrain.core.tensorflow import tf
from retrain.exports.formats.saved_model import decode
from retrain.exports.proof.reference import network_engine
from retrain.photos.opening import list_photos

ROOT = Path(__file__).resolve().parents[2]
SIZE = 64
PREPROCESSING = Preprocessing.parse(f"decode(2)|orient|resize({SIZE},bilinear)")
SAME, OTHER, REFUSED = "the same", "other pixels", "refused"


def shapes(width: int, height: int) -> Image.Image:
    """Smooth, and another picture when it is turned."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 17 + y / 29), np.cos(x / 23 - y / 13), x / width - 0.5], axis=-1)
    return Image.fromarray((128 + 100 * waves).astype(np.uint8))


def file(image: Image.Image, format: str, **options: object) -> bytes:
    written = io.BytesIO()
    image.save(written, format, **options)
    return written.getvalue()


def frames(image: Image.Image, format: str, **options: object) -> bytes:
    return file(image, format, save_all=True, append_images=[Image.new("RGB", image.size)], **options)


def png_of_16_bits(values: np.ndarray, colour_type: int) -> bytes:
    """A PNG of uint16 values (height, width, channels), which Pillow writes for gray only."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    data = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(data)


def with_chunk(name: bytes, body: bytes, right: bool = True) -> bytes:
    """A PNG with one more chunk, with a right checksum or a wrong one."""
    photo = file(RGB, "PNG")
    place = photo.index(b"IDAT") - 4
    checksum = zlib.crc32(name + body) if right else 0
    return photo[:place] + struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum) + photo[place:]


def wrong_checksum_of_pixels() -> bytes:
    photo = bytearray(file(RGB, "PNG"))
    photo[-13] ^= 1  # before the last chunk, IEND, of 12 bytes
    return bytes(photo)


def bmp_with_alpha(alpha: int) -> bytes:
    """A BMP of 32 bits per pixel whose header says that the highest 8 are the opacity."""
    width, height = RGB.size
    masks = [0xFF << shift for shift in (16, 8, 0, 24)]
    header = struct.pack("<IiiHHIIiiII4I", 108, width, height, 1, 32, 3, 0, 0, 0, 0, 0, *masks).ljust(108, b"\0")
    pixels = np.dstack([np.asarray(RGB)[..., ::-1], np.full((height, width), alpha, np.uint8)])[::-1]
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 122) + header + pixels.tobytes()


RGB = shapes(100, 75)
RGBA = RGB.copy()
RGBA.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 100), (75, 1)).astype(np.uint8)))
GRAY, PALETTE = RGB.convert("L"), RGB.quantize(64)
TURNED = Image.Exif()
TURNED[0x0112] = 6
HIGH = np.asarray(RGB).astype(np.uint16) * 256 + 200
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

# The photos of each row of the table, the same answer for all of a row.
PHOTOS: dict[str, Callable[[], list[bytes]]] = {
    "JPEG, baseline or progressive": lambda: [
        *(file(RGB, "JPEG", subsampling=ratio) for ratio in (0, 1, 2)),
        file(RGB, "JPEG", progressive=True),
    ],
    "gray JPEG or PNG": lambda: [file(GRAY, "JPEG"), file(GRAY, "PNG"), file(GRAY.convert("1"), "PNG")],
    "CMYK JPEG": lambda: [file(RGB.convert("CMYK"), "JPEG", quality=95)],
    "JPEG or PNG with a colour profile": lambda: [file(RGB, format, icc_profile=LAB) for format in ("JPEG", "PNG")],
    "12 megapixels": lambda: [file(shapes(4000, 3000), "JPEG")],
    "1 x 1": lambda: [file(Image.new("RGB", (1, 1), (10, 200, 30)), format) for format in ("JPEG", "PNG", "GIF")],
    "195 x 33": lambda: [file(shapes(195, 33), "JPEG"), file(shapes(33, 195), "PNG")],
    "PNG with 16 bits per channel": lambda: [
        png_of_16_bits(HIGH[..., :1], 0),
        png_of_16_bits(HIGH, 2),
        png_of_16_bits(np.dstack([HIGH, np.asarray(RGBA)[..., 3].astype(np.uint16) * 257]), 6),
    ],
    "gray PNG of 8, 10 or 12 bits in 16, as X-rays are": lambda: [
        png_of_16_bits((HIGH[..., :1] >> shift).clip(0, 4095), 0) for shift in (8, 6, 4)
    ],
    "PNG of colours of 12 bits in 16": lambda: [png_of_16_bits(HIGH >> 4, 2)],
    "PNG with a palette": lambda: [file(PALETTE, "PNG")],
    "PNG with transparency (alpha, gray and alpha, palette)": lambda: [
        file(RGBA, "PNG"),
        file(RGBA.convert("LA"), "PNG"),
        file(PALETTE, "PNG", transparency=3),
    ],
    "animated PNG": lambda: [frames(RGB, "PNG")],
    "PNG with megabytes of text or of a colour profile": lambda: [
        *(with_chunk(name, b"x\0\0" + zlib.compress(os.urandom(2**21))) for name in (b"zTXt", b"iCCP")),
    ],
    "PNG with a wrong checksum of what no pixel depends on": lambda: [with_chunk(b"gAMA", bytes(4), right=False)],
    "PNG with a wrong checksum of its pixels": lambda: [wrong_checksum_of_pixels()],
    "PNG named .jpg": lambda: [file(RGB, "PNG")],  # every photo of these tests has that name
    "GIF, also animated": lambda: [file(RGB, "GIF"), frames(RGB, "GIF")],
    "BMP in colour or gray": lambda: [file(RGB, "BMP"), file(GRAY, "BMP")],
    "BMP that is transparent everywhere": lambda: [bmp_with_alpha(0)],
    "WebP": lambda: [file(RGB, "WEBP"), file(RGB, "WEBP", lossless=True)],
    "MPO (two JPEGs of a 3D camera)": lambda: [frames(RGB, "MPO")],
    "EXIF orientation": lambda: [file(RGB, "JPEG", exif=TURNED), file(RGB, "PNG", exif=TURNED)],
    "GIF with transparency": lambda: [file(PALETTE, "GIF", transparency=3)],
    "BMP with a palette of colours": lambda: [file(PALETTE, "BMP")],
    "BMP in black and white": lambda: [file(GRAY.convert("1"), "BMP")],
    "animated WebP": lambda: [frames(RGB, "WEBP", lossless=True)],
    "TIFF": lambda: [file(RGB, "TIFF"), frames(RGB, "TIFF")],
    "gray TIFF of 32 bits": lambda: [file(Image.fromarray(np.asarray(GRAY).astype(np.int32)), "TIFF")],
    "AVIF": lambda: [file(RGB, "AVIF")] if features.check("avif") else [],
    "cut off JPEG or PNG": lambda: [file(RGB, "JPEG")[:-300], file(RGB, "PNG")[:-300]],
    "PPM, PGM, PBM": lambda: [
        *(file(image, "PPM") for image in (RGB, GRAY, GRAY.convert("1"))),
        b"P6 # of 7 bits\n100 75\n127\n" + (np.asarray(RGB) // 2).tobytes(),
        b"P2 2 2 9\n0 1 # as text\n8 9",
    ],
    "JPEG 2000": lambda: [file(RGB, "JPEG2000"), file(GRAY, "JPEG2000", no_jp2=True), file(RGBA, "JPEG2000")],
    "TGA": lambda: [file(RGB, "TGA"), file(PALETTE, "TGA", compression="tga_rle")],
    "HEIC, as phones make it": lambda: [heic(RGB), heic(RGB, 6), heic_of_10_bits(RGB), heic_with_depth(RGB)],
    "HEIC without a still picture": lambda: [b"\0\0\0\x18ftyphevc\0\0\0\0msf1hevc" + b"\0\0\0\x10moov" + bytes(8)],
    "ICO": lambda: [file(RGB, "ICO")],
    "empty file": lambda: [b""],
    "text named .jpg": lambda: [b"This is not a photo."],
    "TIFF of floating-point numbers": lambda: [file(Image.new("F", (9, 9)), "TIFF")],
}


def table() -> dict[str, tuple[str, str]]:
    """The rows of the table in the documentation: photo, to what is done in training and in `serve_bytes`."""
    text = (ROOT / "docs/odd_photos.md").read_text(encoding="utf-8").partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: (row[1], row[2]) for row in rows[1:]}


def in_training(data: bytes) -> np.ndarray | None:
    try:
        return PREPROCESSING.pixels(data).astype(float)
    except PhotoError:
        return None


def in_serve_bytes(data: bytes) -> np.ndarray | None:
    try:
        return decode(tf.constant(data), SIZE).numpy().astype(float)
    except tf.errors.InvalidArgumentError:
        return None


def test_each_row_of_the_table_is_tested() -> None:
    assert [*table()] == [*PHOTOS]


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_the_table_is_true(name: str) -> None:
    training, signature = table()[name]
    photos = PHOTOS[name]()
    if not photos:
        pytest.skip("this Pillow has no AVIF")
    for data in photos:
        ours, theirs = in_training(data), in_serve_bytes(data)
        assert (ours is None) == training.startswith(REFUSED)
        assert (theirs is None) == signature.startswith(REFUSED)
        if ours is not None and theirs is not None:
            difference = np.abs(ours - theirs)
            limit = 6 if name == "12 megapixels" else 1
            assert signature.startswith(SAME if difference.max() <= limit else OTHER), difference.max()


def test_colours_are_those_of_the_photo() -> None:
    """What "as it is" says: a red photo is red in every format, whatever else is odd about it."""
    red = Image.new("RGB", (40, 30), (200, 40, 40))
    written = [file(red, format) for format in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "TGA", "JPEG2000")]
    written.append(heic(red))
    written += [file(red.convert("CMYK"), "JPEG"), file(red.quantize(4), "BMP"), file(red, "JPEG", icc_profile=LAB)]
    for data in written:
        pixels = in_training(data)
        assert pixels is not None
        assert np.abs(pixels - (200, 40, 40)).max() <= 6


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_training_and_label_image_see_the_same(tmp_path: Path) -> None:
    """The bottlenecks of a run are those of the pixels that label_image feeds; both refuse the same photos."""
    folder = tmp_path / "photos"
    for row, make in enumerate(PHOTOS.values()):
        for number, data in enumerate(make()):
            photo = folder / ("even", "odd")[row % 2] / f"{row}-{number}.jpg"
            photo.parent.mkdir(parents=True, exist_ok=True)
            photo.write_bytes(data)
    backbone = find_backbone("fake", Path("."))
    network = load_network(backbone)
    listing = list_photos(str(folder), tmp_path / "b")
    extraction = extract(listing, backbone, tmp_path / "b", start=lambda _: network_engine(network))
    skipped = {Path(item.path).name: item.reason for item in (*listing.skipped, *extraction.skipped)}
    photos = sorted(folder.glob("*/*.jpg"))
    assert len(extraction.photos) + len(skipped) == len(photos) > 40 and len(skipped) >= 6
    row_of = {Path(photo.path).name: row for row, photo in enumerate(extraction.photos)}
    for photo in photos:
        try:
            pixels = backbone.preprocessing.pixels(read_photo(photo))
        except PhotoError as error:
            assert skipped[photo.name] == str(error)
            continue
        expected = network(tf.constant(pixels[None], tf.float32)).numpy()[0]
        assert np.allclose(extraction.matrix[row_of[photo.name]], expected, atol=1e-5), photo.name


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_real_odd_photos_are_as_the_table_says() -> None:
    folder = ROOT.parent / "shared/data/odd"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    others = set()
    for path in sorted(folder.iterdir()):
        ours, theirs = in_training(path.read_bytes()), in_serve_bytes(path.read_bytes())
        assert ours is not None and theirs is not None
        if np.abs(ours - theirs).max() > 6:
            others.add(re.split(r"[_.]", path.name)[0])
    # Turned by EXIF; and a GIF with transparency, Egyptian_Mau_177.
    assert others == {"exif", "Egyptian"}
