"""Small photos of one shade each, and what a listing found, with the photos' content."""

import io
import os
from pathlib import Path

from PIL import Image

from retrain.photos.dataset import Dataset


def photo(shade: int, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (9, 9), (shade, 10, 255 - shade)).save(data, kind)
    return data.getvalue()


def save(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo(shade))
    return path


def listed(listing: Dataset) -> list[tuple[str, str | None, bytes]]:
    """Class, given split and content of every photo, sorted."""
    return sorted((file.label, file.split or "", Path(file.path).read_bytes()) for file in listing.files)


def reasons(listing: Dataset) -> list[tuple[str, str]]:
    return [(os.path.basename(item.path), item.reason) for item in listing.skipped]
