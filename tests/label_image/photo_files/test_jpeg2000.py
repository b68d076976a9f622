"""JPEG 2000: what it takes is known from its markers, as a few hundred bytes may ask for gigabytes."""

import io
import struct

import numpy as np
import pytest
from hostile_photos import HOSTILE
from PIL import Image

from label_image.errors import PhotoError
from label_image.photo_files.jpeg2000 import decoder_bytes
from label_image.preprocessing import Preprocessing

PREPROCESSING = Preprocessing.parse("decode|orient|resize(40,box)")
COLOURS = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))


def written(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG2000", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"no_jp2": True}, {"tile_size": (16, 16)}, {"num_resolutions": 2}, {"precinct_size": (32, 32)}]
)
def test_it_is_read(options: dict[str, object]) -> None:
    assert np.array_equal(PREPROCESSING.pixels(written(COLOURS, **options)), np.asarray(COLOURS))


def test_more_channels_and_more_parts_take_more() -> None:
    gray, colours = written(COLOURS.convert("L")), written(COLOURS)
    assert 40 * 40 * 6 < decoder_bytes(gray) < decoder_bytes(colours)
    assert decoder_bytes(colours) < decoder_bytes(written(COLOURS, codeblock_size=(4, 4)))
    assert decoder_bytes(colours) < decoder_bytes(written(COLOURS, tile_size=(8, 8)))


@pytest.mark.parametrize("name", ["precincts_64M.jp2", "blocks_60M.jp2", "tiles_65025.jp2"])
def test_what_asks_for_gigabytes_is_refused(name: str) -> None:
    data = HOSTILE[name]()
    assert len(data) < 1000
    with pytest.raises(PhotoError, match=r"would take .* MB to decode"):
        PREPROCESSING.pixels(data)


def test_what_is_said_in_the_header_of_a_tile_counts_too() -> None:
    """There a picture may be coded in another way than its own header says."""
    data = written(COLOURS, no_jp2=True, num_resolutions=1)
    at = data.index(b"\xff\x90")
    style = b"\xff\x52" + struct.pack(">HBBHBBBBBBB", 13, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0)
    (length,) = struct.unpack_from(">I", data, at + 6)
    tile = data[at : at + 6] + struct.pack(">I", length + len(style)) + data[at + 10 : at + 12] + style
    assert decoder_bytes(data[:at] + tile + data[at + 12 :]) > 3 * decoder_bytes(data)


@pytest.mark.parametrize("kept", [3, 20, 60, 200])
def test_a_part_of_one_is_a_sentence(kept: int) -> None:
    with pytest.raises(PhotoError, match=r"^(is cut off|is not a photo|cannot be decoded)"):
        PREPROCESSING.pixels(written(COLOURS)[:kept])
