"""Twenty HEIC photos, as phones make them, train and are labelled as their JPEG twins are."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from calling import call
from heic import decoded, heic, heic_of_10_bits, heic_with_depth
from PIL import Image

from label_image.cli import main as label_image
from label_image.preprocessing import Preprocessing
from retrain.cli.main import main as retrain

PREPROCESSING = Preprocessing.parse("decode(2)|orient|resize(8,bilinear)")
CLASSES = {"warm": (190, 110, 60), "cold": (60, 110, 190)}
SIZE = (160, 120)


def photo(label: str, number: int) -> Image.Image:
    """A gradient around the colour of its class."""
    random = np.random.default_rng([number, *CLASSES[label]])
    corners = np.clip(np.array(CLASSES[label]) + random.integers(-40, 41, (2, 2, 3)), 0, 255)
    return Image.fromarray(corners.astype(np.uint8)).resize(SIZE, Image.Resampling.BILINEAR)


def phone_photo(label: str, number: int) -> bytes:
    image = photo(label, number)
    if number < 6:
        return heic(image, number + 1)
    return (heic_of_10_bits(image), heic_with_depth(image), heic(image, 6, tile_size=64), heic(image))[number - 6]


def jpeg_twin(label: str, number: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = number + 1 if number < 6 else 6 if number == 8 else 1
    buffer = io.BytesIO()
    photo(label, number).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both data sets, and a model of each."""
    folder = tmp_path_factory.mktemp("twins")
    for kind, make in (("heic", phone_photo), ("jpg", jpeg_twin)):
        for label in CLASSES:
            (folder / kind / label).mkdir(parents=True)
            for number in range(10):
                (folder / kind / label / f"{number}.{kind}").write_bytes(make(label, number))
        code, out, err = call(
            retrain, "--image_dir", folder / kind, "--output_dir", folder / f"{kind}_model", "--architecture", "fake",
            "--bottleneck_dir", folder / "b", "--model_dir", folder / "m", "--json",
        )  # fmt: skip
        assert code == 0, err
        assert json.loads(out)["photos"] == {"used": 20, "skipped": 0, "gone": 0}
    return folder


def test_pixels_are_within_a_level_of_the_decoders_own(twins: Path) -> None:
    for path in sorted((twins / "heic").rglob("*.heic")):
        own = np.asarray(decoded(path.read_bytes()).resize((8, 8), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(PREPROCESSING.pixels(path.read_bytes()) - own).max() <= 1, path


@pytest.mark.parametrize("model", ["heic_model", "jpg_model"])
def test_both_models_say_the_same_of_both_twins(model: str, twins: Path) -> None:
    answers = {}
    for kind in ("heic", "jpg"):
        code, out, err = call(label_image, "--json", "--model", twins / model, twins / kind)
        assert code == 0, err
        lines = [json.loads(line) for line in out.splitlines()]
        answers[kind] = {Path(line["image"]).with_suffix("").relative_to(twins / kind): line for line in lines}
    assert answers["heic"].keys() == answers["jpg"].keys() and len(answers["heic"]) == 20
    for name, answer in answers["heic"].items():
        assert answer["label"] == answers["jpg"][name]["label"] == name.parts[0]
        assert abs(answer["probability"] - answers["jpg"][name]["probability"]) < 0.02
