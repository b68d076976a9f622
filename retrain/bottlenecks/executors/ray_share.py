"""The first that a worker of a Ray cluster runs: it takes its share of the machine before anything counts the cores.

Hence nothing heavy is imported above, and what a worker is told comes as a reference, to be opened below.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from retrain.core.machine import CORES

if TYPE_CHECKING:
    import pyarrow as pa

    from retrain.backbones.engines.base import Vectors

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")


class RayWorker:
    """A worker as Ray Data makes it; see `ray_worker.Worker`. `job` and `stored` are references, `claims` an actor."""

    def __init__(self, cores: int, job: Any, stored: Any, claims: Any) -> None:
        _take_share(cores)
        import ray

        from retrain.bottlenecks.executors.ray_worker import Worker

        self._worker = Worker(ray.get(job), ray.get(stored), claims, ray.get, ray.util.get_node_ip_address())

    def __call__(self, files: "pa.Table") -> "Iterator[pa.Table]":
        yield from self._worker(files)


def embed(cores: int, asked: Any) -> "Vectors":
    """The bottlenecks (n, dim) of a few pictures; `asked` has a reference to what `ray_worker.embed` is given."""
    _take_share(cores)
    import ray

    from retrain.bottlenecks.executors import ray_worker

    return ray_worker.embed(ray.util.get_node_ip_address(), *ray.get(asked[0]))


def _take_share(cores: int) -> None:
    os.environ.update(dict.fromkeys((CORES, *THREADS), str(cores)))
