"""Silences C++ libraries that log to standard error whatever is set."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_users = 0  # threads that want silence now: the first redirects, the last restores
_saved = -1  # a copy of standard error while it is redirected


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what is written to file descriptor 2 to nowhere; Python exceptions still rise.

    It holds for the whole process: several threads may be in it at once.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _users, _saved
    with _lock:
        if _users == 0:
            sys.stderr.flush()
            _saved = os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        _users += 1


def _leave() -> None:
    global _users, _saved
    with _lock:
        _users -= 1
        if _users == 0:
            sys.stderr.flush()
            end_silence()
            saved, _saved = _saved, -1
            os.close(saved)


def end_silence() -> None:
    """Let standard error be heard, whatever threads are still in `quiet`: for the last words of a process."""
    if _saved != -1:
        os.dup2(_saved, 2)
