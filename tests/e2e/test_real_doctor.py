"""What `retrain doctor` finds of what is planted among real photos; skipped where ../shared is absent."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from research import judge_doctor as judge
from retrain.backbones.backbone import find_backbone
from retrain.bottlenecks.extraction import extract
from retrain.core.machine import choose_precision
from retrain.insight.doctor.duplicates import find_copies
from retrain.insight.doctor.looks import look_at
from retrain.photos.opening import list_photos
from retrain.photos.subset import limit_per_class

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
ARCHITECTURE = "mobilenet_v2_1.0_224"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (SHARED / f"weights/{ARCHITECTURE}.weights.h5").exists() or not (SHARED / "data/cats").exists(),
        reason=f"{SHARED} is absent",
    ),
]


@pytest.fixture(scope="module")
def cats(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Half of the cats: 100 of each breed."""
    backbone = find_backbone(ARCHITECTURE, SHARED / "weights", None)
    backbone = replace(backbone, compute_dtype=choose_precision("auto"))
    listing = limit_per_class(list_photos(SHARED / "data/cats"), 100)
    store = tmp_path_factory.mktemp("bottlenecks")
    return SimpleNamespace(
        backbone=backbone, listing=listing, store=store, extraction=extract(listing, backbone, store)
    )


def test_planted_label_errors(cats: SimpleNamespace) -> None:
    photos = cats.extraction.photos
    copies = find_copies(photos, cats.extraction.matrix, look_at(photos))
    flips = judge.judge_flips(cats.extraction, copies, 0.05, seed=0, confused=False, oracle=False)
    assert flips.planted == 60
    assert flips.recall >= 0.75 and flips.precision >= 0.6
    assert flips.curve[judge.RECALLS.index(0.8)] >= 0.75


def test_planted_copies(cats: SimpleNamespace, tmp_path: Path) -> None:
    before = len(find_copies(cats.extraction.photos, cats.extraction.matrix, look_at(cats.extraction.photos)))
    assert before > 0
    listing, origin = judge.plant_copies(cats.listing, 50, 0, tmp_path)
    found = judge.judge_copies(extract(listing, cats.backbone, cats.store), origin)
    assert found.planted == 50 and found.found >= 48
    # Pairs of the whole set were looked at as pictures: 24, all of them true (docs/doctor.md).
    assert len(found.others) <= 24
