"""The folder of drawings: draws the files that are missing, and touches nobody else's."""

import io
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from label_image.files import reason_of, write_in_one_step
from retrain.core.errors import OptionError, RetrainError
from retrain.demo.coats import COATS
from retrain.demo.scene import draw_cat

# A JPEG comment by which a drawing is known. It is among the bytes, so it names what drew the first ones.
MARK = b"drawn by retrain's draw_demo_photos.py"
OWN_NAME = re.compile(r"\d{3,}\.jpg")
FEW = 60  # drawings, for which further processes do not pay


@dataclass(frozen=True)
class Drawing:
    """One file to draw."""

    path: Path
    coat: str
    seed: str


def drawings(folder: Path, per_coat: int, seed: int, photo: Path | None, coat: str) -> list[Drawing]:
    """The files of a demo: `per_coat` of each coat in the folder, and one photo of a cat that is in none of them.

    Raises OptionError where something else is in their place.
    """
    if coat not in COATS:
        raise OptionError(f"{coat} is not a coat; choose one of {', '.join(COATS)}.")
    foreign = strangers(folder)
    if foreign:
        raise OptionError(f"{foreign[0]} is not one of the demo's drawings: choose a new or empty folder.")
    if photo and photo.exists() and not is_drawing(photo):
        raise OptionError(f"{photo} is not one of the demo's drawings: choose another name for the photo.")
    wanted = [
        Drawing(folder / coat_name / f"{number:03}.jpg", coat_name, f"{seed}/{coat_name}/{number}")
        for number in range(1, per_coat + 1)
        for coat_name in COATS
    ]
    if photo:
        wanted.append(Drawing(photo, coat, f"{seed}/gato/{coat}"))
    return wanted


def remove_others(folder: Path, wanted: Iterable[Drawing]) -> None:
    """Remove the drawings of an earlier demo that asked for more."""
    kept = {drawing.path for drawing in wanted}
    for path in folder.glob("*/*.jpg"):
        if path not in kept and not path.name.startswith("."):
            path.unlink()


def draw_all(wanted: list[Drawing]) -> Iterator[bool]:
    """Draw the files, on every core if there are many: for each, whether it was drawn now, or there already."""
    try:
        if len(wanted) < FEW:
            yield from map(draw, wanted)
        else:
            yield from _draw_on_all_cores(wanted)
    except OSError as error:
        raise RetrainError(f"{error.filename} cannot be written: {reason_of(error)}.") from error


def draw(drawing: Drawing) -> bool:
    """Draw one file; False if it is there already, byte for byte."""
    data = jpeg(draw_cat(drawing.coat, drawing.seed))
    if drawing.path.is_file() and drawing.path.read_bytes() == data:
        return False
    write_in_one_step(drawing.path, data)
    return True


def jpeg(picture: Image.Image) -> bytes:
    """The picture as a file that says what it is."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80, comment=MARK)
    return out.getvalue()


def is_drawing(path: Path) -> bool:
    """Whether a file is a drawing of the demo."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return MARK in file.read(200)


def strangers(folder: Path) -> list[Path]:
    """What lies in the folder and is not a drawing of the demo. Hidden files are left to their owners."""
    found = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if entry.name.startswith("."):
            continue
        if entry.name not in COATS or not entry.is_dir():
            found.append(entry)
            continue
        for file in sorted(entry.iterdir()):
            if not file.name.startswith(".") and not (OWN_NAME.fullmatch(file.name) and is_drawing(file)):
                found.append(file)
    return found


def _draw_on_all_cores(wanted: list[Drawing]) -> Iterator[bool]:
    # Ctrl-C goes to all processes of a terminal: this one ends the others.
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 8), initializer=_work_for_another) as pool:
        try:
            yield from pool.map(draw, wanted, chunksize=4)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _work_for_another() -> None:
    """Leave interrupts to the process that was started by the user, and end with it, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
