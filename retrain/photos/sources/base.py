"""What a source is: a layout in which people keep photos. Each declares itself in its file; `registry` lists them."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retrain.core.defaults import BOTTLENECK_DIR
from retrain.core.errors import DatasetError
from retrain.core.progress import SILENT, Progress
from retrain.photos.dataset import SPLIT_FOLDERS, Dataset, Split
from retrain.photos.layouts.reading import Layout


def _nobody(place: str, unpacking: "Unpacking") -> Dataset:
    raise AssertionError(f"nobody reads {place}")


@dataclass(frozen=True)
class Unpacking:
    """How a source is read. Photos that are no files are written once as files, beside the bottlenecks.

    `paranoid` reads the files of such a source again, whatever their size and date say. `layout` overrules how a folder
    is understood, see `retrain.photos.layouts`. `source_dir` is where what is fetched or unpacked is kept, if not
    beside the bottlenecks; `progress` is told of it. `read` reads what came out of a source that held others, an
    archive or an address, by these same rules. Where photos are added to others, a folder that holds nothing but photos
    is a class of the name `class_name`.
    """

    bottleneck_dir: Path = Path(BOTTLENECK_DIR)
    paranoid: bool = False
    layout: Layout = "auto"
    source_dir: Path | None = None
    progress: Progress = SILENT
    read: Callable[[str, "Unpacking"], Dataset] = _nobody
    class_name: str | None = None

    @property
    def sources(self) -> Path:
        """Where sources are unpacked: beside the bottlenecks, or where it was said."""
        return self.source_dir or self.bottleneck_dir.parent / "sources"


@dataclass(frozen=True)
class Source:
    """One layout.

    `recognises` says, from its name and what lies there, whether something is kept in this layout; it raises nothing
    and is quick, as every source before the right one is asked. `read` lists the photos, in any order, and raises
    DatasetError with a sentence that names the file. Neither opens a photo, nor writes anything among them. One that
    `holds_others` is unpacked first, and what comes out is read by another one (`Unpacking.read`).
    """

    name: str
    recognises: Callable[[str], bool]
    read: Callable[[str, Unpacking], Dataset]
    holds_others: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """A photo as its source keeps it: the bytes of an image file, with its class and given split."""

    data: bytes
    label: str
    split: Split | None = None


def side_in(cell: object, where: str) -> Split | None:
    """The side of the split that a cell says; None for one without text. Raises DatasetError for any other word."""
    if not isinstance(cell, str) or not cell.strip():
        return None
    side = SPLIT_FOLDERS.get(cell.strip().lower())
    if side is None:
        raise DatasetError(
            f"{where}: the split {cell!r} is not train, validation or test: write one of these, or call the column "
            "something else."
        )
    return side


def has_no_class(label: object) -> bool:
    """Whether a row says that its photo has no class, as the test sets of Hugging Face and Kaggle do."""
    return label is None or label in ("", -1, "-1")


def is_folder(source: str) -> bool:
    """Whether a folder of this name can be looked into; False for whatever the system refuses."""
    return stat.S_ISDIR(_mode(source))


def is_file(source: str) -> bool:
    """Whether there is a regular file of this name; False for whatever the system refuses."""
    return stat.S_ISREG(_mode(source))


def _mode(source: str) -> int:
    try:
        return os.stat(source).st_mode
    except (OSError, ValueError):
        return 0
