"""Where a store lies: a folder of immutable files that are known by their names.

A file appears whole or not at all, and is there for good when `put` returns. Nobody waits for a lock. See
docs/store.md for what that rests on.
"""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from label_image.files import write_in_one_step
from retrain.core.placing import set_aside


class Place(ABC):
    """A folder of files. Plain values that can be pickled; `str` is what the user calls it.

    All raise OSError, and FileNotFoundError where a file or the folder is missing.
    """

    @abstractmethod
    def names(self) -> list[tuple[str, int]]:
        """The files by ascending name, with their sizes in bytes. Links and folders are not among them."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """All bytes of a file."""

    @abstractmethod
    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write a file, or replace it, in one step."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is fine."""

    @abstractmethod
    def set_aside(self, name: str) -> str:
        """Give a file a name that ends in `.damaged`, out of every reader's sight; returns that name."""

    @abstractmethod
    def below(self, name: str) -> "Place":
        """The folder of this name in this one."""

    @abstractmethod
    def at(self, name: str) -> Path | str:
        """Where a file is, for people."""


@dataclass(frozen=True)
class LocalPlace(Place):
    """A folder of this machine, or one that is mounted here."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def names(self) -> list[tuple[str, int]]:
        with os.scandir(self.folder) as entries:
            return sorted((entry.name, _size(entry)) for entry in entries if _is_file(entry))

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def put(self, name: str, data: bytes | memoryview) -> None:
        write_in_one_step(self.folder / name, data, sync=True)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def set_aside(self, name: str) -> str:
        return set_aside(self.folder / name).name

    def below(self, name: str) -> "LocalPlace":
        return LocalPlace(self.folder / name)

    def at(self, name: str) -> Path:
        return self.folder / name


def place_of(where: Path | str) -> Place:
    """The place that a user names."""
    return LocalPlace(Path(where))


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself, or to where one may not go
        return False


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except OSError:  # it has vanished
        return 0
