"""The journal of changes: what is to be done is written here before it is, so that it can be finished, and undone.

    {"number": 7, "action": "move", "label": null, "to": "tabby", "count": 1, "folders": ["tabby"], "steps": [STEP]}
    {"instead": [0, "tabby/a-2.jpg"]}       another target for a step of the line before, whose name was taken
    {"done": 7}
    {"undo": 7, "steps": [STEP]}
    {"undone": 7}

A step is the path of a file or folder from the studio's folder, where it goes, its inode, its size (-1 of a folder) and
when it was written. `folders` are made first. A line with the number of the one before goes on with the same change:
photos that arrive together are undone together. What the last line says may be half done, after a kill: whoever opens
the journal finishes it.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from retrain.core.placing import set_aside
from retrain.studio.lines import Line, Lines

Action = Literal["add", "move", "accept", "remove", "make", "rename", "merge", "remove_class"]
COARSE_NS = 2_000_000_000  # by which dates differ once a file was on a memory card (FAT)
OF_A_FOLDER = -1  # in place of a size


@dataclass(frozen=True)
class Change:
    """One change as the page says it: so many photos, of a class, to another. `remark`: what could not be done."""

    number: int
    action: Action
    count: int
    label: str | None
    to: str | None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A file or folder that goes from one path to another, both from the studio's folder, with slashes."""

    source: str
    target: str
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, source: str, target: str, status: os.stat_result) -> "Step":
        """A step of what `os.lstat` says so of."""
        size = OF_A_FOLDER if stat.S_ISDIR(status.st_mode) else status.st_size
        return cls(source, target, status.st_ino, size, status.st_mtime_ns)

    @property
    def is_folder(self) -> bool:
        """Whether a whole folder goes."""
        return self.size == OF_A_FOLDER

    def is_of(self, status: os.stat_result) -> bool:
        """Whether `os.lstat` speaks of the same file: by its size and inode or, once it was copied elsewhere, its date.

        An inode alone says little: that of a file that is gone is the next one's.
        """
        if self.is_folder or stat.S_ISDIR(status.st_mode):
            return self.is_folder and stat.S_ISDIR(status.st_mode)
        is_as_old = abs(self.mtime_ns - status.st_mtime_ns) <= COARSE_NS
        return self.size == status.st_size and (self.inode == status.st_ino != 0 or is_as_old)


@dataclass
class Entry:
    """A change with its steps, which grow as photos are added to it."""

    number: int
    action: Action
    label: str | None
    to: str | None
    count: int
    folders: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def change(self, count: int | None = None, remark: str = "") -> Change:
        """What the page is told of it."""
        return Change(self.number, self.action, self.count if count is None else count, self.label, self.to, remark)


@dataclass
class Unfinished:
    """What the last line says and no later one says is done."""

    entry: Entry
    steps: list[Step]
    is_undo: bool
    first: int  # the position of these steps among the entry's


class Journal:
    """An open journal: the changes that are not undone, the last one last."""

    def __init__(self, path: Path) -> None:
        """Open or make it; a damaged one is set aside. Raises StudioError where another process has it, and OSError."""
        self._lines = Lines(path, alone=True)
        self.entries: list[Entry] = []
        self.unfinished: Unfinished | None = None
        self.highest = 0
        self._owed: Line | None = None
        if not self._has_taken(self._lines.read()):
            set_aside(path)
            self._lines.close()
            self._lines = Lines(path, alone=True)
            self.entries, self.unfinished = [], None

    @property
    def is_there(self) -> bool:
        """Whether it is what the next process will read."""
        return self._lines.is_there

    def begin(self, entry: Entry, steps: Sequence[Step], folders: Sequence[str]) -> int:
        """Say what is to be done, before it is: these steps of a change. Where that is said. Raises OSError."""
        self._settle()
        place = self._lines.append(
            {
                "number": entry.number, "action": entry.action, "label": entry.label, "to": entry.to,
                "count": entry.count, "folders": list(folders), "steps": _plain(steps),
            }
        )  # fmt: skip
        self.highest = max(self.highest, entry.number)
        return place

    def begin_undo(self, entry: Entry, steps: Sequence[Step]) -> int:
        """Say what is to be undone, before it is. Where that is said. Raises OSError."""
        self._settle()
        return self._lines.append({"undo": entry.number, "steps": _plain(steps)})

    def instead(self, position: int, target: str) -> None:
        """Another target for a step of the last line. Raises OSError."""
        self._lines.append({"instead": [position, target]})

    def finish(self, entry: Entry, is_undo: bool) -> None:
        """What the last line says has been done. On a full disk that is written before the next line."""
        line = {"undone" if is_undo else "done": entry.number}
        try:
            self._lines.append(line, sync=False)
        except OSError:
            self._owed = line

    def _settle(self) -> None:
        if self._owed is not None:
            self._lines.append(self._owed, sync=False)
            self._owed = None

    def take_back(self, place: int) -> None:
        """Nothing of what was said from there on has been done. Raises OSError."""
        self._lines.cut(place)

    def close(self) -> None:
        """Let others have it."""
        self._lines.close()

    def _has_taken(self, lines: Iterable[dict[str, Any] | None]) -> bool:
        """Take what an earlier process has written; False where it makes no sense."""
        try:
            for line in lines:
                if line is None:
                    return False
                self._take(line)
        except (KeyError, IndexError, TypeError, ValueError):
            return False
        return True

    def _take(self, line: dict[str, Any]) -> None:
        if "number" in line:
            self._take_steps(line)
        elif "undo" in line:
            if self.entries[-1].number != line["undo"]:
                raise ValueError(line)
            self.unfinished = Unfinished(self.entries[-1], _steps(line["steps"]), True, 0)
        elif "instead" in line and self.unfinished:
            position, target = line["instead"]
            work = self.unfinished
            work.steps[position] = replace(work.steps[position], target=_path(target))
            if not work.is_undo:
                work.entry.steps[work.first + position] = work.steps[position]
        elif "done" in line:
            self.unfinished = None
        elif "undone" in line:
            if self.entries.pop().number != line["undone"]:
                raise ValueError(line)
            self.unfinished = None

    def _take_steps(self, line: dict[str, Any]) -> None:
        number, action, steps = int(line["number"]), line["action"], _steps(line["steps"])
        if action not in get_args(Action):
            raise ValueError(line)
        if not self.entries or self.entries[-1].number != number:
            label, to = (None if line[key] is None else _text(line[key]) for key in ("label", "to"))
            self.entries.append(Entry(number, cast("Action", action), label, to, 0))
        entry = self.entries[-1]
        entry.count = int(line["count"])
        self.unfinished = Unfinished(entry, steps, False, len(entry.steps))
        entry.steps += steps
        entry.folders += map(_path, line["folders"])
        self.highest = max(self.highest, number)


def _plain(steps: Iterable[Step]) -> list[list[str | int]]:
    return [[one.source, one.target, one.inode, one.size, one.mtime_ns] for one in steps]


def _steps(value: Any) -> list[Step]:
    found = []
    for source, target, inode, size, mtime_ns in value:
        found.append(Step(_path(source), _path(target), int(inode), int(size), int(mtime_ns)))
    return found


def _path(value: Any) -> str:
    """A path that leads nowhere but into the folder: the journal is a file that anybody may have written."""
    text = _text(value)
    if text.startswith("/") or "\0" in text or any(part in ("", ".", "..") for part in text.split("/")):
        raise ValueError(value)
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value
