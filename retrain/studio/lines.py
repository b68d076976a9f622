"""A file of lines of JSON that only grows: what has been appended survives a kill and, once synced, a power cut."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from label_image.file_locks import is_still, locked
from label_image.files import sync_folder
from retrain.core.errors import StudioError

CLOSED = -1  # no descriptor

Line = Mapping[str, Any]


class Lines:
    """An open file of lines."""

    def __init__(self, path: Path, alone: bool = False) -> None:
        """Open or make it; `alone`: for this process only, where the file system has locks.

        Raises StudioError where another process has it, and OSError.
        """
        self.path = path
        self._descriptor = _opened(path, alone)

    def read(self) -> list[dict[str, Any] | None]:
        """All lines, None for a damaged one. A last line that is cut short is removed. Raises OSError."""
        found: list[dict[str, Any] | None] = []
        with open(self.path, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    found.append(_value(line))
                else:
                    self.cut(os.fstat(self._descriptor).st_size - len(line))
        return found

    @property
    def is_there(self) -> bool:
        """Whether it is still the file of that name: the folder may be another one by now."""
        return self._descriptor != CLOSED and is_still(self.path, self._descriptor)

    def append(self, line: Line, sync: bool = True) -> int:
        """Append a line; where it begins. Raises OSError, and nothing of the line is there then."""
        before = os.fstat(self._descriptor).st_size
        data = memoryview(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        try:
            rest = data
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            if sync:
                os.fsync(self._descriptor)
        except BaseException:
            self.cut(before)
            raise
        return before

    def cut(self, end: int) -> None:
        """Remove all from a place on, which takes no room. Raises OSError."""
        os.ftruncate(self._descriptor, end)

    def close(self) -> None:
        """Let others have it. What is appended later is refused."""
        if self._descriptor != CLOSED:
            os.close(self._descriptor)
            self._descriptor = CLOSED


def _value(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _opened(path: Path, alone: bool) -> int:
    while True:
        is_new = not path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, 0o666)
        if alone and locked(descriptor) is False:
            os.close(descriptor)
            raise StudioError(f"Another studio is open on {path.parent.parent}: go on there, or end it first.")
        if is_still(path, descriptor):
            if is_new:
                sync_folder(path.parent)
            return descriptor
        os.close(descriptor)
