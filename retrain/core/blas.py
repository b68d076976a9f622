"""How many threads matrix products may use."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Values of a matrix of bottlenecks. Below it products are over before a second thread is of use, and waiting
# threads turn in circles: 2,400 x 2048 trained 1.5 times as fast with one thread, and many times where
# other programs used the cores.
LARGE = 16_000_000

_gate = threading.Lock()
_inside = 0
_limits: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of BLAS: for small products, and for who shares the work among threads of its own.

    BLAS knows one number for the whole process: the first one that comes sets it, the last one that goes sets it back.
    """
    import scipy.linalg  # noqa: F401  # it brings a BLAS of its own, and only loaded libraries can be limited
    from threadpoolctl import threadpool_limits

    global _inside, _limits
    with _gate:
        if _inside == 0:
            _limits = threadpool_limits(1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _gate:
            _inside -= 1
            if _inside == 0:
                _limits.restore_original_limits()


@contextmanager
def threads_for(values: int) -> Iterator[None]:
    """All threads for a matrix of LARGE values or more, one for smaller ones."""
    if values >= LARGE:
        yield
        return
    with one_thread():
        yield
