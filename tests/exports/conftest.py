import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from export_folders import paint
from stand_ins import converted

from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.cli.main import main
from retrain.exports.classifier import Classifier
from retrain.exports.formats.base import Source
from retrain.exports.formats.saved_model import write_saved_model
from retrain.exports.registry import FORMATS
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


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos and an export of three colours; never written to."""
    folder = tmp_path_factory.mktemp("trained")
    paint(folder / "photos", range(20))
    main(
        f"--image_dir {folder / 'photos'} --output_dir {folder / 'model'} --architecture fake --formats saved_model "
        f"--bottleneck_dir {folder / 'b'} --model_dir {folder / 'm'}".split()
    )
    return folder


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """The export, to be written to."""
    return Path(shutil.copytree(trained / "model", tmp_path / "model"))


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export in every format; never written to."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(trained / "model", folder / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coremltools is written for older versions of what it meets
        report = converted(folder / "model", FORMATS, str(trained / "photos"), folder)
    made = [name for name, format in FORMATS.items() if format.conversions]
    assert [result.name for result in report.results] == ["saved_model", "saved_model_bytes", *made]
    assert [result.refused for result in report.results] == [None] * len(report.results)
    return folder / "model"
