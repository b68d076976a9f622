"""Python's collector of garbage, which makes long lists of small values slow to build."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collecting() -> Iterator[None]:
    """Not while values are listed that hold no circles: it would look through all of them again and again.

    Of the listing of a million files that is a quarter of the time. Only for what is bounded by the list itself.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
