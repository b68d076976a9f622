"""Folders of the studio, small photos for them, and what can be seen in them."""

import io
from pathlib import Path

from PIL import Image


def png(number: int) -> bytes:
    """A photo, another one for each number."""
    file = io.BytesIO()
    Image.new("RGB", (9 + number % 50, 9), (number % 256, number // 256 % 256, 7)).save(file, "PNG")
    return file.getvalue()


def put(folder: Path, *names: str) -> Path:
    """Photos of these names, each of its own content."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    return folder


def seen(folder: Path) -> dict[str, bytes | None]:
    """What is in a folder and not hidden: files with their bytes, folders with None."""
    paths = (path for path in folder.rglob("*") if not path.relative_to(folder).parts[0].startswith("."))
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in sorted(paths)
    }
