from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from label_image.files import sha256_of_bytes
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.photos.dataset import Photo, Split
from retrain.photos.split import Division

COLOURS = {"blue": (90, 90, 170), "green": (90, 170, 90), "red": (170, 90, 90)}

ColourPhotos = Callable[[Path, int], tuple[list[Photo], tuple[str, ...], Division]]


@pytest.fixture(scope="session")
def write_colour_photos() -> ColourPhotos:
    """Writes noisy photos whose class is their colour; of eight, two validate and one tests."""

    def write(folder: Path, per_class: int) -> tuple[list[Photo], tuple[str, ...], Division]:
        random = np.random.default_rng(0)
        photos: list[Photo] = []
        splits: list[Split] = []
        for label, colour in COLOURS.items():
            for number in range(per_class):
                path = folder / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = np.array(colour) + random.normal(0, 40, (40, 40, 3)) + random.normal(0, 15, 3)
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
                photos.append(Photo(str(path), label, sha256_of_bytes(path.read_bytes())))
                splits.append("validation" if number % 8 < 2 else "testing" if number % 8 == 2 else "training")
        return photos, tuple(COLOURS), Division(tuple(splits))

    return write


@pytest.fixture(scope="module")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backbone]:
    """A backbone of three convolutions with batch norms, of 32 pixels and 12 features, whatever is built meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retrain.backbones.network._build", lambda backbone: _tiny_model())
        file = tmp_path_factory.mktemp("weights") / "tiny.weights.h5"
        _tiny_model().save_weights(file)
        registered = find_backbone("mobilenet_0.25_128", Path("x"), str(file), image_size=32)
        yield replace(registered, dim=12)


def _tiny_model() -> keras.Model:
    keras.utils.clear_session()
    keras.utils.set_random_seed(7)
    images = tensor = keras.Input((32, 32, 3))
    for number, layer in enumerate(
        (
            keras.layers.Conv2D(8, 3, strides=4, use_bias=False, name="first"),
            keras.layers.DepthwiseConv2D(3, use_bias=False, name="second"),
            keras.layers.Conv2D(12, 1, use_bias=False, name="third"),
        )
    ):
        norm = keras.layers.BatchNormalization(name=f"norm_{number}")
        tensor = keras.layers.ReLU()(norm(layer(tensor)))
        norm.moving_variance.assign(norm.moving_variance * 0.3)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(tensor))
