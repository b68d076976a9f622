"""How long the stages of a work take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Put the seconds that this takes under `name`."""
    begin = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begin
