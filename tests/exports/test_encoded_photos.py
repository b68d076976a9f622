"""The signature that takes encoded photos decodes them as training does."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from encoding import encoded
from PIL import Image

from label_image.preprocessing import Preprocessing
from retrain.core.tensorflow import tf
from retrain.exports.formats.saved_model import decode

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def worst_difference(data: bytes, size: int) -> int:
    """Greatest difference in grey levels between TensorFlow's decoding and Pillow's."""
    expected = Preprocessing.parse(f"decode|resize({size},bilinear)").pixels(data)
    pixels = decode(tf.constant(data), size).numpy()
    assert pixels.shape == expected.shape
    return int(np.abs(pixels - expected.astype(np.float32)).max())


def photo(width: int, height: int, channels: int = 3) -> np.ndarray:
    """Smooth shapes with some noise, as photos have."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / (9 + 3 * c)) * np.cos(y / (7 + 2 * c)) for c in range(channels)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 4, waves.shape)
    return np.clip(128 + 100 * waves + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(200, 150), (64, 64), (33, 190), (20, 13)])
@pytest.mark.parametrize("size", [64, 128])
def test_jpeg_is_decoded_as_in_training(width: int, height: int, size: int) -> None:
    assert worst_difference(encoded(Image.fromarray(photo(width, height)), "JPEG", quality=85), size) <= 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "16-bit gray", "palette with transparency"])
def test_png_of_every_kind_is_decoded_as_in_training(mode: str) -> None:
    rgba = Image.fromarray(photo(90, 70, 4))
    if mode == "16-bit gray":
        image = Image.fromarray((photo(90, 70)[..., 0].astype(np.uint16) << 8) + 77)
    elif mode == "palette with transparency":
        image = rgba.convert("RGB").quantize(16)
        image.info["transparency"] = 3
    else:
        image = rgba.convert("RGB").convert(mode) if mode in ("L", "P", "1", "RGB") else rgba.convert(mode)
    options = {"transparency": 3} if "transparency" in mode else {}
    assert worst_difference(encoded(image, "PNG", **options), 64) <= 1


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_with_few_bits_of_gray_is_decoded_as_in_training(bits: int) -> None:
    assert worst_difference(gray_png(bits), 16) <= 1


def gray_png(bits: int) -> bytes:
    """A 16 x 8 PNG of all gray levels of so few bits, which Pillow itself writes for 1 bit only."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    levels = "".join(f"{column % 2**bits:0{bits}b}" for column in range(16))
    row = b"\0" + int(levels, 2).to_bytes(2 * bits, "big")
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 8, bits, 0, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(row * 8)),
            chunk(b"IEND", b""),
        ]
    )


@pytest.mark.parametrize("format", ["GIF", "BMP"])
def test_gif_and_bmp_are_decoded_as_in_training(format: str) -> None:
    assert worst_difference(encoded(Image.fromarray(photo(90, 70)), format), 64) <= 1


@pytest.mark.real
def test_real_photos_are_decoded_as_in_training() -> None:
    cats = sorted((SHARED / "data/cats").rglob("*.jpg"))[::80]
    if not cats:
        pytest.skip(f"{SHARED}/data/cats is absent")
    differences = [worst_difference(path.read_bytes(), 224) for path in cats]
    assert len(differences) >= 30
    assert max(differences) <= 1
