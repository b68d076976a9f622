"""A folder for each class, and `unknown`, into which photos are copied or moved."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from label_image.files import temporary_folder
from label_image.many.placing import Placed, folder_key, is_same_place, names_for, place_photo
from label_image.rows import Row, State, state_of

UNKNOWN = "unknown"
# No part of a path, or steering a terminal, or refused by Windows.
NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
LONGEST = 60  # characters: of four bytes each, with a number behind them, fewer than the 255 bytes of a name


class SortedFolders:
    """Where the photos of each class go, below `root`."""

    def __init__(self, root: Path, move: bool, labels: Sequence[str]) -> None:
        self.root = root
        self.move = move
        self.already = 0  # photos that were there before
        self._names = folder_names(labels)
        self._scratch = root  # until it is open

    @contextmanager
    def open(self) -> Iterator[None]:
        """Photos can be put while the block runs. Raises OSError."""
        with temporary_folder(self.root) as self._scratch:
            yield

    def put(self, row: Row, label: str | None) -> str:
        """Copy or move the photo of a row; None is unknown. Returns its new path. Raises PhotoError and OSError."""
        placed = self._put(row.path, row.state, self.folder_of(label))
        self.already += placed.already
        return placed.path

    def finish(self, row: Row, label: str | None) -> str:
        """What a killed run may have left undone for a photo. Returns its path. Raises PhotoError and OSError."""
        if self.move and not os.path.lexists(row.path):
            return self._moved_before(row, label)
        return self._put(row.path, row.state, self.folder_of(label)).path

    def has_taken(self, row: Row) -> bool:
        """Whether the photo of a finished row is gone from its path, and not just sorted into where it lay."""
        return self.move and not (os.path.lexists(row.path) and is_same_place(row.path, row.to))

    def folder_of(self, label: str | None) -> Path:
        """The folder of a class; None is unknown."""
        return self.root / self._names[label]

    def _put(self, source: str, state: State | None, folder: Path) -> Placed:
        return place_photo(source, state, folder, self._scratch, self.move)

    def _moved_before(self, row: Row, label: str | None) -> str:
        """Where a photo went that was moved just before a kill: a move keeps its size and date. Empty if nowhere."""
        for path in names_for(row.path, self.folder_of(label)):
            if not os.path.lexists(path):
                return ""
            if state_of(path) == row.state:
                return path
        return ""


def folder_names(labels: Sequence[str]) -> dict[str | None, str]:
    """The name of a folder for each label, and for None, which is unknown; no two differ by their case alone."""
    taken = {UNKNOWN}
    names: dict[str | None, str] = {None: UNKNOWN}
    for label in labels:
        wanted = _plain(label)
        numbered = (wanted if number == 1 else f"{wanted}-{number}" for number in count(1))
        names[label] = next(name for name in numbered if name.casefold() not in taken)
        taken.add(names[label].casefold())
    return names


def _plain(label: str) -> str:
    """A label as the name of a folder: nothing in it leads elsewhere, and it is not hidden."""
    name = NOT_IN_NAMES.sub("_", label).strip()[:LONGEST].rstrip(" .")
    return f"_{name.lstrip('.')}" if not name or name.startswith(".") else name


def lies_in(path: str, folder: Path) -> bool:
    """Whether a path is a folder, or in it, whatever links and mounts lead there."""
    real = Path(os.path.realpath(path))
    if real.is_relative_to(os.path.realpath(folder)):
        return True
    root = folder_key(folder)
    return root is not None and any(folder_key(above) == root for above in (real, *real.parents))
