"""A folder of photos of one colour each, and what looks at it by the average-colour network."""

from collections.abc import Callable
from pathlib import Path

import pytest
from extracting import Counter

from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.studio.config import StudioConfig
from retrain.studio.seeing import Eye

FAKE = BackboneConfig(architecture="fake")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the photos are; empty."""
    path = tmp_path / "photos"
    path.mkdir()
    return path


@pytest.fixture
def config(tmp_path: Path, folder: Path) -> StudioConfig:
    extraction = ExtractionConfig(bottleneck_dir=tmp_path / "store")
    return StudioConfig(folder, tmp_path / "model", FAKE, extraction, "127.0.0.1", 0, False, "token", "phone")


@pytest.fixture
def engines() -> Counter:
    """Starts engines, and counts them and the photos that they see."""
    return Counter()


@pytest.fixture
def open_eye(config: StudioConfig, engines: Counter) -> Callable[[], Eye]:
    """Makes eyes that share a store, and nothing else."""
    return lambda: Eye(config.backbone, config.extraction, engines.start)
