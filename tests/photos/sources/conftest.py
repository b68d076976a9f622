"""A place for bottlenecks; what a source unpacks lies beside it."""

from pathlib import Path

import pytest


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "tf_files" / "bottlenecks"
