"""An export of the backbone that was retired in favour of EfficientNet-Lite still labels: it holds all it needs.

`data/export_of_builtin.zip` of the tests is the folder of such a run on red, green and blue squares, made when it was
there (with most of its weights set to zero, so that the file is small).
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from label_image.model import load_model

EXPORT = Path(__file__).resolve().parents[1] / "data" / "export_of_builtin.zip"


COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220)}


@pytest.mark.parametrize("label", COLOURS)
def test_an_old_export_labels_as_it_did(tmp_path: Path, label: str) -> None:
    with zipfile.ZipFile(EXPORT) as archive:
        archive.extractall(tmp_path)
    noise = np.random.default_rng(7).integers(-15, 15, (50, 70, 3))
    Image.fromarray(np.clip(np.array(COLOURS[label]) + noise, 0, 255).astype(np.uint8)).save(tmp_path / "photo.png")
    verdict = load_model(tmp_path / "m").label((tmp_path / "photo.png").read_bytes())
    assert (verdict.answers[0].label, verdict.unknown) == (label, False)
    assert verdict.answers[0].probability > 0.9
