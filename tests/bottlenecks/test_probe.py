import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from label_image.preprocessing import Preprocessing
from retrain.backbones.backbone import find_backbone
from retrain.bottlenecks.probe import JPEG, TOLERANCES, probe_photos, relative_error

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
WEIGHTS = SHARED / "weights"
TOLERANCE = TOLERANCES["float32"]

needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason=f"{WEIGHTS} is absent")


def pictures() -> list[Image.Image]:
    return [Image.open(io.BytesIO(data)) for data in probe_photos()]


def test_the_pictures_never_change() -> None:
    # Another picture would make every store look as if it came from another environment.
    _, texture, shapes = (hashlib.sha256(np.asarray(image)).hexdigest()[:16] for image in pictures())
    assert hashlib.sha256(JPEG).hexdigest()[:16] == "580b536ba40cf1e0"
    assert (texture, shapes) == ("d77745a6f1a3f236", "a4761187cd31ec36")


def test_the_jpeg_decodes_to_the_known_pixels() -> None:
    image = pictures()[0]
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (80, 60))
    blocks = np.asarray(image.resize((4, 3), Image.Resampling.BOX)).astype(int)  # any libjpeg agrees on averages
    known = [
        [[74, 81, 117], [138, 150, 121], [188, 120, 126], [127, 130, 118]],
        [[175, 157, 120], [157, 101, 122], [75, 134, 121], [98, 128, 119]],
        [[99, 103, 125], [80, 155, 121], [140, 123, 118], [186, 127, 122]],
    ]
    assert np.abs(blocks - np.array(known)).max() <= 2


def test_relative_error_is_the_worst_row() -> None:
    expected = np.array([[3.0, 4.0], [1.0, 0.0]])
    assert relative_error(expected, expected) == 0
    assert relative_error(np.array([[3.0, 4.5], [1.0, 0.3]]), expected) == pytest.approx(0.3)
    assert relative_error(np.array([[3.0, 4.5], [1.0, 0.01]]), expected) == pytest.approx(0.1)
    assert relative_error(expected * 1.5e-16, expected * 1e-16) == pytest.approx(0.5)  # an untrained MobileNet's size


def test_relative_error_of_zero_against_something_is_no_division_by_zero() -> None:
    assert relative_error(np.zeros((1, 2)), np.zeros((1, 2))) == 0
    assert relative_error(np.ones((1, 2)), np.zeros((1, 2))) > 1
    assert np.isnan(relative_error(np.full((1, 2), np.nan), np.ones((1, 2))))  # never <= a tolerance


def test_a_shorter_compute_type_may_differ_more() -> None:
    assert TOLERANCES["float32"] < TOLERANCES["float16"] < TOLERANCES["bfloat16"]


class Embedding:
    """The probe's bottlenecks under a real network, and under the same network used differently."""

    def __init__(self, name: str) -> None:
        from retrain.backbones.network import load_network

        self.backbone = find_backbone(name, WEIGHTS)
        self.network = load_network(self.backbone)
        self.size = self.backbone.input_size
        self.expected = self.run(self.pixels(f"resize({self.size},bilinear)"))

    def pixels(self, resize: str) -> np.ndarray:
        preprocessing = Preprocessing.parse(f"decode|orient|{resize}")
        return np.stack([preprocessing.pixels(data) for data in probe_photos()]).astype(np.float32)

    def run(self, pixels: Any, network: Any = None) -> np.ndarray:
        return np.asarray((network or self.network)(pixels))

    def error(self, pixels: Any, network: Any = None) -> float:
        return relative_error(self.run(pixels, network), self.expected)


@pytest.fixture(scope="module", params=["mobilenet_0.25_128", "mobilenet_v2_0.35_224"])
def embedding(request: pytest.FixtureRequest) -> Embedding:
    return Embedding(request.param)


@pytest.mark.real
@needs_weights
class TestARealNetwork:
    def test_the_same_computation_in_another_form_passes_easily(self, embedding: Embedding) -> None:
        from retrain.backbones.engines.registry import start_engine

        engine = start_engine(embedding.backbone)  # loaded again, as a graph, on a filled-up batch
        pixels = embedding.pixels(f"resize({embedding.size},bilinear)").astype(np.uint8)
        assert relative_error(engine(pixels), embedding.expected) < TOLERANCE / 50

    @pytest.mark.parametrize("resample", ["nearest", "box", "bicubic", "lanczos"])
    def test_another_resize_filter_is_caught(self, embedding: Embedding, resample: str) -> None:
        assert embedding.error(embedding.pixels(f"resize({embedding.size},{resample})")) > 5 * TOLERANCE

    def test_a_resize_without_antialiasing_is_caught(self, embedding: Embedding) -> None:
        from retrain.core.tensorflow import tf

        size = (embedding.size, embedding.size)
        pixels = [tf.image.resize(np.asarray(image), size, antialias=False).numpy() for image in pictures()]
        assert embedding.error(np.round(pixels)) > 5 * TOLERANCE

    @pytest.mark.parametrize(
        "arithmetic", ["value_range(0,1)", "value_range(0,255)", "bgr|value_range(-1,1)", "value_range(-1,1.1)"]
    )
    def test_another_scaling_is_caught(self, embedding: Embedding, arithmetic: str) -> None:
        from retrain.backbones.network import Network

        preprocessing = Preprocessing.parse(f"decode|orient|resize({embedding.size},bilinear)|{arithmetic}")
        network = Network(replace(embedding.backbone, preprocessing=preprocessing), embedding.network.features)
        pixels = embedding.pixels(f"resize({embedding.size},bilinear)")
        assert embedding.error(pixels, network) > 5 * TOLERANCE

    @pytest.mark.parametrize("more", [-1, 1])
    def test_another_input_size_is_caught(self, embedding: Embedding, more: int) -> None:
        from retrain.backbones.network import load_network

        preprocessing = embedding.backbone.preprocessing.with_size(embedding.size + more)
        network = load_network(replace(embedding.backbone, preprocessing=preprocessing))
        assert embedding.error(embedding.pixels(f"resize({embedding.size + more},bilinear)"), network) > 5 * TOLERANCE

    def test_other_weights_are_caught(self, embedding: Embedding) -> None:
        from retrain.backbones.network import load_network

        network = load_network(embedding.backbone)
        kernel = network.model.weights[0]
        before = kernel.numpy()
        kernel.assign(before * 1.05)
        assert embedding.error(embedding.pixels(f"resize({embedding.size},bilinear)"), network) > 5 * TOLERANCE
