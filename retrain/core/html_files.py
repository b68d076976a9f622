"""Pages as files: written in one step, and never over a file of the user's. For the report and the doctor's page."""

import os
from pathlib import Path

from label_image.files import reason_of, write_in_one_step
from retrain.core.errors import ExportError, OptionError
from retrain.core.outputs import check_file

GENERATOR = '<meta name="generator" content="retrain">'  # by which a page is known to be ours
BEGINNING = 2048  # bytes of a page that hold it
SUFFIXES = (".html", ".htm")


def check_page(path: Path, option: str) -> None:
    """Refuse, before any work, a name that is no page's and a file that is not ours. Raises OptionError or ExportError.

    ExportError is for a folder that cannot be written to. Nothing is made.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"{option} {path} must end in .html: it is a page for a browser.")
    if _is_foreign(path):
        raise OptionError(_refusal(path, option))
    check_file(path, option)


def write_page(path: Path, page: str, option: str) -> Path:
    """Write a page that holds `GENERATOR` beside its place and rename it; returns its path.

    Raises ExportError, naming `option`, if it cannot be written or would replace something else than such a page.
    """
    if _is_foreign(path):
        raise ExportError(_refusal(path, option))
    try:
        write_in_one_step(path, page.encode())
    except OSError as error:
        raise ExportError(f"{option} {path} cannot be written: {reason_of(error)}.") from None
    return path


def _is_foreign(path: Path) -> bool:
    """Whether something else than a page of ours is there; of a link, what it leads to counts."""
    if not os.path.lexists(path):
        return False
    if not path.is_file():
        return True  # a folder, a link to nowhere, a pipe
    try:
        with open(path, "rb") as file:
            return GENERATOR.encode() not in file.read(BEGINNING)
    except OSError:
        return True


def _refusal(path: Path, option: str) -> str:
    return f"{option} {path} is not a page of this project: move it away, or choose another name."
