"""A function over many items, in threads: what it gives comes in the order of the items."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Item = TypeVar("Item")
Result = TypeVar("Result")


def work_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int
) -> Iterator[Result]:
    """Map in so many new threads, as `map_in_order` does; in this one where one is enough."""
    rest = iter(items)
    first = list(islice(rest, 2))
    if threads == 1 or len(first) < 2:
        yield from map(function, chain(first, rest))
        return
    from concurrent.futures import ThreadPoolExecutor  # not for a single photo

    with ThreadPoolExecutor(threads, thread_name_prefix="photos") as pool:
        yield from map_in_order(function, chain(first, rest), pool, ahead)


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: "ThreadPoolExecutor", ahead: int
) -> Iterator[Result]:
    """Map in threads, keeping the order and at most `ahead` results in memory."""
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(threads.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
