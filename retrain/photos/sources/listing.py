"""What lies in a folder, wherever that is: on a disk, or in an object storage, of whose listing a tree is made."""

import posixpath
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from label_image.folders import PassedOver, entries_of, is_litter, walk
from label_image.object_storage import Object
from retrain.photos.dataset import Status
from retrain.photos.layouts.tree import Folder, list_tree, tree_of
from retrain.photos.object_states import ObjectStatus


class Entry(Protocol):
    """A file or folder in a folder, as `os.DirEntry` is one."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    def stat(self) -> Status: ...
    def is_dir(self) -> bool: ...


class Found(NamedTuple):
    """The files of one folder, and what is passed over; `start` is the position of the folder below which it lies."""

    start: int
    files: Sequence[Entry]
    passed_over: Sequence[PassedOver]


class Listing(Protocol):
    """A folder of photos and all that is below it. Paths within it are relative, and end in no slash."""

    def tree(self) -> Folder:
        """What lies there, within bounds. Raises OSError."""

    def path(self, relative: str) -> str:
        """The path of something in it, as photos are called."""

    def entries(self, relative: str) -> Sequence[Entry]:
        """What lies directly in a folder in it, sorted by name. Raises OSError."""

    def below(self, folders: Iterable[str]) -> Iterator[Found]:
        """The files of folders in it, by their paths, and of all that are below them."""


@dataclass(frozen=True)
class OnDisk:
    """A folder of this machine."""

    root: Path

    def tree(self) -> Folder:
        return list_tree(str(self.root))

    def path(self, relative: str) -> str:
        return str(self.root / relative)

    def entries(self, relative: str) -> Sequence[Entry]:
        return entries_of(self.root / relative)

    def below(self, folders: Iterable[str]) -> Iterator[Found]:
        return (Found(*listed) for listed in walk(folders))


class _Object(NamedTuple):
    """An object as an entry of the folder that its address says."""

    path: str
    size: int
    mtime_ns: int

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    def stat(self) -> ObjectStatus:
        return ObjectStatus(self.size, self.mtime_ns)

    def is_dir(self) -> bool:
        return False


@dataclass
class _Folder:
    """A folder of a storage: the addresses of objects have it in common."""

    path: str
    folders: "dict[str, _Folder]" = field(default_factory=dict)
    files: list[_Object] = field(default_factory=list)

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    def stat(self) -> ObjectStatus:
        return ObjectStatus(0, 0)

    def is_dir(self) -> bool:
        return True


class InStorage:
    """A folder of an object storage, of which everything has been listed."""

    def __init__(self, root: str, objects: Iterable[Object]) -> None:
        """`root` ends in no slash, and the addresses of all objects begin with it and one."""
        self._root = _Folder(root)
        last, folder = "", self._root
        for address, size, mtime_ns in objects:
            place = address[len(root) + 1 :].rpartition("/")[0]
            if place != last:  # they come folder after folder, as a rule
                last, folder = place, self._made(place)
            folder.files.append(_Object(address, size, mtime_ns))

    def tree(self) -> Folder:
        return tree_of(self._names())

    def path(self, relative: str) -> str:
        return f"{self._root.path}/{relative}" if relative else self._root.path

    def entries(self, relative: str) -> Sequence[Entry]:
        folder = self._at(relative)
        return sorted([*folder.folders.values(), *folder.files], key=lambda entry: entry.name)

    def below(self, folders: Iterable[str]) -> Iterator[Found]:
        start = len(self._root.path) + 1
        for number, path in enumerate(folders):
            todo = deque([self._at(path.rstrip("/")[start:])])
            while todo:
                folder = todo.popleft()
                files, passed_over = list[Entry](), list[PassedOver]()
                for file in folder.files:
                    if is_litter(file.name):
                        passed_over.append(PassedOver(file.path, "litter", "is hidden"))
                    else:
                        files.append(file)
                inner = []
                for name, one in sorted(folder.folders.items()):
                    if is_litter(name):
                        passed_over.append(PassedOver(one.path, "litter", "is hidden"))
                    elif not name:
                        reason = "cannot be read: its name has two slashes side by side"
                        passed_over.append(PassedOver(f"{one.path}/", "unlisted", reason))
                    else:
                        inner.append(one)
                yield Found(number, sorted(files, key=lambda entry: entry.name), passed_over)
                todo.extendleft(reversed(inner))

    def _names(self) -> Iterator[str]:
        """The names of all objects from the root on."""
        start = len(self._root.path) + 1
        todo = [self._root]
        while todo:
            folder = todo.pop()
            yield from (file.path[start:] for file in folder.files)
            todo += (inner for name, inner in folder.folders.items() if name)

    def _at(self, relative: str) -> _Folder:
        folder = self._root
        for name in PurePosixPath(relative).parts:
            folder = folder.folders[name]
        return folder

    def _made(self, relative: str) -> _Folder:
        folder = self._root
        for name in relative.split("/") if relative else ():
            inner = folder.folders.get(name)
            if inner is None:
                inner = folder.folders[name] = _Folder(f"{folder.path}/{name}")
            folder = inner
        return folder
