"""One pass over bottlenecks, shared among the cores, with the same bits however many cores there are.

A pass is cut into lanes, each some blocks long; a core takes one lane after the other, and what lanes give is added in
their order. How many there are depends on the work alone. BLAS has one thread meanwhile (`retrain.core.blas`): its own
threads share nothing but the product of one block, leave all that is between products to one core, and wait for each
other in circles where other programs are at work.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

from retrain.core.blas import one_thread
from retrain.core.machine import cores

MOST = 16
LEAST_WORK = 100_000_000  # multiplications: a millisecond of a core, beside which a thread costs nothing

Lane = TypeVar("Lane")
Found = TypeVar("Found")


def cut(positions: slice, size: int, work: int) -> list[slice]:
    """Positions in 1, 2, 4, 8 or 16 lanes of whole blocks of `size`; `work` is what all of them cost together."""
    photos = positions.stop - positions.start
    blocks = -(-photos // size)
    count = 1
    while 2 * count <= min(MOST, blocks, work // LEAST_WORK):
        count *= 2
    ends = [positions.start + min(photos, size * (blocks * number // count)) for number in range(count + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def side_by_side(job: Callable[[Lane], Found], lanes: Sequence[Lane], work: int) -> Iterator[Found]:
    """What the job gives for each lane, in their order; `work` is what all of them cost together."""
    threads = min(cores(), len(lanes), work // LEAST_WORK)
    if threads < 2:
        yield from map(job, lanes)
        return
    with one_thread(), ThreadPoolExecutor(threads, thread_name_prefix="lanes") as pool:
        yield from pool.map(job, lanes)
