import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retrain.photos import thumbnails
from retrain.photos.thumbnails import LONGER_SIDE, SIDE, sprite, square_uris, whole_uris


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))))


def halves(path: Path) -> str:
    """Twice as wide as high: red, green in the middle, blue."""
    picture = Image.new("RGB", (400, 200), (0, 200, 0))
    picture.paste((220, 0, 0), (0, 0, 100, 200))
    picture.paste((0, 0, 220), (300, 0, 400, 200))
    picture.save(path)
    return str(path)


def test_the_middle_of_a_photo_is_cut_out(tmp_path: Path) -> None:
    path = halves(tmp_path / "wide.png")
    picture = opened(square_uris([path])[path])
    assert picture.size == (SIDE, SIDE)
    red, green, blue = np.asarray(picture)[:, 4:-4].mean(axis=(0, 1))
    assert green > 180 and red < 20 and blue < 20


def test_a_whole_photo_keeps_its_shape_and_is_never_enlarged(tmp_path: Path) -> None:
    wide = halves(tmp_path / "wide.png")
    Image.new("RGB", (3000, 1000)).save(tmp_path / "large.jpg")
    Image.new("RGB", (9, 30)).save(tmp_path / "tiny.png")
    large, tiny, gone = (str(tmp_path / name) for name in ("large.jpg", "tiny.png", "gone.png"))
    uris = whole_uris([wide, large, tiny, gone, wide])
    assert {path: opened(uri).size for path, uri in uris.items()} == {
        wide: (LONGER_SIDE, LONGER_SIDE // 2),
        large: (LONGER_SIDE, round(LONGER_SIDE / 3)),
        tiny: (9, 30),
    }
    assert np.asarray(opened(uris[wide]))[:, : LONGER_SIDE // 5, 0].mean() > 180  # its red end is not cut off


def test_a_photo_that_is_gone_has_no_picture(tmp_path: Path) -> None:
    there = halves(tmp_path / "there.png")
    assert list(square_uris([there, str(tmp_path / "gone.png"), there])) == [there]


def test_a_sprite_holds_the_photos_row_by_row(tmp_path: Path) -> None:
    paths = []
    for number in range(5):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.new("RGB", (50, 50), (50 * number, 0, 0)).save(paths[-1])
    paths.insert(2, str(tmp_path / "gone.png"))
    picture, side = sprite(paths)
    assert picture.size == (3 * side, 3 * side)
    pixels = np.asarray(picture)[side // 2 :: side, side // 2 :: side].reshape(-1, 3)
    assert pixels[:6].tolist() == [[0, 0, 0], [50, 0, 0], [128] * 3, [100, 0, 0], [150, 0, 0], [200, 0, 0]]


@pytest.mark.parametrize("photos", [0, 1, 2, 4, 5, 10_000])
def test_a_sprite_is_never_too_large(photos: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "_small", lambda paths, side, fit: iter(()))
    picture, side = sprite([""] * photos)
    assert picture.width == picture.height <= 8192
    assert (picture.width // side) ** 2 >= photos
