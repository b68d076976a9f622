"""Photos in, bottlenecks out, each computed once: listing -> read -> decode -> infer -> store.

A photo is known by the SHA-256 of its bytes. What the store already holds is not decoded and not
run; what it lacks flows through a pool of threads (read, decode) into batches for the engine,
and from there into the store, which is flushed every few seconds. Interrupt it and run the same
command again: it goes on where it was.
"""

import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from retrain import probe
from retrain.backbones import Backbone
from retrain.dataset import Listing, Photo, PhotoFile, Skipped
from retrain.engine import BATCH, Engine, start_engine
from retrain.errors import PhotoError
from retrain.hashes import PhotoHashes, hash_bytes
from retrain.images import Pixels, Preprocessing, read_photo
from retrain.store import Key, Store

Observer = Callable[[int, int], None]  # photos done so far, and how many of them had to be computed

Item = TypeVar("Item")
Result = TypeVar("Result")

# Either just now, or long ago with its size and time stamp put back.
CHANGED = "changed while it was being read; run the same command again, with --paranoid if that does not help"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Extraction:
    """The bottlenecks of a listing.

    `matrix` is float32 of shape (len(photos), dim), row i belonging to photo i. `hits` counts
    photos whose bottleneck was in the store (or equals another photo's), `computed` those that
    the network ran on, `set_aside` damaged shards. `seconds` has read, decode, infer and write;
    read and decode are summed over threads.
    """

    photos: tuple[Photo, ...]
    matrix: npt.NDArray[np.float32]
    skipped: tuple[Skipped, ...]
    hits: int
    computed: int
    set_aside: int
    fingerprint: str
    seconds: dict[str, float]


@dataclass(frozen=True)
class _Prepared:
    """A photo on its way to the engine: its pixels, or the reason why it has none."""

    sha256: str
    pixels: Pixels | None = None
    problem: str = ""


