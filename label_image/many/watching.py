"""New files of folders as they come, each once it is complete.

Folders are listed again and again, since nobody tells of what another machine writes onto a network's disk. A file is
complete when its size and date stay the same from one look to the next; one that cannot be read then may still be on
its way, and is tried again for some seconds. One that is written to later is a new photo.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from label_image.folders import Found, PassedOver
from label_image.rows import State, state_of

SECONDS = 1.0  # between two looks
PATIENCE = 10.0  # seconds for which a file that cannot be read may still be on its way
RESTING = 10  # times as long as a look takes is waited for the next one
# How programs call what they have not finished.
UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".download", ".upload")


@dataclass
class _Seen:
    state: State
    since: float  # the first look that found it so
    given: bool = False


class Watch:
    """What is in folders, and what of it was given out."""

    def __init__(self, find: Callable[[], Iterable[Found]], clock: Callable[[], float] = time.monotonic) -> None:
        self._find = find
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._told: set[PassedOver] = set()

    def rounds(self, sleep: Callable[[float], None] = time.sleep) -> Iterator[list[Found]]:
        """For ever: what is new, a moment after another; most of the time nothing."""
        while True:
            began = self._clock()
            due = self.look()
            took = self._clock() - began
            yield due
            sleep(max(SECONDS, RESTING * took))  # a folder of a million files is not listed all the time

    def look(self) -> list[Found]:
        """The files that are complete and were not given out in this state; folders that cannot be listed, once."""
        now = self._clock()
        due: list[Found] = []
        seen: dict[str, _Seen] = {}
        for found in self._find():
            if isinstance(found, PassedOver):
                if found not in self._told and not found.path.lower().endswith(UNFINISHED):
                    self._told.add(found)
                    due.append(found)
                continue
            if found.lower().endswith(UNFINISHED) or not os.path.isfile(found):
                continue
            state = state_of(found)
            if state is None:
                continue
            before = self._seen.get(found)
            if before is None or before.state != state:
                seen[found] = _Seen(state, now)
                continue
            seen[found] = before
            if not before.given:
                before.given = True
                due.append(found)
        self._seen = seen  # what is gone is forgotten
        return due

    def may_be_on_its_way(self, path: str) -> bool:
        """Whether a file that could not be read is young; then it is given out again."""
        seen = self._seen.get(path)
        if seen is None or self._clock() - seen.since > PATIENCE:
            return False
        seen.given = False
        return True
