"""The order of the two passes of a resize is ours, not that of the Pillow that is installed."""

import hashlib

import numpy as np
import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from label_image.photo_files.resizing import is_columns_first, squeezed
from label_image.preprocessing import FILTERS

SIDES = st.integers(1, 120)


def noise(width: int, height: int) -> Image.Image:
    """A picture of all levels, the same with every version of NumPy."""
    levels = hashlib.shake_128(b"%d %d" % (width, height)).digest(width * height * 3)
    return Image.frombytes("RGB", (width, height), levels)


@pytest.mark.skipif(int(PIL.__version__.partition(".")[0]) != 13, reason="the order is that of Pillow 13")
@settings(max_examples=300, deadline=None)
@given(SIDES, SIDES, st.integers(1, 64), st.sampled_from(sorted(FILTERS)), st.integers(0, 7), st.integers(0, 7))
def test_all_pixels_are_those_of_pillow_13(
    width: int, height: int, side: int, resample: str, beyond_right: int, beyond_bottom: int
) -> None:
    picture = noise(width, height)
    box = (0, 0, max(width - beyond_right, 1), max(height - beyond_bottom, 1))
    expected = picture.resize((side, side), FILTERS[resample], box)
    assert np.array_equal(squeezed(picture, side, FILTERS[resample], box), expected)


@pytest.mark.parametrize(
    ("width", "height", "digest"), [(40, 200, "77f372"), (200, 40, "84849b"), (100, 130, "7d9327"), (9, 9, "b28498")]
)
def test_every_version_of_pillow_gives_these_pixels(width: int, height: int, digest: str) -> None:
    small = squeezed(noise(width, height), 32)
    assert hashlib.sha256(small.tobytes()).hexdigest()[:6] == digest


def test_the_pixels_tell_the_order() -> None:
    picture = noise(40, 200)
    assert is_columns_first(40, 200, 32)
    rows_first = picture.resize((32, 200), Image.Resampling.BILINEAR).resize((32, 32), Image.Resampling.BILINEAR)
    assert not np.array_equal(squeezed(picture, 32), rows_first)
