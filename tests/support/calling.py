"""A command line, run in this process; and what one in a process of its own needs."""

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from schemas import check_printed


class Called(NamedTuple):
    """What a command ended with, and what it said."""

    code: int
    out: str
    err: str


def call(main: Callable[[list[str]], None], *arguments: object) -> Called:
    """Run a command line: its exit code, standard output and standard error, in which there is no traceback.

    What `--json` prints is as its schema says.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code(main, *arguments)
    said = Called(code, *(stream.buffer.getvalue().decode("utf-8") for stream in (out, err)))  # type: ignore[attr-defined]
    assert "Traceback" not in said.err
    check_printed(main.__module__.partition(".")[0], [str(argument) for argument in arguments], said.out)
    return said


def exit_code(main: Callable[[list[str]], None], *arguments: object) -> int:
    """Run a command line: its exit code alone; what it says is not caught."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 0 if leave.code is None else 1
    return 0


def instead(base: Sequence[object], *arguments: object) -> list[object]:
    """A call whose options take the place of those of a base, in which each option stands with one value."""
    given = {argument for argument in arguments if str(argument).startswith("--")}
    kept: list[object] = []
    words = iter(base)
    for word in words:
        if word in given:
            next(words)
        else:
            kept.append(word)
    return [*kept, *arguments]


def python_path(*folders: Path) -> str:
    """PYTHONPATH of a process that is to find modules in these folders, and starts as all that the tests start."""
    return os.pathsep.join([*map(str, folders), os.environ["PYTHONPATH"]])
