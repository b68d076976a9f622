"""A file system that refuses from some call on, or stops for good as after a kill."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from label_image import renaming

CHANGING = ("write", "fsync", "ftruncate", "mkdir", "rmdir", "rename", "link", "unlink")  # calls of `os`


class Killed(BaseException):
    """In place of the end of the process."""


@contextmanager
def failing_at(patch: pytest.MonkeyPatch, position: int, killed: bool, half: bool = False) -> Iterator[list[str]]:
    """The call of that position, from 0, that changes files fails for want of room; or `killed` with all after it.

    Where a write fails, `half` of it is done. The calls are listed that were made.
    """
    calls: list[str] = []

    def failing(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            at = len(calls) - 1
            if at == position and name == "write" and half:
                return call(arguments[0], arguments[1][: len(arguments[1]) // 2])
            is_over = at > position if half else at >= position
            if killed and is_over:
                raise Killed
            if is_over and at <= position + half and name not in ("ftruncate", "unlink", "rmdir"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments, **options)

        return instead

    with patch.context() as inner:
        for name in CHANGING:
            inner.setattr(os, name, failing(name, getattr(os, name)))
        inner.setattr(renaming, "renamed", failing("renamed", renaming.renamed))
        yield calls
