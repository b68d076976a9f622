"""What a fake camera shows: JPEG files, one after the other in one file."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

FRAMES = 30  # of each picture, a second


def video(path: Path, pictures: Sequence[Image.Image], frames: int = FRAMES) -> Path:
    """A video that shows each of these pictures for a while, over and over."""
    with open(path, "wb") as file:
        for picture in pictures:
            frame = io.BytesIO()
            picture.convert("RGB").save(frame, "JPEG", quality=95)
            file.write(frame.getvalue() * frames)
    return path
