"""Files for tests that list photos, and what a listing found, briefly."""

import os
from pathlib import Path

from retrain.photos.dataset import Dataset


def make(root: Path, *names: str) -> Path:
    """Files with their own name as content, and the folders above them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return root


def found(listing: Dataset, root: Path) -> list[tuple[str, str]]:
    return [(file.label, os.path.relpath(file.path, root)) for file in listing.files]


def reasons(listing: Dataset, root: Path) -> dict[str, str]:
    return {os.path.relpath(item.path, root): item.reason for item in listing.skipped}
