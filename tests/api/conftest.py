from pathlib import Path

import pytest
from painting import paint_classes

from retrain import Backbone, Bottlenecks, Dataset, ExtractionConfig, extract


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of three colours, 14 of each; never written to."""
    return paint_classes(tmp_path_factory.mktemp("api") / "photos", {name: name for name in ("red", "green", "blue")},
                         range(14))  # fmt: skip


@pytest.fixture(scope="session")
def bottlenecks(photos: Path) -> Bottlenecks:
    """Those of the average colour."""
    return extract(Dataset.open(photos), Backbone.find("fake"), ExtractionConfig(photos.parent / "kept"))
