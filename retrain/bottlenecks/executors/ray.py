"""On the machines of a Ray cluster: Ray Data hands out the photos, and the workers keep what they compute.

A worker (`ray_worker`) is a share of a machine's cores: it reads, decodes and computes as the executor of this machine
does, and writes shards into the store itself. Here arrives only what has to be known of each photo, never its
bottleneck. Ray Data calls the workers, waits for the slow ones, and gives the photos of one that dies to another.
"""

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from label_image.on_ray import RayConfig, connected, data_settings, limited_retries, what_ended
from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import BATCH, Vectors
from retrain.bottlenecks.digests import Beginnings, Digests
from retrain.bottlenecks.executors import ray_share
from retrain.bottlenecks.executors.base import Batch, Session, StartEngine, Work
from retrain.bottlenecks.executors.claims import Claims
from retrain.bottlenecks.executors.ray_worker import FILES, Job
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.bottlenecks.shard_writer import ShardWriter
from retrain.core import errors
from retrain.core.errors import ClusterError, RetrainError
from retrain.core.places import LocalPlace
from retrain.photos.reading import ReadPhoto, absolute_paths

MOST_CORES = 8  # of one worker: more runs at a time gain an engine little
# Of its cores a worker books this part, so that those of a machine that is lost find room on others.
BOOKED = 0.5
# Photos that a worker gets at a time, for each of its cores: about 5 seconds of work.
PHOTOS_OF_NETWORK, PHOTOS_OF_FUNCTION = 256, 8192
SHARES = 4  # a worker gets at least so many tables, where there are enough photos


class Ray:
    """The executor of a Ray cluster."""

    def __init__(self, config: RayConfig = RayConfig()) -> None:
        self._config = config

    @contextmanager
    def open(self, backbone: Backbone, start: StartEngine) -> Iterator[Session]:
        if backbone.weights_file is not None:
            backbone = replace(backbone, weights_file=Path(os.path.abspath(backbone.weights_file)))
        session = _RaySession(self._config, backbone, start)
        try:
            yield session
        finally:
            session.close()


def executor(config: ExtractionConfig) -> Ray:
    """The one that a config asks for."""
    return Ray(RayConfig(config.ray_address))


@dataclass(frozen=True)
class Workers:
    """How many workers a cluster has room for, and how many cores and GPUs each has."""

    count: int
    cores: int
    gpus: int = 0

    def asks(self) -> dict[str, Any]:
        """What Ray is asked for, for each of them."""
        return {"num_cpus": BOOKED * self.cores, "num_gpus": self.gpus}


