"""What tests of `label_image` share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def trained(three_colours: Path) -> Path:
    """An export that tells red, green and blue apart; never written to."""
    return three_colours / "model"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this test alone, in which it works."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
