"""The part of a download that has arrived: it is kept after a break, and the next run goes on in it.

It lies beside its place as `.<name>.part`, and `.<name>.part.json` says what it is the beginning of. While a run works
on it, it is locked: a second run waits. Where there are no locks a part is in a temporary folder, and of one run alone.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from label_image.file_locks import is_still, locked
from label_image.files import temporary_folder, write_in_one_step

WAIT = 0.2  # seconds between two looks whether another run has ended


@dataclass(frozen=True)
class Origin:
    """What a part is the beginning of: `validator` is the server's word for this state of the file, if it has one."""

    address: str
    validator: str | None = None
    total: int | None = None


class Part:
    """The beginning of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._said = path.with_name(f"{path.name}.json")
        self._gone = False  # what is there then is another run's

    @property
    def size(self) -> int:
        """How many bytes have arrived."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def origin(self) -> Origin | None:
        """What it is the beginning of; None where that is not known."""
        try:
            found = json.loads(self._said.read_bytes())
            return Origin(str(found["address"]), found["validator"], found["total"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def begin(self, origin: Origin) -> None:
        """Empty it, for another beginning."""
        os.truncate(self.path, 0)
        write_in_one_step(self._said, json.dumps(asdict(origin)).encode())

    def remove(self) -> None:
        """Remove it with all that is known of it."""
        if self._gone:
            return
        self._gone = True
        for path in (self._said, self.path):
            with suppress(OSError):
                path.unlink()

    def take_place(self, place: Path) -> None:
        """Rename it, now that it is whole. Raises OSError."""
        with suppress(OSError):
            self._said.unlink()
        os.replace(self.path, place)
        self._gone = True


@contextmanager
def part_of(place: Path, wait: Callable[[int, int | None], None]) -> Iterator[Part | None]:
    """The part of a file, for this run alone; None if another run has put the file in its place meanwhile.

    `wait` is told how far that one is. Raises OSError.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    path = place.with_name(f".{place.name}.part")
    waited = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            is_locked = locked(descriptor)
            if is_locked is None:
                break
            if is_locked and is_still(path, descriptor):
                if waited and place.exists():
                    Part(path).remove()
                    yield None
                else:
                    yield Part(path)
                return
        finally:
            os.close(descriptor)
        waited = waited or not is_locked
        if not is_locked:
            origin = Part(path).origin()
            wait(Part(path).size, origin.total if origin else None)
            time.sleep(WAIT)
    Part(path).remove()
    with temporary_folder(place.parent) as folder:
        own = Part(folder / place.name)
        own.path.touch()
        yield own
