"""HEIC photos as phones make them."""

import io
from collections.abc import Sequence

import numpy as np
import pillow_heif
from PIL import Image

ALPHA, DEPTH = b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:hevc:2015:auxid:2"


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth, and another picture when it is turned."""
    few = np.random.default_rng(seed).integers(40, 216, (3, 4, 3), np.uint8)
    return Image.fromarray(few).resize((width, height), Image.Resampling.BICUBIC)


def heic(
    image: Image.Image,
    orientation: int = 1,
    *,
    beside: Sequence[Image.Image] = (),
    profile: bytes = b"",
    **options: object,
) -> bytes:
    """An encoded photo, which a viewer shows turned as the EXIF orientation says; `beside` are further pictures of it.

    Pillow is not told to write HEIC: that would also set how it reads it, for the whole process.
    """
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "a phone"
    with_profile = image.copy()
    if profile:
        with_profile.info["icc_profile"] = profile
    file = pillow_heif.from_pillow(with_profile)
    for other in beside:
        file.add_from_pillow(other)
    buffer = io.BytesIO()
    file.save(buffer, exif=exif.tobytes(), **{"quality": 90, **options})
    return buffer.getvalue()


def heic_of_10_bits(image: Image.Image, mode: str = "RGB", **options: object) -> bytes:
    """The same picture, of 10 bits per channel."""
    deep = np.asarray(image.convert(mode)).astype(np.uint16) * 257
    buffer = io.BytesIO()
    pillow_heif.from_bytes(f"{mode};16", image.size, deep.tobytes()).save(buffer, **{"quality": 90, **options})
    return buffer.getvalue()


def heic_with_depth(image: Image.Image) -> bytes:
    """A portrait with a depth image beside it, which lies there as transparency does."""
    with_alpha = image.copy()
    with_alpha.putalpha(Image.new("L", image.size, 77))
    data = heic(with_alpha)
    assert ALPHA in data
    return data.replace(ALPHA, DEPTH)


def decoded(data: bytes) -> Image.Image:
    """The decoder's own pixels, in RGB, upright."""
    return pillow_heif.open_heif(io.BytesIO(data)).to_pillow().convert("RGB")
