"""What has been done so far, beside the result: the same command goes on from it after Ctrl-C, a kill or a full disk.

It is a file of lines of JSON. The first one says what was asked for; a run that asks for something else, or with
another model, does not go on from it. Then there is a line for each photo, with the model's numbers as they are
(float32 in base64), so that a result that was interrupted is the same, byte for byte, as one that was not. Where photos
are sorted, the line is there before the photo moves, and one with `to` follows when it has: whatever is between the two
is finished by the next run.

Lines are appended; a last one that is cut short counts for nothing. The file is locked while its run lives.
"""

import base64
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from label_image.file_locks import is_still, locked
from label_image.files import temporary_folder
from label_image.many.errors import JournalError
from label_image.rows import Row, State

FORMAT = "label_image journal 1"
FLUSH_SECONDS = 1.0
MODEL, LABELS = "model", "--labels"  # what the first line calls the model, and the names of its classes
WITHOUT_TABLE = ".label_image.partial"  # its name, in a folder to sort into

Header = Mapping[str, Any]


class Journal:
    """An open journal, of this run alone."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.written: dict[str, State] = {}  # the tables that were written from it, as they were then
        self.rows_before = 0  # that it held when it was opened
        self._file = file
        self._before: set[int] = set()  # hashes: of a million photos they take less than their paths
        self._flushed = time.monotonic()

    def had(self, path: str, state: State | None) -> bool:
        """Whether it held a photo when it was opened: in this state where it lies, in any where it is gone."""
        return hash((path, state)) in self._before or (state is None and hash(path) in self._before)

    def add(self, row: Row, at_once: bool = False) -> None:
        """A photo that was labelled; `at_once`: it is to survive a kill from here on. Raises OSError."""
        self._line(_written_row(row))
        self._flush(at_once)

    def placed(self, to: str) -> None:
        """The photo that was added last has been copied or moved. Raises OSError."""
        self._line({"to": to})
        self._flush(at_once=True)

    def not_placed(self, reason: str) -> None:
        """The photo that was added last could not be. Raises OSError."""
        self._line({"failed": reason})

    def wrote(self, table: Path, state: State) -> None:
        """A table was written from it. Raises OSError."""
        self.written[str(table)] = state
        self._line({"wrote": str(table), "state": state})
        self._flush(at_once=True)

    def rows(self) -> Iterator[Row]:
        """All photos in it, in the order in which they were added. Raises OSError."""
        self._file.flush()
        yield from _read_rows(self.path)

    def go_on(self, keep: Callable[[Row], Row | None], has_left: Callable[[Row], bool]) -> None:
        """Take over what an earlier run has left, through `keep`, which drops or completes a row.

        Of a photo that `has_left` its place, one that is there now is a new one. Raises OSError.
        """
        with temporary_folder(self.path.parent) as folder:
            with open(self.path, "rb") as file:
                header = file.readline()
            before = self._file  # it keeps its lock until the other one is in its place
            self._file = open(folder / self.path.name, "w+b")  # noqa: SIM115 - `close` does
            try:
                locked(self._file.fileno())
                self._file.write(header)
                self._take_over(keep, has_left)
                self._file.flush()
                os.replace(folder / self.path.name, self.path)
            finally:
                before.close()

    def _take_over(self, keep: Callable[[Row], Row | None], has_left: Callable[[Row], bool]) -> None:
        for line in _lines(self.path):
            if "wrote" in line:
                with suppress(ValueError):  # damaged: the table is then kept as another's
                    self.written[_text(line["wrote"])] = _state(line.get("state"))
                    self._line(line)
        for row in _read_rows(self.path):
            kept = keep(row)
            if kept is not None:
                self.rows_before += 1
                self._before.add(hash(kept.path))
                if not has_left(kept):
                    self._before.add(hash((kept.path, kept.state)))
                self.add(kept)

    def begin(self, header: Header) -> None:
        """Write the first line. Raises OSError."""
        self._file.truncate(0)
        self._line({"format": FORMAT, **header})
        self._flush(at_once=True)

    def close(self) -> None:
        """Write what is left. Raises OSError."""
        self._file.close()

    def remove(self) -> None:
        """What it was for is done. Raises OSError."""
        self.path.unlink()

    def _line(self, value: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(value).encode() + b"\n")

    def _flush(self, at_once: bool) -> None:
        now = time.monotonic()
        if at_once or now - self._flushed > FLUSH_SECONDS:
            self._file.flush()
            self._flushed = now


@contextmanager
def journal_of(path: Path, header: Header) -> Iterator[tuple[Journal, bool]]:
    """The journal at a path, and whether it is an earlier run's, to go on from. Raises JournalError and OSError."""
    journal = Journal(path, _opened(path))
    try:
        first = _first_line(path)
        if first is None:
            raise JournalError(f"{path} is in the way, and no journal of label_image: move it away.")
        if first:
            _check_same(path, first, header)
        else:
            journal.begin(header)
        yield journal, bool(first)
    except BaseException:
        with suppress(OSError):  # a full disk: it has been said
            journal.close()
        raise
    journal.close()


