import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from label_image.model import ModelError
from label_image.preprocessing import Preprocessing
from retrain.insight.report import heatmaps
from retrain.insight.report.heatmaps import heat_uris
from retrain.photos.thumbnails import SIDE

STEPS = Preprocessing.parse("decode(2)|orient|resize(8,bilinear)|value_range(0,1)")


@pytest.fixture
def photo(tmp_path: Path) -> str:
    Image.new("RGB", (200, 200), (60, 60, 60)).save(tmp_path / "gray.png")
    return str(tmp_path / "gray.png")


@pytest.fixture
def maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Class 0 is seen on the left, class 1 on the right."""
    left = np.tile(np.array([1, 1, 0, 0], np.float32), (4, 1))
    monkeypatch.setattr(heatmaps, "find_tflite", lambda model: model)
    monkeypatch.setattr(heatmaps, "activation_maps", lambda path: lambda pixels: np.stack([left, 1 - left]))


def brightness(uri: str) -> tuple[float, float]:
    """Of the left and of the right quarter."""
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert picture.size == (SIDE, SIDE)
    pixels = np.asarray(picture.convert("L"))
    return float(pixels[:, : SIDE // 4].mean()), float(pixels[:, -SIDE // 4 :].mean())


def test_the_class_that_is_asked_for_is_bright(photo: str, maps: None) -> None:
    left, right = brightness(heat_uris(Path(), STEPS, [(photo, 0)])[photo])
    assert left > right + 40
    left, right = brightness(heat_uris(Path(), STEPS, [(photo, 1)])[photo])
    assert right > left + 40


def test_photos_that_are_gone_are_left_out(photo: str, maps: None) -> None:
    assert list(heat_uris(Path(), STEPS, [("gone.png", 0), (photo, 0)])) == [photo]


def test_it_stops_when_it_takes_too_long(photo: str, maps: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heatmaps, "SECONDS", -1.0)
    assert heat_uris(Path(), STEPS, [(photo, 0)]) == {}


def test_an_export_without_maps_gives_none(photo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: Path) -> Path:
        raise ModelError("It has hidden layers.")

    monkeypatch.setattr(heatmaps, "find_tflite", refuse)
    assert heat_uris(Path(), STEPS, [(photo, 0)]) == {}
