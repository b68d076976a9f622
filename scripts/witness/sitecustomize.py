"""Loaded by every Python that has this folder in PYTHONPATH: writes down what it does to network, files, environment.

A line for each audit event, a JSON array, in the file that WITNESS_LOG names: ["network", event, arguments…],
["file", path] or ["variable", name].
"""

import json
import os
import socket
import sys

NETWORK = ("socket.", "urllib.", "http.client.")
HARMLESS = ("socket.gethostname",)  # known without asking anybody
# Events of the file system: which argument is the file that is made.
MADE = {"open": 0, "os.mkdir": 0, "os.mkfifo": 0, "sqlite3.connect": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# The environment variables that the C library knows of: a new one may move its list.
KNOWN = set(os.environb)


def seen(event: str, arguments: tuple[object, ...]) -> list[str] | None:
    """What to write down of an event; None for nothing."""
    if event.startswith(NETWORK):
        local = event == "socket.__new__" and arguments[1] == socket.AF_UNIX
        return None if local or event in HARMLESS else ["network", event, *map(repr, arguments)]
    if event == "os.putenv":
        return _new_variable(arguments[0])
    if event not in MADE:
        return None
    path = arguments[MADE[event]]
    reads = event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITING)
    if reads or not isinstance(path, str | bytes | os.PathLike):  # a number is a file that is open already
        return None
    return ["file", os.path.abspath(os.fsdecode(path))]


def _new_variable(name: object) -> list[str] | None:
    """A new environment variable is written down where another thread may be reading the C library's list of them."""
    if not isinstance(name, bytes) or name in KNOWN:
        return None
    KNOWN.add(name)
    return ["variable", os.fsdecode(name)] if len(sys._current_frames()) > 1 else None


def watch(log: int) -> None:
    """Write down what this process does from now on, and what it forks."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        line = seen(event, arguments)
        if line is not None:
            os.write(log, (json.dumps(line) + "\n").encode())

    sys.addaudithook(hook)


if "WITNESS_LOG" in os.environ:
    watch(os.open(os.environ["WITNESS_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND))
