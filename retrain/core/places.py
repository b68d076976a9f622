"""Where a store lies: a folder of immutable files that are known by their names, here or on object storage.

A file appears whole or not at all, and is there for good when `put` returns. Nobody waits for a lock, and on object
storage nothing is renamed. docs/store.md says what that rests on.
"""

import errno
import os
import secrets
import stat
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from label_image import object_storage
from label_image.errors import CredentialsError, StorageError
from label_image.files import remove_leftovers, write_in_one_step
from label_image.not_paths import is_object_address
from retrain.core.defaults import BOTTLENECK_DIR
from retrain.core.errors import StoreError, UnwritableStoreError
from retrain.core.placing import set_aside


class Place(ABC):
    """A folder of files. Plain values that can be pickled; `str` is what the user calls it.

    FileNotFoundError is raised where a file is missing, or the folder of a disk. What else goes wrong is an OSError
    on a disk, and a StoreError on object storage (UnwritableStoreError where writing is refused).
    """

    @property
    @abstractmethod
    def where(self) -> Path | str:
        """The folder as a path, or as an address."""

    is_local: ClassVar[bool]

    @property
    @abstractmethod
    def local_dir(self) -> Path:
        """A folder of this machine for what is worked with and cannot lie in this place."""

    @abstractmethod
    def at(self, name: str) -> Path | str:
        """Where a file is, for people."""

    @abstractmethod
    def below(self, name: str) -> "Place":
        """The folder of this name in this one."""

    @abstractmethod
    def above(self) -> "Place":
        """The folder that this one is in."""

    @abstractmethod
    def make(self) -> None:
        """Make the folder where it is missing."""

    @abstractmethod
    def names(self) -> list[tuple[str, int]]:
        """The files by ascending name, with their sizes in bytes."""

    @abstractmethod
    def folders(self) -> list[str]:
        """The folders in this one, by ascending name."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """All bytes of a file."""

    @abstractmethod
    def read_beginning(self, name: str, most: int) -> bytes:
        """The first bytes of a file; none of what is something else."""

    @abstractmethod
    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write a file, or replace it, in one step."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is fine."""

    @abstractmethod
    def remove_if_empty(self) -> bool:
        """Remove the folder if nothing is in it; whether it is gone."""

    @abstractmethod
    def set_aside(self, name: str, into: "Place | None" = None) -> Path | str:
        """Give a file a name that ends in `.damaged`, out of every reader's sight; returns where it is then.

        That is in the same folder, or `into` another one of the same store, where it can be renamed to.
        """

    @abstractmethod
    def try_writing(self) -> None:
        """Find out whether files can be written here; nothing is left of the try."""

    @abstractmethod
    def tidy(self) -> None:
        """Remove what killed writers have left, as far as that can be told."""


