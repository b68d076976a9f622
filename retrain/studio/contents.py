"""Whether a class has a photo of the same bytes already."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from label_image.folders import is_litter


@dataclass
class _Listed:
    """What lies directly in a folder, as it was at `mtime_ns`: names by their sizes, and the folders in it."""

    mtime_ns: int
    names: dict[int, list[str]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)


class Contents:
    """The sizes of the files of folders, listed again where something came or went."""

    def __init__(self) -> None:
        self._listed: dict[str, _Listed] = {}

    def find(self, folder: Path, data: bytes, deep: bool) -> Path | None:
        """A file in a folder, or where `deep` below it, that holds these bytes. What cannot be read has others."""
        waiting = [str(folder)]
        while waiting:
            path = waiting.pop()
            listed = self._list(path)
            for name in listed.names.get(len(data), ()):
                if _holds(os.path.join(path, name), data):
                    return Path(path, name)
            if deep:
                waiting += (os.path.join(path, name) for name in listed.folders)
        return None

    def added(self, folder: Path, name: str, size: int) -> None:
        """A file came into a folder, which need not be listed again for that."""
        listed = self._listed.get(str(folder))
        if listed is not None:
            listed.names.setdefault(size, []).append(name)
            listed.mtime_ns = _mtime_ns(str(folder))

    def _list(self, folder: str) -> _Listed:
        mtime_ns = _mtime_ns(folder)
        known = self._listed.get(folder)
        if known is not None and known.mtime_ns == mtime_ns:
            return known
        listed = self._listed[folder] = _Listed(mtime_ns)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if is_litter(entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        listed.folders.append(entry.name)
                    elif entry.is_file():
                        listed.names.setdefault(entry.stat().st_size, []).append(entry.name)
        except OSError:
            self._listed.pop(folder)
        return listed


def _mtime_ns(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return -1


def _holds(path: str, data: bytes) -> bool:
    try:
        if os.stat(path).st_size != len(data):
            return False
        with open(path, "rb") as file:
            return file.read(len(data) + 1) == data
    except OSError:
        return False