class _RaySession:
    """A cluster is joined when something has to be computed."""

    keeps = True

    def __init__(self, config: RayConfig, backbone: Backbone, start: StartEngine) -> None:
        self._config = config
        self._backbone = backbone
        self._start = start
        self._connection: Any = None
        self._ray: Any = None
        self._embedded: dict[bytes, Vectors] = {}  # a network is started for it, and ends

    def close(self) -> None:
        if self._connection is not None:
            self._connection.__exit__(None, None, None)

    def embed(self, pixels: Pixels) -> Vectors:
        key = pixels.tobytes()
        if key not in self._embedded:
            self._embedded[key] = self._embed(pixels)
        return self._embedded[key]

    def _embed(self, pixels: Pixels) -> Vectors:
        ray = self._connected()
        workers = self._workers(ray)
        task = ray.remote(max_calls=1, **workers.asks())(ray_share.embed)
        try:
            asked = ray.put((self._backbone, self._start, pixels))
            vectors: Vectors = ray.get(task.remote(workers.cores, [asked]))
        except RetrainError as error:
            raise _own(error) from None
        except ray.exceptions.RayError as error:
            raise _failed(error) from error
        return vectors

    def run(self, work: Work) -> Generator[Batch, None, None]:
        if not work.wanted:
            return
        assert work.writer is not None
        ray = self._connected()
        workers = self._workers(ray)
        job = Job(self._backbone, self._start, work.view, work.accept_truncated, _absolute(work.writer))
        claims = _claims(ray)
        first, again = _once_each(work)
        yield from _batches(again)
        tables = _tables(work, first, self._photos_at_a_time(workers, len(first)))
        with data_settings(ray, in_order=False), limited_retries() as retries:
            reports = ray.data.from_arrow(tables).map_batches(
                ray_share.RayWorker,
                fn_constructor_args=(workers.cores, ray.put(job), ray.put(_digests(work)), claims),
                compute=ray.data.ActorPoolStrategy(size=workers.count),
                batch_size=None,
                batch_format="pyarrow",
                zero_copy_batch=True,
                **workers.asks(),
                **retries,
            )
            try:
                for report in reports.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                    yield _batch(report)
            except ray.exceptions.RayError as error:
                raise _failed(error) from error
            finally:
                ray.kill(claims)

    def _workers(self, ray: Any) -> Workers:
        """float16 is for GPUs, all else is computed on CPUs."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return workers_of(nodes, self._backbone.compute_dtype == "float16")

    def _photos_at_a_time(self, workers: Workers, photos: int) -> int:
        most = (PHOTOS_OF_NETWORK if self._backbone.has_weights else PHOTOS_OF_FUNCTION) * workers.cores
        return max(BATCH, min(most, -(-photos // (SHARES * workers.count))))

    def _connected(self) -> Any:
        if self._connection is None:
            connection = connected(self._config)
            self._ray = connection.__enter__()
            self._connection = connection
        return self._ray


def workers_of(nodes: Sequence[Mapping[str, float]], on_gpus: bool) -> Workers:
    """The workers that these nodes have room for, by their resources. Raises ClusterError if there is none."""
    if on_gpus:
        shares = [
            (int(node["GPU"]), int(node.get("CPU", 0) // node["GPU"])) for node in nodes if node.get("GPU", 0) >= 1
        ]
        if not shares:
            raise ClusterError("The Ray cluster has no machine with a GPU: give `precision` float32, for CPUs.")
        return Workers(sum(gpus for gpus, _ in shares), max(1, min(cores for _, cores in shares)), 1)
    cpus = [int(node.get("CPU", 0)) for node in nodes if node.get("CPU", 0) >= 1]
    if not cpus:
        raise ClusterError("The Ray cluster has no machine with CPUs: start one with `ray start --address=…`.")
    cores = min(MOST_CORES, *cpus)
    return Workers(sum(number // cores for number in cpus), cores)


def _claims(ray: Any) -> Any:
    """The actor that hands out contents, on this machine: with another one, what it knows would be lost.

    An affinity that is soft is not followed: Ray put the actor on either of two nodes.
    """
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": here}
    return ray.remote(**options)(Claims).remote()


def _once_each(work: Work) -> tuple[list[int], list[ReadPhoto]]:
    """The wanted files of which each has another content, as far as that is known; and the others, as they are told."""
    seen: set[str] = set()
    first, again = [], []
    for index in work.wanted:
        known = work.known[index]
        if known is not None and known in seen:
            again.append(ReadPhoto(index, known))
            continue
        first.append(index)
        if known is not None:
            seen.add(known)
    return first, again


def _tables(work: Work, indices: Sequence[int], size: int) -> list[pa.Table]:
    """The wanted files in tables, see FILES."""
    tables = []
    for start in range(0, len(indices), size):
        chosen = indices[start : start + size]
        paths = absolute_paths([work.files[index].path for index in chosen])
        columns = [chosen, [os.fsencode(path) for path in paths], [work.known[index] for index in chosen]]
        tables.append(pa.table(columns, schema=FILES))
    return tables


def _digests(work: Work) -> Beginnings:
    """The contents that the store has, as S32 (n,), sorted."""
    return work.stored.sorted if isinstance(work.stored, Digests) else Digests.of(work.stored).sorted


def _batch(report: pa.Table) -> Batch:
    """A report of a worker; raises what it failed of."""
    failures = report.filter(pa.compute.is_valid(report["failure"])).to_pylist()
    if failures:
        kind = getattr(errors, failures[0]["failure"], RetrainError)
        raise kind(failures[0]["problem"])
    columns = (report[name].to_pylist() for name in ("index", "sha256", "problem", "truncated", "read_ns",
                                                     "read_seconds", "decode_seconds"))  # fmt: skip
    photos = [
        ReadPhoto(index, sha256, None, problem, truncated, read_ns, read_seconds, decode_seconds)
        for index, sha256, problem, truncated, read_ns, read_seconds, decode_seconds in zip(*columns, strict=True)
    ]
    sha256s = report.filter(report["computed"])["sha256"].to_pylist()
    seconds = {stage: pa.compute.sum(report[f"{stage}_seconds"]).as_py() or 0.0 for stage in ("infer", "write")}
    return Batch(photos, sha256s, _no_vectors, kept=True, seconds=seconds)


def _batches(photos: Sequence[ReadPhoto]) -> Iterator[Batch]:
    if photos:
        yield Batch(photos, (), _no_vectors, kept=True)


def _no_vectors() -> Vectors:
    raise AssertionError("they are in the store")


def _own(error: RetrainError) -> RetrainError:
    """The same without the traceback of another process, which Ray makes a part of its text."""
    cause = getattr(error, "cause", error)
    return type(cause)(*cause.args)


def _failed(error: Exception) -> ClusterError:
    """What ended a run, in a sentence; Ray's text has the traceback of another process."""
    lines = map(str.strip, str(error).splitlines())
    missing = next((line for line in lines if line.startswith("ModuleNotFoundError")), None)
    if missing is not None:
        return ClusterError(
            f"A machine of the Ray cluster lacks a package ({missing}): install the same version of this program, and "
            "of its packages, on all of them."
        )
    return ClusterError(
        f"Ray ended the run: {what_ended(error)} Run the same command again: what was computed is kept."
    )


def _absolute(writer: ShardWriter) -> ShardWriter:
    """The same for processes that run in other folders."""
    if isinstance(writer.place, LocalPlace):
        return replace(writer, place=LocalPlace(Path(os.path.abspath(writer.place.folder))))
    return writer
