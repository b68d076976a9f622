"""One photo at a time: the same bottlenecks as the engines, and places whose average they are."""

from pathlib import Path

import numpy as np
import pytest

from retrain.backbones.backbone import find_backbone, join
from retrain.backbones.engines import one_photo
from retrain.backbones.engines.one_photo import one_photo_engine
from retrain.backbones.engines.registry import start_engine


def photo(size: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8)


def test_the_average_colour_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_photo, "_network", None)
    backbone = find_backbone("fake", Path("unused"))
    pixels = photo(backbone.input_size)
    seen = one_photo_engine(backbone)(pixels)
    assert np.array_equal(seen.vector, start_engine(backbone)(pixels[None])[0])
    assert seen.places is not None and seen.places.shape == pixels.shape
    np.testing.assert_allclose(seen.places.mean(axis=(0, 1)), seen.vector, atol=1e-6)


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_a_network_is_seen_as_by_its_engine(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    monkeypatch.setattr(one_photo, "choose_engine", lambda asked, precision: engine)
    backbone = find_backbone("mobilenet_0.25_128", Path("unused"), "random")
    pixels = photo(backbone.input_size)
    look = one_photo_engine(backbone)
    seen = look(pixels)
    expected = start_engine(backbone, engine)(pixels[None])[0]
    np.testing.assert_allclose(seen.vector, expected, atol=1e-5 * np.abs(expected).max())
    assert seen.places is not None and seen.places.shape == (4, 4, backbone.dim)
    np.testing.assert_allclose(seen.places.mean(axis=(0, 1)), seen.vector, atol=1e-4 * np.abs(expected).max())
    first = seen.vector.copy()
    assert not np.array_equal(look(255 - pixels).vector, first)
    assert np.array_equal(seen.vector, first)  # the next photo leaves what was handed out alone


def test_a_joined_network_has_the_places_of_its_parts() -> None:
    parts = [find_backbone("mobilenet_0.25_128", Path("unused"), "random", seed=seed) for seed in (0, 1)]
    backbone = join(parts)
    seen = one_photo_engine(backbone)(photo(backbone.input_size))
    assert seen.places is not None and seen.places.shape == (4, 4, backbone.dim)
    np.testing.assert_allclose(seen.places.mean(axis=(0, 1)), seen.vector, atol=1e-4 * float(np.abs(seen.vector).max()))


def test_what_is_no_average_has_no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    def outputs(pixels: np.ndarray) -> list[np.ndarray]:
        places = pixels.astype(np.float32) / 255
        return [places.max(axis=(1, 2)), places]  # the largest of the places

    monkeypatch.setattr(one_photo, "_network", lambda backbone: outputs)
    backbone = find_backbone("mobilenet_0.25_128", Path("unused"), "random")
    seen = one_photo_engine(backbone)(photo(backbone.input_size))
    assert seen.places is None and seen.vector.shape == (3,)
