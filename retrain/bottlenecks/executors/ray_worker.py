"""What a worker of a Ray cluster does: reads photos, runs the network on them and keeps what comes of it.

A worker is a share of a machine's cores, or a GPU. It gets a table of files at a time and answers with a table of what
it found out about each (REPORT); the bottlenecks themselves go into the store, from here. A file is reported once its
row is there. What is wrong with the network or the machine is an answer, too: a row that has `failure`.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from label_image.errors import ClusterError, RetrainError
from label_image.files import sha256_of_bytes
from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import BATCH, Engine, Vectors
from retrain.bottlenecks import probe
from retrain.bottlenecks.beside import description_name
from retrain.bottlenecks.digests import DIGITS, Digests
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.executors.claims import COMPUTE, NOT_YOURS
from retrain.bottlenecks.executors.local import AHEAD, AHEAD_BYTES, Prepare
from retrain.bottlenecks.shard_writer import ShardWriter
from retrain.bottlenecks.shards import Key
from retrain.bottlenecks.store import FLUSH_SECONDS, SHARD_BYTES
from retrain.core.errors import StoreError
from retrain.core.machine import computes
from retrain.photos.dataset import PhotoFile
from retrain.photos.reading import ReadPhoto, photo_threads, read_photos
from retrain.photos.views import View

CLAIMED = 512  # contents that are claimed at a time, of small pictures
CLAIMED_BYTES = 1 << 20

FILES = pa.schema([("index", pa.int64()), ("path", pa.binary()), ("known", pa.string())])
REPORT = pa.schema(
    [
        ("index", pa.int64()),
        ("sha256", pa.string()),
        ("problem", pa.string()),
        ("truncated", pa.bool_()),
        ("read_ns", pa.int64()),
        ("read_seconds", pa.float64()),
        ("decode_seconds", pa.float64()),
        ("infer_seconds", pa.float64()),
        ("write_seconds", pa.float64()),
        ("computed", pa.bool_()),
        ("failure", pa.string()),
    ]
)


@dataclass(frozen=True)
class Job:
    """What all workers of a run are told."""

    backbone: Backbone
    start: StartEngine
    view: View
    accept_truncated: bool
    writer: ShardWriter


def embed(machine: str, backbone: Backbone, start: StartEngine, pixels: Pixels) -> Vectors:
    """The bottlenecks (n, dim) of a few pictures. Raises ClusterError where the machine cannot compute them."""
    return _started(backbone, start, machine)(pixels)


def _started(backbone: Backbone, start: StartEngine, machine: str) -> Engine:
    """Raises ClusterError where bfloat16 or int8 would be slower than float32."""
    if not computes(backbone.compute_dtype):
        raise ClusterError(
            f"The CPU of the machine {machine} has no instructions for {backbone.compute_dtype}: give `precision` "
            "float32."
        )
    return start(backbone)


class Worker:
    """Computes one table of files after the other; its engine is started when the first photo needs it.

    `stored` are the contents that need not be computed, `claims` is an actor of `Claims`, `wait` gets its answers.
    """

    def __init__(
        self, job: Job, stored: npt.NDArray[np.bytes_], claims: Any, wait: Callable[[Any], Any], machine: str
    ) -> None:
        self._job = job
        self._stored = Digests(stored)
        self._claims = claims
        self._wait = wait
        self._machine = machine
        self._threads = photo_threads()
        self._engine: Engine | None = None

    def __call__(self, files: pa.Table) -> Iterator[pa.Table]:
        """Reports (see REPORT) on a table of files (see FILES)."""
        done = _Done()
        try:
            for photos in self._groups(files):
                self._compute(photos, done)
                if done.is_due():
                    yield self._kept(done)
                    done = _Done()
            yield self._kept(done)
        except (RetrainError, OSError) as error:
            with suppress(RetrainError, OSError):  # where the store is what failed, it does so again
                yield self._kept(done)
            yield _table([], failure=self._as_sentence(error))

    def _as_sentence(self, error: RetrainError | OSError) -> RetrainError:
        if isinstance(error, RetrainError):
            return error
        return ClusterError(f"The machine {self._machine} cannot go on: {error}.")

    def _groups(self, table: pa.Table) -> Iterator[list[ReadPhoto]]:
        """The files of a table, read, in groups with as many pixels as are claimed at a time."""
        indices, paths = table["index"].to_pylist(), [os.fsdecode(path) for path in table["path"].to_pylist()]
        files = [PhotoFile(path, "", 0, 0, 0) for path in paths]
        size = self._job.backbone.input_size
        most = min(CLAIMED, max(BATCH, CLAIMED_BYTES // (size * size * 3)))
        ahead = max(BATCH, min(AHEAD, AHEAD_BYTES // (size * size * 3)))
        prepare = Prepare(self._job.backbone.preprocessing, self._job.view)
        group: list[ReadPhoto] = []
        pictures = 0
        for photo in read_photos(
            enumerate(table["known"].to_pylist()), files, self._stored, prepare, self._job.accept_truncated,
            self._threads, ahead,
        ):  # fmt: skip
            if photo.problem and not photo.sha256:
                self._look_for_folder(paths[photo.index])
            group.append(replace(photo, index=indices[photo.index]))
            pictures += photo.pixels is not None
            if pictures == most or len(group) == 2 * most:
                yield group
                group, pictures = [], 0
        if group:
            yield group

    def _compute(self, photos: Sequence[ReadPhoto], done: "_Done") -> None:
        """Compute those of the photos that no other file of the same content is computed for."""
        pictures = [photo for photo in photos if photo.pixels is not None]
        answers = self._wait(self._claims.claim.remote(*_claimed(pictures))) if pictures else []
        mine = [photo for photo, answer in zip(pictures, answers, strict=True) if answer == COMPUTE]
        done.computed.update(
            photo.index for photo, answer in zip(pictures, answers, strict=True) if answer != NOT_YOURS
        )
        begin = time.perf_counter()
        for start in range(0, len(mine), BATCH):
            batch = mine[start : start + BATCH]
            vectors = self._run(np.stack([photo.pixels for photo in batch if photo.pixels is not None]))
            done.add(batch, vectors)
        done.infer_seconds += time.perf_counter() - begin
        done.photos.extend(replace(photo, pixels=None) for photo in photos)

    def _kept(self, done: "_Done") -> pa.Table:
        """Write what waits, and report what was read until now."""
        begin = time.perf_counter()
        if done.vectors:
            view = self._job.view
            keys = [Key(one.sha256, view.truncated_id if one.truncated else view.id) for one in done.rows]
            self._job.writer.write(keys, np.concatenate(done.vectors))
            self._claims.keep.remote(*_claimed(done.rows))
        return done.report(time.perf_counter() - begin)

    def _run(self, pixels: Pixels) -> Vectors:
        if self._engine is None:
            self._look_for_store()
            engine = _started(self._job.backbone, self._job.start, self._machine)
            self._compare_probe(engine)
            self._engine = engine
        return self._engine(pixels)

    def _compare_probe(self, engine: Engine) -> None:
        """Refuse a machine that computes other numbers than the one that chose the store. Raises StoreError."""
        job, pictures = self._job, probe.probe_photos()
        if job.writer.extra_vectors is None:
            return
        expected = dict(zip(job.writer.extra_keys, job.writer.extra_vectors, strict=True))
        rows = [expected.get(Key(sha256_of_bytes(data), probe.VIEW)) for data in pictures]
        if any(row is None for row in rows):
            return
        vectors = engine(np.stack([job.backbone.preprocessing.pixels(data) for data in pictures]))
        error = probe.relative_error(vectors, np.stack([row for row in rows if row is not None]))
        if error > probe.TOLERANCES[job.backbone.compute_dtype]:
            raise StoreError(
                f"The machine {self._machine} computes other numbers than the others (they differ by {error:.2g}, "
                "relative): use machines of one kind and with the same packages, or `precision` float32."
            )

    def _look_for_folder(self, path: str) -> None:
        """Tell a photo that cannot be read from a machine that does not see the photos. Raises ClusterError."""
        folder = os.path.dirname(path)
        if "://" not in path and not os.path.isdir(folder):
            raise ClusterError(
                f"The machine {self._machine} does not see the photos in {folder}: share that folder with all "
                "machines under the same path, or put the photos into an object storage (s3://…)."
            )

    def _look_for_store(self) -> None:
        """Raises ClusterError where the store is not seen from here."""
        place = self._job.writer.place
        try:
            place.above().read(description_name(self._job.writer.fingerprint))
        except FileNotFoundError:
            raise ClusterError(
                f"The machine {self._machine} does not see the bottlenecks in {place}: share that folder with all "
                "machines under the same path, or give an object storage (s3://…) as `bottleneck_dir`."
            ) from None


class _Done:
    """What was read since the last report, and the bottlenecks among it that are not written yet."""

    def __init__(self) -> None:
        self.photos: list[ReadPhoto] = []
        self.rows: list[ReadPhoto] = []  # of which there are vectors, in their order
        self.vectors: list[Vectors] = []
        self.computed: set[int] = set()
        self.infer_seconds = 0.0
        self._since = time.monotonic()

    def add(self, photos: Sequence[ReadPhoto], vectors: Vectors) -> None:
        self.rows.extend(replace(photo, pixels=None) for photo in photos)
        self.vectors.append(vectors)

    def is_due(self) -> bool:
        """Whether 5 seconds of work wait, or as much as a shard holds."""
        waited = time.monotonic() - self._since
        return waited >= FLUSH_SECONDS or sum(vectors.nbytes for vectors in self.vectors) >= SHARD_BYTES

    def report(self, write_seconds: float) -> pa.Table:
        """A report on the photos."""
        return _table(self.photos, self.computed, self.infer_seconds, write_seconds)


def _claimed(photos: Iterable[ReadPhoto]) -> tuple[list[bytes], list[int]]:
    photos = list(photos)
    return [bytes.fromhex(photo.sha256[:DIGITS]) for photo in photos], [photo.index for photo in photos]


def _table(
    photos: Sequence[ReadPhoto],
    computed: Set[int] = frozenset(),
    infer_seconds: float = 0.0,
    write_seconds: float = 0.0,
    failure: RetrainError | None = None,
) -> pa.Table:
    rows: list[dict[str, object]] = [
        {
            "index": photo.index, "sha256": photo.sha256, "problem": photo.problem, "truncated": photo.truncated,
            "read_ns": photo.read_ns, "read_seconds": photo.read_seconds, "decode_seconds": photo.decode_seconds,
            "computed": photo.index in computed,
        }
        for photo in photos
    ]  # fmt: skip
    if rows:
        rows[0] |= {"infer_seconds": infer_seconds, "write_seconds": write_seconds}
    if failure is not None:
        rows.append({"index": -1, "failure": type(failure).__name__, "problem": str(failure)})
    return pa.Table.from_pylist(rows, schema=REPORT)
