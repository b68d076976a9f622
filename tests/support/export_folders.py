"""Photos of three colours, and what tests read of the exports that are made of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from painting import paint_classes

COLOURS = {"red": (220, 30, 30), "gr,ün 🐸": (30, 200, 30), "b'l\"ue": (30, 30, 220)}


def paint(folder: Path, seeds: Sequence[int]) -> Path:
    """A photo for each seed of each class."""
    return paint_classes(folder, COLOURS, seeds)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, or a file as if it were one."""
    files = folder.rglob("*") if folder.is_dir() else [folder]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


def parity_of(model: Path) -> dict[str, dict[str, Any]]:
    """What the manifest of an export says that its formats were found to be."""
    found: dict[str, dict[str, Any]] = json.loads((model / "model.json").read_text(encoding="utf-8"))["parity"]
    return found
