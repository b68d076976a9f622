"""What the phone's model sees is what `label_image` would show it, to the bit."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from in_node import Node, module, node
from PIL import Image, features

ROOT = Path(__file__).resolve().parents[3]
SQUEEZE = f"""
    const {{ squeezed }} = await import({module(ROOT / "web" / "preprocessing.js")});
    return ({{ width, height, size, rgba }}) => {{
        const data = bytes(rgba);
        const rows = (first, count) => data.slice(first * width * 4, (first + count) * width * 4);
        return text(squeezed({{ width, height, rows }}, size));
    }};
"""
pytestmark = pytest.mark.skipif(
    int(features.version("pil").partition(".")[0]) < 13, reason="Pillow 12 resizes in another order"
)


@pytest.fixture(scope="module")
def squeeze() -> Iterator[Node]:
    with node(SQUEEZE) as found:
        yield found


def pixels_of(width: int, height: int, seed: int) -> np.ndarray:
    """Noise, and edges: what rounds up in one place and down in another."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (height, width, 3), np.uint8)
    return np.where(random.random((height, width, 1)) < 0.3, np.uint8(255 * random.integers(0, 2)), noise)


def squeezed(squeeze: Node, pixels: np.ndarray, size: int) -> np.ndarray:
    height, width, _ = pixels.shape
    rgba = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
    data = base64.b64encode(rgba.tobytes()).decode()
    said = squeeze(width=width, height=height, size=size, rgba=data)
    return np.frombuffer(base64.b64decode(said), np.uint8).reshape(size, size, 3)


def by_pillow(pixels: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))


@given(width=st.integers(1, 300), height=st.integers(1, 300), size=st.integers(1, 150), seed=st.integers(0, 2**16))
@example(width=128, height=128, size=128, seed=1)  # as it is
@example(width=64, height=300, size=64, seed=1)  # along one side alone
@example(width=300, height=64, size=64, seed=1)
@example(width=1, height=1, size=150, seed=1)
@example(width=160, height=192, size=128, seed=1)  # on the border between the two orders, and beside it
@example(width=160, height=193, size=128, seed=1)
def test_it_is_pillows_resize(squeeze: Node, width: int, height: int, size: int, seed: int) -> None:
    pixels = pixels_of(width, height, seed)
    assert (squeezed(squeeze, pixels, size) == by_pillow(pixels, size)).all()


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1800, 1350), (1350, 1800), (5000, 200)])
def test_photos_in_several_strips_are_pillows_too(squeeze: Node, width: int, height: int) -> None:
    pixels = pixels_of(width, height, width)
    assert (squeezed(squeeze, pixels, 224) == by_pillow(pixels, 224)).all()