class _Clock:
    """Seconds spent per stage; read and decode run in several threads and are summed."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("read", "decode", "infer", "write"), 0.0)
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            with self._lock:
                self.seconds[name] += spent


def extract(
    listing: Listing,
    backbone: Backbone,
    bottleneck_dir: str | os.PathLike[str],
    *,
    start: Callable[[Backbone], Engine] = start_engine,
    paranoid: bool = False,
    observe: Observer = lambda done, computed: None,
) -> Extraction:
    """The bottleneck of every photo of a listing, from the store where it has them.

    `start` makes the engine and is called only if something must be computed. `paranoid` reads
    every photo again instead of trusting its size and modification time. Photos that cannot be
    used are in `skipped` with the reason. Raises StoreError and BackboneError.
    """
    folder = Path(bottleneck_dir)
    clock = _Clock()
    threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="photos")
    try:
        photos, unreadable = _identify(listing.files, folder, threads, clock, paranoid)
        first_path = {photo.sha256: photo.path for photo in reversed(photos)}
        contents = list(first_path)
        store = Store(folder, backbone.covers(), backbone.dim, backbone.stored_dtype)
        with clock.stage("read"):
            matrix, found = store.get_many([Key(sha256) for sha256 in contents])
        set_aside = 0
        problems: dict[str, str] = {}
        computed = 0

        def missing() -> Iterator[list[_Prepared]]:
            waiting = ((contents[index], first_path[contents[index]]) for index in np.flatnonzero(~found))
            return _batches(_prepare_all(waiting, backbone.preprocessing, threads, clock), problems)

        batches = missing()
        first = next(batches, None)  # photos that cannot be decoded need no engine
        if first is not None:
            engine = start(backbone)
            matching = _matching_store(store, folder, backbone, engine)
            if matching is not store:
                set_aside, store = store.set_aside, matching
                matrix, found = store.get_many([Key(sha256) for sha256 in contents])
                problems.clear()
                batches = missing()
                first = next(batches, None)
            rows = {sha256: row for row, sha256 in enumerate(contents)}
            copies = Counter(photo.sha256 for photo in photos)
            done = sum(copies[contents[index]] for index in np.flatnonzero(found))
            observe(done, 0)
            with store:
                for batch in chain([first] if first else [], batches):
                    with clock.stage("infer"):
                        vectors = engine(np.stack([photo.pixels for photo in batch if photo.pixels is not None]))
                    with clock.stage("write"):
                        store.put_many([Key(photo.sha256) for photo in batch], vectors)
                    for photo, vector in zip(batch, vectors, strict=True):
                        matrix[rows[photo.sha256]] = vector
                    computed += len(batch)
                    done += sum(copies[photo.sha256] for photo in batch)
                    observe(done, computed)
    finally:
        threads.shutdown(wait=True, cancel_futures=True)
    row_of = {sha256: row for row, sha256 in enumerate(contents)}
    usable = tuple(photo for photo in photos if photo.sha256 not in problems)
    broken = tuple(Skipped(photo.path, problems[photo.sha256]) for photo in photos if photo.sha256 in problems)
    return Extraction(
        photos=usable,
        matrix=matrix[[row_of[photo.sha256] for photo in usable]].astype(np.float32, copy=False),
        skipped=(*listing.skipped, *unreadable, *broken),
        hits=len(usable) - computed,
        computed=computed,
        set_aside=set_aside + store.set_aside,
        fingerprint=store.fingerprint,
        seconds=clock.seconds,
    )


def _identify(
    files: Sequence[PhotoFile], folder: Path, threads: ThreadPoolExecutor, clock: _Clock, paranoid: bool
) -> tuple[list[Photo], list[Skipped]]:
    """The content hash of every file; only new or changed files are read."""
    hashes = PhotoHashes(folder)
    paths = [os.path.abspath(file.path) for file in files]

    def known(index: int) -> str | None:
        file = files[index]
        return hashes.lookup(paths[index], file.size, file.mtime_ns, file.inode)

    sha256s = [None if paranoid else known(index) for index in range(len(files))]
    problems: dict[int, str] = {}

    def read(index: int) -> tuple[int, int, str, str]:
        read_ns = time.time_ns()
        try:
            with clock.stage("read"):
                return index, read_ns, hash_bytes(read_photo(files[index].path)), ""
        except PhotoError as error:
            return index, read_ns, "", str(error)

    try:
        unknown = [index for index, sha256 in enumerate(sha256s) if sha256 is None]
        for index, read_ns, sha256, problem in _in_order(read, unknown, threads):
            file = files[index]
            if problem:
                problems[index] = problem
                continue
            sha256s[index] = sha256
            hashes.record(paths[index], file.size, file.mtime_ns, sha256, inode=file.inode, read_ns=read_ns)
    finally:
        hashes.save()
    photos = [
        Photo(file.path, file.label, sha256, file.split)
        for file, sha256 in zip(files, sha256s, strict=True)
        if sha256 is not None
    ]
    return photos, [Skipped(files[index].path, problem) for index, problem in problems.items()]


def _prepare_all(
    photos: Iterable[tuple[str, str]], preprocessing: Preprocessing, threads: ThreadPoolExecutor, clock: _Clock
) -> Iterator[_Prepared]:
    """Read and decode (sha256, path) pairs in threads, a bounded number ahead, in order."""

    def prepare(photo: tuple[str, str]) -> _Prepared:
        sha256, path = photo
        try:
            with clock.stage("read"):
                data = read_photo(path)
                if hash_bytes(data) != sha256:
                    return _Prepared(sha256, problem=CHANGED)
            with clock.stage("decode"):
                return _Prepared(sha256, preprocessing.pixels(data))
        except PhotoError as error:
            return _Prepared(sha256, problem=str(error))

    return _in_order(prepare, photos, threads)


def _in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: ThreadPoolExecutor, ahead: int = 4 * BATCH
) -> Iterator[Result]:
    """Map in threads, keeping the order and at most `ahead` results in memory."""
    pending: deque[Future[Result]] = deque()
    for item in items:
        pending.append(threads.submit(function, item))
        if len(pending) >= ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _batches(photos: Iterable[_Prepared], problems: dict[str, str]) -> Iterator[list[_Prepared]]:
    """Batches of photos that have pixels; the others' reasons go to `problems`."""
    batch = []
    for photo in photos:
        if photo.pixels is None:
            problems[photo.sha256] = photo.problem
            continue
        batch.append(photo)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _matching_store(store: Store, folder: Path, backbone: Backbone, engine: Engine) -> Store:
    """The store whose probe agrees with this engine: the given one, or one for this environment.

    An environment that computes other numbers under the same fingerprint gets a fingerprint of
    its own, and says so. A photo set that is complete in the given store never comes here, so
    its network does not have to be built.
    """
    pixels = np.stack([backbone.preprocessing.pixels(data) for data in probe.probe_photos()])
    vectors = engine(pixels)
    keys = [Key(hash_bytes(data), probe.VIEW) for data in probe.probe_photos()]
    for drift in count(1):
        recorded, found = store.get_many(keys)
        if not found.any():
            store.put_many(keys, vectors)
            store.flush()
            return store
        error = probe.relative_error(vectors[found], recorded[found])
        if error <= probe.TOLERANCES[backbone.compute_dtype]:
            return store
        log.warning(
            "The bottlenecks in %s were computed by an environment whose numbers differ from this one's by %.2g "
            "(relative): they stay as they are, and new ones are kept apart.",
            store.folder,
            error,
        )
        store = Store(folder, {**backbone.covers(), "environment": drift}, backbone.dim, backbone.stored_dtype)
    raise AssertionError("count() has no end")