def _opened(path: Path) -> BinaryIO:
    """The file of that name, locked. Raises JournalError if another run has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o666)
        file = os.fdopen(descriptor, "a+b")
        if locked(descriptor) is False:
            file.close()
            raise JournalError(f"Another label_image is at work on {path}: wait until it has ended{_way_round(path)}.")
        if is_still(path, descriptor):
            return file
        file.close()


def _first_line(path: Path) -> dict[str, Any] | None:
    """What a journal was asked for; nothing of one that was just begun, None of another kind of file."""
    with open(path, "rb") as file:
        line = file.readline(2**20)
    start = json.dumps({"format": FORMAT}).encode()[:-1]
    if not line.endswith(b"\n"):
        return {} if start.startswith(line[: len(start)]) else None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None


def _check_same(path: Path, found: Mapping[str, Any], header: Header) -> None:
    wanted = json.loads(json.dumps(header))
    differ = [name for name in wanted if found.get(name) != wanted[name]]
    if MODEL in differ:  # another model has other classes of its own, whatever the options are
        differ = ["classes" if name == LABELS else name for name in differ]
    if differ:
        raise JournalError(of_another_call(path, f" (it differs in: {', '.join(differ)})"))


def of_another_call(path: Path, how: str) -> str:
    """The sentence for a journal from which this call does not go on."""
    return (
        f"{path} is the unfinished work of another call{how}: run that one again to go on with it, or "
        f"{_begin_anew(path)}{_way_round(path)}."
    )


def _begin_anew(path: Path) -> str:
    """How to begin anew and lose no row, of which the journal of a table may have some that the table lacks."""
    if path.name == WITHOUT_TABLE:
        return "delete the file to begin anew"
    return f"move {path.name} away, and {path.stem} where it is there, to begin anew"


def _way_round(path: Path) -> str:
    """What else can be done about a journal: several calls may sort into one folder, and where each has a table, do."""
    return ", or give this run a table of its own with --csv FILE" if path.name == WITHOUT_TABLE else ""


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines after the first one, up to one that is cut short or damaged."""
    with open(path, "rb") as file:
        file.readline()
        for line in file:
            try:
                found = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                return
            if not isinstance(found, dict):
                return
            yield found


def _read_rows(path: Path) -> Iterator[Row]:
    last: Row | None = None
    for line in _lines(path):
        if "to" in line and last is not None:
            last = replace(last, to=str(line["to"]))
        elif "failed" in line and last is not None:
            last = Row(last.path, last.state, error=str(line["failed"]))
        elif "path" in line:
            if last is not None:
                yield last
            try:
                last = _row_of(line)
            except (ValueError, TypeError):
                return
    if last is not None:
        yield last


def _written_row(row: Row) -> dict[str, Any]:
    line: dict[str, Any] = {"path": row.path}
    if row.state is not None:
        line["state"] = row.state
    if row.embedding is not None:
        return {**line, "embedding": _written_numbers(row.embedding), "sha256": row.sha256}
    if row.probabilities is None:
        return {**line, "error": row.error}
    line["probabilities"] = _written_numbers(row.probabilities)
    if row.similarity is not None:
        line["similarity"] = row.similarity
    return {**line, "placed": row.to} if row.to else line


def _row_of(line: Mapping[str, Any]) -> Row:
    """The row of a line. Raises ValueError and TypeError for one that is damaged."""
    state = line.get("state")
    similarity = line.get("similarity")
    return Row(
        _text(line["path"]),
        None if state is None else _state(state),
        _numbers(line.get("probabilities")),
        None if similarity is None else float(similarity),
        _text(line.get("error", "")),
        _text(line.get("placed", "")),
        _numbers(line.get("embedding")),
        _text(line.get("sha256", "")),
    )


def _written_numbers(numbers: npt.NDArray[np.float32]) -> str:
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def _numbers(text: Any) -> npt.NDArray[np.float32] | None:
    return None if text is None else np.frombuffer(base64.b64decode(text), "<f4")


def _state(value: Any) -> State:
    match value:
        case [int(size), int(written)]:
            return size, written
    raise ValueError(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value
