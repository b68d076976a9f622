"""Photos that are labelled on a cluster, by Ray Data: a pool of actors, one for each core, each with a model.

Rows come in the order of the photos, and are the same as those of this machine alone. The model travels by itself; the
photos do not: every node reads them where they are, from a folder that all have mounted at the same path, or by their
addresses. What becomes of the rows (journal, tables, folders) is the caller's affair, on this machine.

Ray restarts what dies, with its node too, and gives out its block again.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice

from label_image.folders import Found
from label_image.many.errors import ManyError
from label_image.many.on_node import Export, OnNode, block_of, rows_of
from label_image.model import Model
from label_image.on_ray import data_settings, limited_retries, what_ended
from label_image.rows import Row, labels_photos, state_of

PORTION = 500_000  # photos whose names are given to Ray at once
BLOCK_SECONDS = 2.0  # of work in a block: what is lost with a process
SAMPLE = 32  # photos that are labelled here, to learn how long one takes
SAMPLE_SECONDS = 1.0
MOST_IN_BLOCK, FEWEST_IN_BLOCK = 4096, 16
BLOCKS_PER_CORE = 4  # at least, where there are photos enough: else the last one is waited for


def label_by_ray(model: Model, found: Iterable[Found], expected: int | None) -> Iterator[Row]:
    """Label photos on the cluster that Ray is connected to; so many are `expected`. Raises ManyError."""
    rest = iter(found)
    label = labels_photos(model)
    began, done = time.perf_counter(), 0
    for one in islice(rest, SAMPLE):
        yield label(one)
        done += 1
        if time.perf_counter() - began > SAMPLE_SECONDS:
            break
    seconds = (time.perf_counter() - began) / max(done, 1)
    for first in rest:
        left = None if expected is None else max(expected - done, 1)
        portion = list(chain([first], islice(rest, PORTION - 1)))
        yield from _labelled(model, portion, block_length(seconds, left, _cores()))
        done += len(portion)


def block_length(seconds: float, photos: int | None, cores: int) -> int:
    """How many photos are given to a process at once, where one takes so many seconds."""
    length = max(FEWEST_IN_BLOCK, min(MOST_IN_BLOCK, int(BLOCK_SECONDS / max(seconds, 1e-6))))
    if photos is not None:
        length = min(length, -(-photos // (BLOCKS_PER_CORE * cores)))
    return max(length, 1)


def _cores() -> int:
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _labelled(model: Model, portion: list[Found], length: int) -> Iterator[Row]:
    import ray
    import ray.data

    blocks = [ray.put(block_of(portion[start : start + length])) for start in range(0, len(portion), length)]
    portion.clear()
    cores = _cores()
    with data_settings(ray, in_order=True), _as_sentences(), limited_retries() as retries:
        tables = ray.data.from_arrow_refs(blocks).map_batches(
            OnNode,
            fn_constructor_args=(Export.of(model), os.getcwd()),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=1,
            # Fewer where a node has gone: what was begun there is then finished on the others.
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=cores, initial_size=cores),
            **retries,
        )
        for table in tables.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
            for row, node in rows_of(table):
                _check_node(row, node)
                yield row


@contextmanager
def _as_sentences() -> Iterator[None]:
    """Whatever stops Ray, as ManyError."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        raise ManyError(f"Ray cannot go on: {what_ended(error)}") from error


def _check_node(row: Row, node: str) -> None:
    """Raise ManyError where a node has no model, or does not see a photo that is here."""
    if not row.path:
        raise ManyError(f"The node {node} cannot run the model: {row.error}")
    if row.error and row.state is None and state_of(row.path) is not None:
        raise ManyError(
            f"{row.path} is here, but not on the node {node}: put the photos into a folder that all nodes have mounted "
            "at the same path, or into object storage."
        )
