"""Trained on bottlenecks in int8, handed over in float32: what is quoted is what the export answers, and all say so."""

import json
from pathlib import Path

import numpy as np
import pytest
from calling import call
from painting import paint
from schemas import check
from stand_ins import asked, evaluated

from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.cli.main import main
from retrain.core.machine import has_int8
from retrain.runs import train
from retrain.runs.extract import ExtractConfig, run_extraction

pytest.importorskip("nncf", reason="NNCF is not installed: `make cluster`")
if not has_int8():
    pytest.skip("this CPU has no instructions for int8", allow_module_level=True)
OPTIONS = ("--architecture", "efficientnet_lite0", "--image_size", "32", "--precision", "int8", "--bottleneck_dir", "b")


@pytest.fixture(autouse=True)
def photos(here: Path) -> Path:
    """Colours that overlap, so that answers near the border differ from one precision to the other."""
    random = np.random.default_rng(0)
    for name, colour in {"red": (150, 110, 110), "green": (110, 150, 110), "blue": (110, 110, 150)}.items():
        for number in range(60):
            paint(here / "photos" / name / f"{number}.png", np.clip(random.normal(colour, 40), 0, 255))
    return here / "photos"


def test_every_count_is_that_of_the_export(photos: Path) -> None:
    options = {"architecture": "efficientnet_lite0", "image_size": 32, "precision": "int8", "folds": 0}
    run = train.run_training(asked("photos", **options, output_dir=Path("model"), bottleneck_dir=Path("b")))
    trained, found = run.trained, evaluated(Path("model"), "photos", Path("b"))
    assert trained.bottlenecks.backbone.compute_dtype == "int8"
    assert found.metrics.confusion == trained.test.confusion
    assert found.metrics.headline() == trained.test.headline()
    assert 0 < trained.test.accuracy < 1  # else nothing could differ


def test_it_is_said_that_they_are_in_int8(photos: Path) -> None:
    said = call(main, "--image_dir", "photos", *OPTIONS, "--formats", "saved_model", "--report", "report.html")
    assert said.code == 0, said.err
    told = " ".join((said.out + said.err).split())
    assert "Backbone: efficientnet_lite0 in int8, 1280 numbers" in told
    assert "is calibrated for int8 on 100 of the photos, once for this store." in told
    assert "as exports compute it, in float32," in told and "of 180 answers change" in told
    model = check("model", Path("tf_files/model/model.json").read_text())
    assert model["provenance"]["precision"] == "int8" and model["metrics"]["float32_change"]["photos"] == 180
    assert "int8, <code>" in Path("report.html").read_text()


def test_portions_and_a_training_after_them(photos: Path) -> None:
    backbone = BackboneConfig("efficientnet_lite0", image_size=32)
    found = run_extraction(ExtractConfig((photos,), backbone, ExtractionConfig("b", "int8"), portion=50))
    assert (found.computed, found.hits, len(found.fingerprints)) == (180, 0, 1)
    said = call(main, "--image_dir", "photos", *OPTIONS, "--formats", "saved_model", "--json")
    assert json.loads(said.out)["bottlenecks"] == {"hits": 180, "computed": 0, "set_aside": 0}


def test_two_networks_side_by_side(photos: Path) -> None:
    options = list(OPTIONS)
    options[1] = "efficientnet_lite0+mobilenet_0.25_128"
    options += ["--weights", "mobilenet_0.25_128=random"]
    for computed in (360, 0):
        said = call(main, "--image_dir", "photos", *options, "--formats", "saved_model", "--json")
        assert said.code == 0, said.err
        assert json.loads(said.out)["bottlenecks"]["computed"] == computed
    assert len(list(Path("b/calibrated").iterdir())) == 2


def test_few_photos_are_refused_in_a_sentence(photos: Path) -> None:
    for number, path in enumerate(sorted(photos.rglob("*.png"))):
        if number % 8:
            path.unlink()
    said = call(main, "--image_dir", "photos", *OPTIONS)
    assert said.code == 2
    assert "--precision int8 is calibrated on photos, and 23 are too few" in " ".join(said.err.split())
