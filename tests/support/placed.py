"""Files that tests of places write, and what lies there."""

from pathlib import Path

import pytest

from retrain.core import placing


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def in_place(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(placing, "_is_mount_point", lambda path: path == folder)
