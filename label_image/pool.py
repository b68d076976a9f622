"""A pool of objects that only one thread may use at a time, for any number of threads.

The kernels of TensorFlow and the interpreters of LiteRT keep state between two runs and within one: two threads in one
of them get each other's numbers, or crash. So each thread borrows one for as long as it runs, and gives it back. There
are no more of them than threads that run at once, and none is made before it is needed: a single thread keeps to one.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

# More runs at once than cores are not faster, and each of them has its own copy of the weights.
MOST = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool(Generic[Item]):
    """Items from `make`, at most `most` of them; who asks for one more waits until one is given back.

    In a forked process they are made anew, since their threads were left behind. Without `forkable` that would not
    help, as all of TensorFlow was: there `borrow` raises RuntimeError, where a run would wait forever.
    """

    def __init__(self, make: Callable[[], Item], most: int | None = None, forkable: bool = True) -> None:
        self._make = make
        self._most = most or MOST
        self._forkable = forkable
        self._usable = True
        self._start()
        _pools.add(self)

    def _start(self) -> None:
        self._free: list[Item] = []  # the one used last is lent first: its memory is warm
        self._turns = threading.Semaphore(self._most)

    @contextmanager
    def borrow(self) -> Iterator[Item]:
        """An item that no other thread has."""
        if not self._usable:
            raise RuntimeError(
                "TensorFlow cannot run in a process that was forked from one in which it had started: start your "
                "processes with multiprocessing.get_context('spawn')."
            )
        with self._turns:
            try:
                item = self._free.pop()
            except IndexError:
                item = self._make()
            try:
                yield item
            finally:
                self._free.append(item)

    def _forked(self) -> None:
        self._usable = self._forkable
        self._start()


_pools: "weakref.WeakSet[Pool[Any]]" = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool._forked()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
