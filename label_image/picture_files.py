"""Files for pictures (PNG), which replace nothing but pictures of our own."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, PngImagePlugin

from label_image.files import reason_of, temporary_folder

SOFTWARE = "label_image"  # in a PNG's field of that name: by it an earlier picture of ours is known


class PictureError(Exception):
    """A picture that cannot be written where it was asked for; the message is a sentence."""


def picture_path(path: Path, position: int, photos: int) -> Path:
    """Where the picture of a photo goes: `cat.png` for the only one; of several `cat-1.png`, `cat-2.png`, ..."""
    if photos == 1:
        return path
    return path.with_name(f"{path.stem}-{position + 1:0{len(str(photos))}}{path.suffix}")


def is_earlier_picture(photo: str, path: Path) -> bool:
    """Whether a file is a picture of this program that `picture_path` named after a path, for any photo."""
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    return (
        re.fullmatch(rf"{stem}(-\d+)?{suffix}", os.path.basename(photo)) is not None
        and os.path.realpath(os.path.dirname(photo)) == os.path.realpath(path.parent)
        and _is_ours(Path(photo))
    )


def check_replaceable(paths: Iterable[Path]) -> None:
    """Refuse names that are taken by anything but an earlier picture of this program. Raises PictureError."""
    for path in paths:
        if path.suffix.lower() != ".png":
            raise PictureError(f"{path} is a picture, so its name must end in .png.")
        if os.path.lexists(path) and not _is_ours(path):
            raise PictureError(f"{path} exists and was not drawn by label_image: choose another name, or move it away.")


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a PNG, aside first and then renamed. Raises PictureError."""
    check_replaceable([path])
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", SOFTWARE)
    try:
        with temporary_folder(path.parent) as temporary:
            image.save(temporary / path.name, "PNG", pnginfo=about)
            os.replace(temporary / path.name, path)
    except OSError as error:
        raise PictureError(f"{path} cannot be written: {reason_of(error)}.") from None


def _is_ours(path: Path) -> bool:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return image.info.get("Software") == SOFTWARE
    except Exception:  # not a PNG, damaged, a folder, not readable: in any case no picture of ours
        return False
