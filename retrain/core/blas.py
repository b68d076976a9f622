"""How many threads matrix products may use."""

from collections.abc import Iterator
from contextlib import contextmanager

# Values of a matrix of bottlenecks. Below it products are over before a second thread is of use, and waiting
# threads turn in circles: 2,400 x 2048 trained 1.5 times as fast with one thread, and many times where
# other programs used the cores.
LARGE = 16_000_000


@contextmanager
def threads_for(values: int) -> Iterator[None]:
    """All threads for a matrix of LARGE values or more, one for smaller ones."""
    if values >= LARGE:
        yield
        return
    import scipy.linalg  # noqa: F401  # it brings a BLAS of its own, and only loaded libraries can be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
