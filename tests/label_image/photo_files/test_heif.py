"""HEIC: the decoder's own pixels, turned once; what would take gigabytes or minutes is refused before it is decoded."""

import io
import re
import struct
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from heic import decoded, heic, heic_of_10_bits, heic_with_depth, scene
from hostile_photos import box, heic_of_squares
from PIL import Image

from label_image.errors import PhotoError
from label_image.photo_files import decoding, heif
from label_image.photo_files.decoding import decode_bytes
from label_image.photo_files.heif import decoded_pixels
from label_image.photo_files.opening import open_photo
from label_image.preprocessing import Preprocessing, read_header

PREPROCESSING = Preprocessing.parse("decode(2)|orient|resize(64,bilinear)")
SCENE = scene(200, 120)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR)).astype(int)


def several() -> bytes:
    """The third of three pictures is the main one."""
    others = [scene(64, 64, 1), scene(90, 50, 2)]
    return heic(others[0], beside=[others[1], SCENE], primary_index=2)


PHOTOS: dict[str, Callable[[], bytes]] = {
    **{f"orientation {number}": lambda number=number: heic(SCENE, number) for number in range(1, 9)},
    "tiles": lambda: heic(SCENE, tile_size=64),
    "turned tiles": lambda: heic(SCENE, 6, tile_size=64),
    "10 bits": lambda: heic_of_10_bits(SCENE),
    "no subsampling": lambda: heic(SCENE, chroma=444),
    "depth": lambda: heic_with_depth(SCENE),
    "several": several,
    "a colour profile": lambda: heic(SCENE, profile=b"no profile at all"),
    "gray": lambda: heic(SCENE.convert("L")),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_pixels_are_the_decoders_own(name: str) -> None:
    data = PHOTOS[name]()
    assert np.abs(PREPROCESSING.pixels(data).astype(int) - pixels(decoded(data))).max() <= 1


@pytest.mark.parametrize("name", sorted(PHOTOS.keys() - {"gray"}))
def test_they_are_those_of_the_picture_that_was_encoded(name: str) -> None:
    """Which the decoder's own would not tell if it turned a photo twice, or took the wrong one of several."""
    number = int(name[-1]) if name.startswith("orientation") else 6 if name == "turned tiles" else 1
    exif = Image.Exif()
    exif[0x0112] = number
    twin = io.BytesIO()
    SCENE.save(twin, "JPEG", quality=95, subsampling=0, exif=exif)
    data = PHOTOS[name]()
    assert np.abs(PREPROCESSING.pixels(data).astype(int) - PREPROCESSING.pixels(twin.getvalue())).mean() < 3
    assert read_header(data).orientation == 1


def test_transparency_is_laid_over_white() -> None:
    clear = SCENE.copy()
    clear.putalpha(Image.new("L", SCENE.size, 0))
    assert PREPROCESSING.pixels(heic(clear)).min() >= 253


def test_gray_of_10_bits_is_read_by_their_range_however_dark_it_is() -> None:
    dark = SCENE.convert("L").point(lambda value: value // 8)
    found = PREPROCESSING.pixels(heic_of_10_bits(dark, "L"))
    assert np.abs(found.astype(int) - pixels(dark)).max() <= 3


def test_what_it_takes_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    eight, ten = (open_photo(data) for data in (heic(SCENE), heic_of_10_bits(SCENE)))
    assert 10 * 200 * 120 <= decode_bytes(eight, 64) < decode_bytes(ten, 64)
    monkeypatch.setattr(decoding, "DECODING", decoding.ByteBudget(10**5, 10**4))
    with pytest.raises(PhotoError, match="is 200 x 120 pixels and would take"):
        PREPROCESSING.pixels(heic(SCENE))


def test_a_picture_that_is_larger_than_it_says_is_refused() -> None:
    data = bytearray(heic(scene(512, 512)))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 64, 64)
    with pytest.raises(PhotoError, match=r"^cannot be decoded: .*[Ss]ecurity limit"):
        PREPROCESSING.pixels(bytes(data))


# Files that are nothing but what describes pictures


def test_the_description_of_these_tests_is_understood() -> None:
    assert decoded_pixels(heic_of_squares([2, 2, 2, 2], 512)) == 512 * 512


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (heic_of_squares([2] * 5000, 512), f"is made of tiles of more than {heif.MOST_DECODED} pixels in all"),
        (heic_of_squares([1], 512), "is damaged: its pictures are made of each other"),
        (heic_of_squares([], 64, metadata=10**6, pictures=100), "has metadata that belong to many pictures"),
        (heic_of_squares([], 64, profile=10**6, pictures=100), "has metadata that belong to many pictures"),
        (box(b"ftyp", b"hevc\0\0\0\0msf1hevc") + box(b"moov", bytes(99)), "is a HEIC file without a still picture"),
        (
            box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(4), box(b"iprp", box(b"ipma", bytes(6)))),
            "is dam",
        ),
        (box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(4), box(b"iref", bytes(5 << 20))), "has more than"),
        (heic(SCENE)[:-100], "is cut off: its "),
        (heic(SCENE)[:300], "is cut off: its 300 bytes"),
    ],
)
def test_what_would_take_gigabytes_or_minutes_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(PhotoError, match=f"^{re.escape(sentence)}"):
        PREPROCESSING.pixels(data)


def test_damage_anywhere_is_a_sentence_or_a_picture() -> None:
    random = np.random.default_rng(0)
    photos = [heic(scene(64, 48)), heic(scene(130, 70), 6, tile_size=64), heic_with_depth(scene(64, 48))]
    outcomes = set()
    for _ in range(600):
        data = bytearray(photos[random.integers(len(photos))])
        for at in random.integers(0, len(data) if random.random() < 0.5 else 700, random.integers(1, 6)):
            data[at] ^= 1 << random.integers(8)
        try:
            outcomes.add(PREPROCESSING.pixels(bytes(data)).shape)
        except PhotoError as error:
            assert str(error) and "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes == {(64, 64, 3), "refused"}


def test_other_photos_do_not_load_what_reads_heic() -> None:
    code = """
import io, sys
from PIL import Image
from label_image.preprocessing import Preprocessing
jpeg = io.BytesIO()
Image.new("RGB", (9, 9)).save(jpeg, "JPEG")
Preprocessing.parse("decode|orient|resize(8,bilinear)").pixels(jpeg.getvalue())
print([name for name in sys.modules if "heif" in name or "jpeg2000" in name])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
