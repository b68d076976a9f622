import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from colour_runs import Train, run_on, write_colour_folders

from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.exports.classifier import Classifier
from retrain.exports.formats.base import Source
from retrain.exports.formats.saved_model import write_saved_model
from retrain.exports.top import Top
from retrain.training.head import Head

# What may be in a folder's name and be misread in a file format or in a programming language.
AWKWARD_LABELS = ("São João 🐈‍⬛", "\"quoted\", 'twice'", "100% ${x} \\n `y`")


@pytest.fixture(scope="session")
def small_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SavedModel of a small classifier with awkward labels, with labels.txt and model.json; not to be changed."""
    folder = tmp_path_factory.mktemp("small") / "export"
    random = np.random.default_rng(1)
    means = random.normal(size=(3, 3))
    head = Head(random.normal(size=(3, 3)).astype(np.float32) * 3, random.normal(size=3).astype(np.float32))
    top = Top(head, (means / np.linalg.norm(means, axis=0)).astype(np.float32))
    write_saved_model(Classifier(load_network(find_backbone("fake", Path("."))), top, AWKWARD_LABELS), folder)
    manifest = {
        "format": "retrain-export",
        "format_version": 1,
        "preprocessing": "decode(2)|orient|resize(8,bilinear)|value_range(-1,1)",
        "input": {"name": "image", "size": 8, "channels": "RGB", "range": [0, 255]},
        "labels": list(AWKWARD_LABELS),
        "unknown": {"threshold": 0.5, "output": "similarity"},
    }
    (folder / "model.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in AWKWARD_LABELS), encoding="utf-8")
    return folder


@pytest.fixture
def small_manifest(small_export: Path) -> dict[str, object]:
    manifest: dict[str, object] = json.loads((small_export / "model.json").read_text(encoding="utf-8"))
    return manifest


@pytest.fixture
def small_source(small_export: Path, small_manifest: dict[str, object]) -> Source:
    """The small export as formats are made of it."""
    return Source(small_export, small_manifest, calibration=None, made=None)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_colour_folders(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture
def train(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Runs `retrain` on the photos of two colours, in a folder of its own: exit code and standard error."""
    monkeypatch.chdir(tmp_path)
    return partial(run_on, photos)
