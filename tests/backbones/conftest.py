"""A folder for models, and a world without weights."""

from pathlib import Path

import pytest
from weights_of import publish

from retrain.backbones import weights as where
from retrain.backbones.registry import ARCHITECTURES


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network (the discard port refuses), and no Keras cache but an empty one."""
    for name in ARCHITECTURES:
        publish(monkeypatch, name, "http://127.0.0.1:9/")
    monkeypatch.setattr(where, "KERAS_CACHE", tmp_path / "keras")
    monkeypatch.setattr(where, "INSTALLED_WEIGHTS", tmp_path / "installed")
