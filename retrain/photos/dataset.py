"""Which photos there are, and what class each belongs to: the values that a source is read into.

A photo is a `PhotoFile` while nobody has opened it, and a `Photo` once its content is known. How a folder or a table
becomes a `Dataset` is in `retrain.photos.sources`; the way in is `retrain.photos.opening`.
"""

import hashlib
import os
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Literal, Protocol, TypeVar

from label_image.foreign_text import is_text
from retrain.core.errors import DatasetError, OptionError
from retrain.photos import left_out

Kind = TypeVar("Kind", bound="Dataset")
Where = TypeVar("Where", "Photo", "Skipped")
Split = Literal["training", "validation", "testing"]

SPLIT_FOLDERS: dict[str, Split] = {
    "train": "training",
    "training": "training",
    "valid": "validation",
    "validation": "validation",
    "val": "validation",
    "test": "testing",
    "testing": "testing",
}


class Status(Protocol):
    """What is known of a file without reading it, as `os.stat` says it."""

    @property
    def st_size(self) -> int: ...
    @property
    def st_mtime_ns(self) -> int: ...
    @property
    def st_ino(self) -> int: ...
    @property
    def st_ctime_ns(self) -> int: ...
    @property
    def st_mode(self) -> int: ...


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """One file that may be a photo, as the walk found it. `split` is set where the source gives it.

    Without a change time (`ctime_ns`) a file is read again in every run. `part` counts the sources, where photos were
    added to those of a first one. `gone_sha256` is set where there is no such file any more, but its content is known.
    """

    path: str
    label: str
    size: int
    mtime_ns: int
    inode: int
    split: Split | None = None
    ctime_ns: int = field(default=2**63 - 1, compare=False)  # changes where nothing that is compared here does
    part: int = 0
    gone_sha256: str = ""

    @classmethod
    def of(cls, path: str, label: str, status: Status, split: Split | None = None) -> "PhotoFile":
        """A file by its path and what `os.stat`, or its storage, says of it."""
        return cls(path, label, status.st_size, status.st_mtime_ns, status.st_ino, split, status.st_ctime_ns)

    @property
    def gone(self) -> bool:
        """Whether there is no such file any more."""
        return bool(self.gone_sha256)

    def is_unchanged(self) -> bool:
        """Whether the file is still at its path as it was."""
        try:
            now = PhotoFile.of(self.path, self.label, os.stat(self.path), self.split)
        except OSError:
            return False
        return replace(now, part=self.part) == self

    def with_content(self, sha256: str) -> "Photo":
        """The photo that this file is, now that its content is known."""
        return Photo(self.path, self.label, sha256, self.split, self.part, self.gone)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not used, and why, as a phrase that continues its path."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Root:
    """A folder with photos of a source that is none itself: that of a table, or what a source was unpacked to.

    `name` stands for it in the names of photos; for that of a first source nothing does, as for a source's own folder.
    """

    folder: str
    name: str = ""


