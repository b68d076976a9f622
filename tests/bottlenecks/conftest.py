"""Photos, and a place for their bottlenecks."""

from pathlib import Path

import pytest
from extracting import class_folders


@pytest.fixture
def cats(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "cats")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "bottlenecks"