@dataclass(frozen=True)
class LocalPlace(Place):
    """A folder of this machine, or one that is mounted here."""

    folder: Path
    is_local = True

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def where(self) -> Path:
        return self.folder

    @property
    def local_dir(self) -> Path:
        return self.folder

    def at(self, name: str) -> Path:
        return self.folder / name

    def below(self, name: str) -> "LocalPlace":
        return LocalPlace(self.folder / name)

    def above(self) -> "LocalPlace":
        return LocalPlace(self.folder.parent)

    def make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[tuple[str, int]]:
        with os.scandir(self.folder) as entries:
            return sorted((entry.name, _size(entry)) for entry in entries if _is_file(entry))

    def folders(self) -> list[str]:
        with os.scandir(self.folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def read_beginning(self, name: str, most: int) -> bytes:
        path = self.folder / name
        if not stat.S_ISREG(os.stat(path).st_mode):
            return b""
        with open(path, "rb") as file:
            return file.read(most)

    def put(self, name: str, data: bytes | memoryview) -> None:
        write_in_one_step(self.folder / name, data, sync=True)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def remove_if_empty(self) -> bool:
        try:
            self.folder.rmdir()
        except OSError:
            return False
        return True

    def set_aside(self, name: str, into: Place | None = None) -> Path:
        return set_aside(self.folder / name, None if into is None else Path(into.where))

    def try_writing(self) -> None:
        tempfile.TemporaryFile(dir=self.folder).close()

    def tidy(self) -> None:
        remove_leftovers(self.folder)


@dataclass(frozen=True)
class ObjectPlace(Place):
    """Objects whose keys begin alike: `s3://bucket/folder`. There are no folders to be made, and no renaming."""

    address: str
    is_local = False

    def __str__(self) -> str:
        return self.address

    @property
    def where(self) -> str:
        return self.address

    @property
    def local_dir(self) -> Path:
        return Path(BOTTLENECK_DIR)

    def at(self, name: str) -> str:
        return f"{self.address}/{name}"

    def below(self, name: str) -> "ObjectPlace":
        return ObjectPlace(f"{self.address}/{name}")

    def above(self) -> "ObjectPlace":
        return ObjectPlace(self.address.rpartition("/")[0])

    def make(self) -> None:
        pass

    def names(self) -> list[tuple[str, int]]:
        return sorted(self._entries()[0])

    def folders(self) -> list[str]:
        files, folders = self._entries()
        if not files and not folders:
            raise _missing(self.address)
        return sorted(folders)

    def read(self, name: str) -> bytes:
        try:
            return object_storage.read_object(self.at(name))
        except StorageError as error:
            raise _reading(error) from error

    def read_beginning(self, name: str, most: int) -> bytes:
        try:
            return object_storage.read_object(self.at(name), most)
        except StorageError as error:
            raise _reading(error) from error

    def put(self, name: str, data: bytes | memoryview) -> None:
        try:
            object_storage.put_object(self.at(name), data)
        except StorageError as error:
            raise _writing(error) from error

    def remove(self, name: str) -> None:
        try:
            object_storage.remove_object(self.at(name))
        except FileNotFoundError:
            pass
        except StorageError as error:
            raise _writing(error) from error

    def remove_if_empty(self) -> bool:
        return not any(self._entries())

    def set_aside(self, name: str, into: Place | None = None) -> str:
        """A copy under the other name, and only then the object is removed: a kill in between leaves both."""
        folder = ObjectPlace(str((into or self).where))
        stem = name.removesuffix(".damaged")
        target = f"{stem}.damaged"
        try:
            if object_storage.object_at(folder.at(target)) is not None:
                target = f"{stem}.{secrets.token_hex(4)}.damaged"
            folder.put(target, self.read(name))
            self.remove(name)
        except FileNotFoundError:
            pass  # another process has done it
        except StorageError as error:
            raise _writing(error) from error
        return folder.at(target)

    def try_writing(self) -> None:
        name = f".retrain-{secrets.token_hex(8)}.tmp"
        self.put(name, b"")
        self.remove(name)

    def tidy(self) -> None:
        pass  # what was not written to its end never appears

    def _entries(self) -> tuple[list[tuple[str, int]], list[str]]:
        try:
            return object_storage.entries_of(self.address)
        except StorageError as error:
            raise _reading(error) from error


def place_of(where: str | os.PathLike[str] | Place) -> Place:
    """The place that a user names, by a path or an address. Raises StorageError for an address without a bucket."""
    if isinstance(where, Place):
        return where
    if isinstance(where, str) and is_object_address(where):
        object_storage.split_address(where)
        return ObjectPlace(where.rstrip("/"))
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


def _missing(address: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "there is nothing of this name", address)


def _reading(error: StorageError) -> StoreError:
    if isinstance(error, CredentialsError):
        return StoreError(f"{str(error).rstrip('.')}; see `bottleneck_dir`.")
    return StoreError(f"{error} Check the address; see `bottleneck_dir`.")


def _writing(error: StorageError) -> StoreError:
    if isinstance(error, CredentialsError):
        return UnwritableStoreError(f"{str(error).rstrip('.')}, or choose another `bottleneck_dir`.")
    return StoreError(f"{error} Check the address, or choose another `bottleneck_dir`.")