@dataclass(frozen=True)
class Dataset:
    """What a source holds: candidate photos in a stable order, skipped files, remarks for the screen.

    No file has been read yet. `source` is the name under which it was opened; `reading` says as what a folder was read,
    as in `train, val with the classes ants, bees; left out: logs`. `ordinary` if there was nothing to understand: class
    folders alone, or no folder at all. `max_images_per_class` is the limit that was kept to, where one was asked for.
    `opened_in` is the folder from which a relative source led there, where paths were made absolute. `roots` are the
    folders of those of its sources that are no folders.
    """

    files: tuple[PhotoFile, ...]
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[str, ...] = ()
    source: str = ""
    reading: str = ""
    ordinary: bool = True
    max_images_per_class: int | None = None
    opened_in: str = ""
    roots: tuple[Root, ...] = field(default=(), compare=False, repr=False)

    def __repr__(self) -> str:
        return f"<Dataset {self.source}: {len(self.files)} files of {len(self.labels)} classes>"

    @property
    def is_unlabelled(self) -> bool:
        """Whether there are photos, and none has a class."""
        return bool(self.files) and not any(file.label for file in self.files)

    def told(self) -> tuple[str, ...]:
        """What a person should know before any work: as what the source was read, and the remarks."""
        return (f"Read as: {self.reading}.", *self.remarks) if self.reading else self.remarks

    def as_told(self, items: Iterable[Where]) -> tuple[Where, ...]:
        """Photos or skipped files by their paths from there: what is written does not depend on where a run is."""
        if not self.opened_in:
            return tuple(items)
        start = os.path.join(self.opened_in, "")
        return tuple(
            replace(item, path=item.path[len(start) :]) if item.path.startswith(start) else item for item in items
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return tuple(sorted({file.label for file in self.files}))


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo whose content is known. `split` is set where the source gives it, `part` counts the sources.

    One that is `gone` has no file any more (or another photo is at its path): only its bottlenecks can be used.
    """

    path: str
    label: str
    sha256: str
    split: Split | None = None
    part: int = 0
    gone: bool = False


def in_order(dataset: Kind, source: str | os.PathLike[str], any_classes: bool = False) -> Kind:
    """A data set sorted by class and path, if it holds a classification problem.

    Raises DatasetError where there are fewer than two classes, unless `any_classes` will do, or class names that could
    not be told apart or kept in a labels file.
    """
    labels = dataset.labels
    check_class_names(labels)
    if not any_classes:
        require_two_classes(labels, source, dataset.skipped)
    files = sorted(dataset.files, key=attrgetter("path"))
    files.sort(key=attrgetter("label"))  # two keys in turn: pairs of them would take twice as long to compare
    return replace(dataset, files=tuple(files))


def require_two_classes(labels: Sequence[str], source: str | os.PathLike[str], skipped: Iterable[Skipped] = ()) -> None:
    """Raise DatasetError unless there are at least two classes; it says why files were left out."""
    if len(labels) < 2:
        found = f"only the class {labels[0]!r}" if labels else "no class"
        reasons = [item.reason for item in skipped]
        why = f" Left out: {left_out.in_words(reasons)}." if reasons else ""
        advice = left_out.what_would_help(reasons)
        raise DatasetError(
            f"{source} holds {found} with photos; retraining needs at least two class folders, each with photos."
            f"{why}{f' {advice}.' if advice else ''}"
        )


def check_class_names(labels: Iterable[str]) -> None:
    """Refuse names that a labels file cannot keep, or that look the same as another's.

    Names are kept exactly as written. Raises DatasetError that names the class.
    """
    seen: dict[str, str] = {}
    for label in labels:
        if not is_text(label):
            raise DatasetError(f"The class name {label!r} is not valid UTF-8; rename it.")
        if not label.strip():
            raise DatasetError(f"A class has the empty name {label!r}; give it a name.")
        if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in label):
            raise DatasetError(
                f"The class name {label!r} holds a line break or control character, "
                "which labels.txt cannot keep; rename it."
            )
        appearance = unicodedata.normalize("NFC", label).strip()
        if appearance in seen:
            raise DatasetError(
                f"The class names {seen[appearance]!r} and {label!r} look the same; "
                "rename one of them, or merge the folders."
            )
        seen[appearance] = label


def side_called(name: str, choices: str = "training, validation or testing") -> Split:
    """The side of a split by its name, or by that of a folder of it. Raises OptionError, with the choices."""
    side = SPLIT_FOLDERS.get(name.lower()) if isinstance(name, str) else None
    if side is None:
        raise OptionError(f"`splits` holds {name!r}, which is not a side: write {choices}.")
    return side


def dataset_digest(photos: Iterable[Photo]) -> str:
    """SHA-256 over the sorted (content, class) pairs: equal for equal data, wherever it is stored."""
    photos = tuple(photos)
    return digest_of_lines(photos, lambda row: f"{photos[row].sha256} {photos[row].label}\n")


def digest_of_lines(photos: Sequence[Photo], line_of: Callable[[int], str]) -> str:
    """SHA-256 over the sorted lines of photos, each of which begins with the photo's SHA-256.

    Of millions of lines, those of one first digit are held at a time.
    """
    digest = hashlib.sha256()
    rows: defaultdict[str, array[int]] = defaultdict(lambda: array("L"))
    for row, photo in enumerate(photos):
        rows[photo.sha256[0]].append(row)
    for digit in sorted(rows):
        for line in sorted(map(line_of, rows[digit])):
            digest.update(line.encode())
    return digest.hexdigest()
