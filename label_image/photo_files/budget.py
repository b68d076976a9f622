"""A number of bytes that all threads of the process share.

A photo of a few megapixels takes no more memory than any other, and passes freely. What takes more waits
until as much is free. It waits in line: a large photo is not overtaken for ever by small ones, and blocks
nobody for longer than those that are being decoded take.

There are two budgets, and a thread takes from them in one order only: first for the bytes of the file
(`photos.reading`), then for decoding them (`photos.decoding`). Who decodes never waits for a file, so no two threads
wait for one another.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ByteBudget"]


class ByteBudget:
    """`total` bytes, of which each thread reserves what it needs and gives it back."""

    def __init__(self, total: int, ordinary: int) -> None:
        """What needs no more than `ordinary` bytes is not counted."""
        self.total = total
        self.ordinary = ordinary
        self._free = total
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, size: int) -> Iterator[None]:
        """Hold `size` bytes while the block runs, after waiting for them. It must be no more than the total."""
        if size <= self.ordinary:
            yield
            return
        if size > self.total:
            raise ValueError(f"{size} bytes are more than the budget of {self.total}")
        self._take(size)
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()

    def _take(self, size: int) -> None:
        turn = object()
        with self._changed:
            self._line.append(turn)
            try:
                self._changed.wait_for(lambda: self._line[0] is turn and self._free >= size)
                self._free -= size
            finally:  # Ctrl-C may end the wait; those behind go on either way
                self._line.remove(turn)
                self._changed.notify_all()
