from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from painting import paint
from PIL import Image

from retrain import Backbone, Bottlenecks, Dataset, ExtractionConfig, extract
from retrain.core.errors import OptionError

SHARED = Path(__file__).resolve().parents[3] / "shared"
WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"


def extracted(folder: Path) -> Bottlenecks:
    for name in ("red", "blue"):
        for seed in range(3):
            paint(folder / "photos" / name / f"{seed}.png", name, seed)
    return extract(Dataset.open(folder / "photos"), Backbone.find("fake"), ExtractionConfig(folder / "kept"))


def test_it_sees_what_extract_keeps(tmp_path: Path) -> None:
    found = extracted(tmp_path)
    paths = [photo.path for photo in found.photos]
    backbone = Backbone.find("fake")
    np.testing.assert_array_equal(backbone.embed(paths), found.matrix)
    np.testing.assert_array_equal(backbone.embed([Image.open(path) for path in paths]), found.matrix)
    assert backbone.embed(paths[0]).shape == (1, 3) and backbone.embed([]).shape == (0, 3)
    with ThreadPoolExecutor(4) as threads:
        for row, vector in enumerate(threads.map(backbone.embed, paths)):
            np.testing.assert_array_equal(vector[0], found.matrix[row])


def test_a_joined_backbone_sees_what_its_parts_do(tmp_path: Path) -> None:
    path = paint(tmp_path / "a.png", "red", 1)
    both = Backbone.find("fake+fake", image_size=16)
    assert both.embed(path).tolist() == [Backbone.find("fake", image_size=16).embed(path)[0].tolist() * 2]


def test_names_are_found_by_a_pattern() -> None:
    assert "mobilenet_0.25_128" in Backbone.names("mobilenet*")
    assert "fake" not in Backbone.names() and list(Backbone.names()) == sorted(Backbone.names())
    with pytest.raises(OptionError, match=r"No `architecture` fits wgg\*: Backbone.names\(\) has them all"):
        Backbone.names("wgg*")
    assert repr(Backbone.find("fake")).startswith("<Backbone fake, 3 numbers from ")


@pytest.mark.real
@pytest.mark.skipif(not WEIGHTS.exists(), reason=f"{SHARED} is absent")
def test_a_network_sees_what_extract_keeps_from_every_thread(tmp_path: Path) -> None:
    backbone = Backbone.find("mobilenet_0.25_128", weights=WEIGHTS)
    paths = sorted(str(path) for path in (SHARED / "data/flowers").glob("*/*.jpg"))[:12]
    found = extract(Dataset.unlabelled(paths), backbone, ExtractionConfig(tmp_path / "kept", precision="float32"))
    np.testing.assert_allclose(backbone.embed(paths), found.matrix, atol=1e-5)
    with ThreadPoolExecutor(4) as threads:
        one_by_one = np.concatenate(list(threads.map(backbone.embed, paths)))
    np.testing.assert_allclose(one_by_one, found.matrix, atol=1e-5)
