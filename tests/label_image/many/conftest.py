from pathlib import Path

import pytest
from painting import paint
from PIL import Image


@pytest.fixture
def photos(here: Path) -> Path:
    """Two red ones, a green one, one of no class, and a file that is no photo."""
    paint(here / "photos/a.jpg", "red")
    paint(here / "photos/b.jpg", "green")
    paint(here / "photos/deep/a.jpg", (205, 40, 35))
    Image.new("RGB", (20, 20), (128, 128, 128)).save(here / "photos/gray.png")
    (here / "photos/none.jpg").write_bytes(b"no photo")
    return here / "photos"


@pytest.fixture
def model(trained: Path) -> Path:
    return trained
