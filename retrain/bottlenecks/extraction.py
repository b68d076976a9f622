"""Photos in, bottlenecks out, each computed once: data set -> read -> decode -> infer -> store.

A photo is known by the SHA-256 of its bytes. What the store already holds is not decoded and not
run, and a file that is unchanged since an earlier run is not even read. What is missing flows
through a pool of threads (read once: hashed, and decoded from the same bytes) into batches for the
engine, and from there into the store, which is flushed every few seconds. At last the matrix is read
from the store in one piece, so that a first run has the same numbers as every later one. Interrupt
it and run the same command again: it goes on where it was.

Of a joined backbone each part goes this way alone, with its own place in the store, and what comes of
them is put side by side.
"""

import logging
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

import numpy as np

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import BATCH, Engine
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks import probe
from retrain.bottlenecks.joined import shared_photos, side_by_side
from retrain.bottlenecks.store import Key, Store
from retrain.core.errors import StoreError
from retrain.core.matrix_file import Matrix, keep_rows, release_pages, scratch_matrix
from retrain.photos.dataset import Dataset, Photo, PhotoFile, Skipped
from retrain.photos.hashes import PhotoHashes, hash_bytes
from retrain.photos.reading import ReadPhoto, known_contents, photo_threads, read_photos, remember_content
from retrain.photos.views import ORIGINAL, View

Observer = Callable[[int, int], None]  # photos done so far, and how many of them had to be computed

SAVE_SECONDS = 300.0  # between two writings of the table of hashes, which is written as a whole
# Photos that are read ahead, and what their pixels may take: the cores that are free while the network is built
# decode what it runs on first.
AHEAD, AHEAD_BYTES = 1024, 256 << 20
REPORT_FILES = 1000  # files read between two reports of progress, where nothing has to be computed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Extraction:
    """The bottlenecks of a data set.

    `matrix` is float32 of shape (len(photos), dim), row i belonging to photo i; a large one is an
    np.memmap over a file that vanishes with the process (see `retrain.core.matrix_file`). `hits` counts
    photos whose bottleneck was in the store (or equals another photo's), `computed` those that
    the network ran on, `set_aside` damaged shards. `seconds` has read, decode, infer and write;
    read and decode are summed over threads. Where several backbones are joined, the counts and seconds
    are sums over them, and `widths` are the lengths of their bottlenecks.
    """

    photos: tuple[Photo, ...]
    matrix: Matrix
    skipped: tuple[Skipped, ...]
    hits: int
    computed: int
    set_aside: int
    fingerprint: str
    seconds: dict[str, float]
    widths: tuple[int, ...] = ()


class _Contents:
    """What is known about the content of each file of a data set, more and more of it while they are read."""

    def __init__(self, files: Sequence[PhotoFile], hashes: PhotoHashes, trusted: bool) -> None:
        self.files = files
        self.sha256s: list[str | None] = known_contents(files, hashes) if trusted else [None for _ in files]
        self.unusable: dict[int, str] = {}  # by file: cannot be read, or changed
        self.undecodable: dict[str, str] = {}  # by content
        self.seconds = dict.fromkeys(("read", "decode", "infer", "write"), 0.0)
        self._hashes = hashes
        self._saved = time.monotonic()

    def learn(self, photo: ReadPhoto) -> None:
        """Take note of a file that was read."""
        self.seconds["read"] += photo.read_seconds
        self.seconds["decode"] += photo.decode_seconds
        if not photo.sha256:
            self.unusable[photo.index] = photo.problem
            return
        if photo.problem:
            self.undecodable[photo.sha256] = photo.problem
        if self.sha256s[photo.index] is None:
            self.sha256s[photo.index] = photo.sha256
            remember_content(self.files[photo.index], photo.sha256, photo.read_ns, self._hashes)
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the hashes down for the next run, where that can be done."""
        self._hashes.save_if_possible()
        self._saved = time.monotonic()

    def forget_problems(self) -> None:
        """Before the files are read again."""
        self.unusable.clear()
        self.undecodable.clear()

    def usable(self) -> tuple[list[int], tuple[Photo, ...]]:
        """The files that have a bottleneck, by index and as photos."""
        indices, photos = [], []
        for index, (file, sha256) in enumerate(zip(self.files, self.sha256s, strict=True)):
            if sha256 is not None and index not in self.unusable and sha256 not in self.undecodable:
                indices.append(index)
                photos.append(Photo(file.path, file.label, sha256, file.split))
        return indices, tuple(photos)

    def skipped(self) -> Iterator[Skipped]:
        """The other files, with the reasons."""
        for index, problem in sorted(self.unusable.items()):
            yield Skipped(self.files[index].path, problem)
        for index, sha256 in enumerate(self.sha256s):
            if sha256 in self.undecodable and index not in self.unusable:
                yield Skipped(self.files[index].path, self.undecodable[sha256])

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begin


@dataclass(frozen=True)
class _Survey:
    """What a store lacks: the files to read, and the contents that need no bottleneck.

    `matrix` has a row for each file, filled where the store had it, if the content of every file is
    known; else the files have to be read before anything can be said about rows.
    """

    wanted: list[int]
    stored: Set[str]
    matrix: Matrix | None = None


def extract(
    dataset: Dataset,
    backbone: Backbone,
    bottleneck_dir: str | os.PathLike[str],
    *,
    view: View = ORIGINAL,
    start: Callable[[Backbone], Engine] = start_engine,
    paranoid: bool = False,
    observe: Observer = lambda done, computed: None,
) -> Extraction:
    """The bottleneck of one view of every photo of a data set, from the store where it has them.

    `start` makes the engine and is called only if something must be computed. `paranoid` reads
    every photo again instead of trusting its size, dates and inode. Photos that cannot be
    used are in `skipped` with the reason. A store that has them all may be read-only. Raises StoreError
    (UnwritableStoreError before anything is computed) and BackboneError.
    """
    folder = Path(bottleneck_dir)
    if backbone.parts:
        extractions = [
            # The first one leaves hashes that can be trusted.
            extract(dataset, part, folder, view=view, start=start, paranoid=paranoid and not number, observe=observe)
            for number, part in enumerate(backbone.parts)
        ]
        return _join(extractions, [extraction.matrix for extraction in extractions], folder)[0]
    hashes = PhotoHashes(folder)
    contents = _Contents(dataset.files, hashes, trusted=not paranoid)
    store = Store(folder, backbone.covers(), backbone.dim, backbone.stored_dtype)
    survey = _survey(store, contents, view)
    set_aside, computed = 0, 0

    def report(files_read: int) -> None:
        observe(len(dataset.files) - len(survey.wanted) + files_read, computed)

    threads = photo_threads()
    try:
        batches = _batches(survey, contents, backbone, view, threads, report)
        first = next(batches, None)  # photos that cannot be decoded need no engine
        if first is not None:
            store.check_writable()
            engine = start(backbone)
            matching = _matching_store(store, folder, backbone, engine)
            if matching is not store:
                batches.close()
                set_aside, store = store.set_aside, matching
                contents.forget_problems()
                survey = _survey(store, contents, view)
                batches = _batches(survey, contents, backbone, view, threads, report)
                first = next(batches, None)
            report(0)
            with store:
                for sha256s, pixels, files_read in chain([first] if first else [], batches):
                    with contents.timed("infer"):
                        vectors = engine(pixels)
                    with contents.timed("write"):
                        store.put_many([Key(sha256, view.id) for sha256 in sha256s], vectors)
                    computed += len(sha256s)
                    report(files_read)
            report(len(survey.wanted))
    finally:
        threads.shutdown(wait=True, cancel_futures=True)
        contents.save()
    rows, photos = contents.usable()
    with contents.timed("read"):
        matrix = _matrix(survey.matrix, rows, photos, view, store, computed)
    return Extraction(
        photos=photos,
        matrix=matrix,
        skipped=(*dataset.skipped, *contents.skipped()),
        hits=len(photos) - computed,
        computed=computed,
        set_aside=set_aside + store.set_aside,
        fingerprint=store.fingerprint,
        seconds=contents.seconds,
    )


def extract_views(
    dataset: Dataset,
    backbone: Backbone,
    bottleneck_dir: str | os.PathLike[str],
    views: Sequence[View],
    *,
    start: Callable[[Backbone], Engine] = start_engine,
    observe: Callable[[View], Observer] = lambda view: lambda done, computed: None,
    paranoid: bool = False,
) -> tuple[Extraction, Matrix]:
    """Several views of every photo, the first of which is the photo itself; see `extract`.

    Returns the extraction of the first view, with the counts and seconds of all, and a matrix of shape
    (len(views) * photos, dim): all photos as they are in the first view, then all in the second, and so on.
    """
    if backbone.parts:
        found = [
            extract_views(
                dataset, part, bottleneck_dir, views, start=start, observe=observe, paranoid=paranoid and not number
            )
            for number, part in enumerate(backbone.parts)
        ]
        return _join([extraction for extraction, _ in found], [matrix for _, matrix in found], Path(bottleneck_dir))
    engines: list[Engine] = []

    def start_once(backbone: Backbone) -> Engine:
        if not engines:
            engines.append(start(backbone))
        return engines[0]

    first = extract(dataset, backbone, bottleneck_dir, start=start_once, paranoid=paranoid, observe=observe(views[0]))
    if len(views) == 1:
        return first, first.matrix
    photos = len(first.photos)
    matrix = scratch_matrix((len(views) * photos, backbone.dim), Path(bottleneck_dir))
    matrix[:photos] = first.matrix
    for number, view in enumerate(views[1:], 1):
        other = extract(dataset, backbone, bottleneck_dir, view=view, start=start_once, observe=observe(view))
        if other.photos != first.photos or other.fingerprint != first.fingerprint:
            raise StoreError("Photos changed while their views were computed: run the same command again.")
        matrix[number * photos : (number + 1) * photos] = other.matrix
        release_pages(matrix)
        seconds = {stage: spent + other.seconds[stage] for stage, spent in first.seconds.items()}
        first = replace(first, hits=first.hits + other.hits, computed=first.computed + other.computed, seconds=seconds)
    return first, matrix


def _join(extractions: Sequence[Extraction], matrices: Sequence[Matrix], folder: Path) -> tuple[Extraction, Matrix]:
    """The extractions of several backbones as one, with the matrix of all views."""
    photos, shared = shared_photos([extraction.photos for extraction in extractions], matrices)
    skipped = {one.path: one for extraction in extractions for one in extraction.skipped}
    usable = {photo.path for extraction in extractions for photo in extraction.photos}
    if usable - skipped.keys() - {photo.path for photo in photos}:
        raise StoreError("Photos changed while their bottlenecks were computed: run the same command again.")
    matrix = side_by_side(shared, folder)
    extraction = Extraction(
        photos=photos,
        matrix=matrix[: len(photos)],
        skipped=tuple(skipped.values()),
        hits=sum(extraction.hits for extraction in extractions),
        computed=sum(extraction.computed for extraction in extractions),
        set_aside=sum(extraction.set_aside for extraction in extractions),
        fingerprint=hash_bytes("+".join(extraction.fingerprint for extraction in extractions).encode()),
        seconds={
            stage: sum(extraction.seconds[stage] for extraction in extractions) for stage in extractions[0].seconds
        },
        widths=tuple(matrix.shape[1] for matrix in matrices),
    )
    return extraction, matrix


def _survey(store: Store, contents: _Contents, view: View) -> _Survey:
    """Which files have to be read."""
    known = [sha256 for sha256 in contents.sha256s if sha256 is not None]
    with contents.timed("read"):
        if len(known) < len(contents.sha256s):
            stored = store.photos(view.id)
            wanted = [index for index, sha256 in enumerate(contents.sha256s) if sha256 not in stored]
            return _Survey(wanted, stored)
        matrix = scratch_matrix((len(known), store.dim), store.folder)
        _, found = store.get_many([Key(sha256, view.id) for sha256 in known], matrix)
        return _Survey(np.flatnonzero(~found).tolist(), frozenset(), matrix)


def _batches(
    survey: _Survey,
    contents: _Contents,
    backbone: Backbone,
    view: View,
    threads: ThreadPoolExecutor,
    report: Callable[[int], None],
) -> Generator[tuple[list[str], Pixels, int], None, None]:
    """The hashes and pixels of the photos to compute, BATCH at a time, and how many files were read so far.

    The pixels are overwritten by the next batch.
    """
    buffer = np.empty((BATCH, backbone.input_size, backbone.input_size, 3), np.uint8)
    sha256s: list[str] = []
    wanted = ((index, contents.sha256s[index]) for index in survey.wanted)

    def prepare(data: bytes, sha256: str) -> Pixels:
        return backbone.preprocessing.pixels(data, view.distort(sha256))

    ahead = max(BATCH, min(AHEAD, AHEAD_BYTES // buffer[0].nbytes))
    photos = read_photos(wanted, contents.files, survey.stored, prepare, threads, ahead)
    for files_read, photo in enumerate(photos, 1):
        contents.learn(photo)
        if files_read % REPORT_FILES == 0:
            report(files_read)
        if photo.pixels is None:
            continue
        buffer[len(sha256s)] = photo.pixels
        sha256s.append(photo.sha256)
        if len(sha256s) == BATCH:
            yield sha256s, buffer, files_read
            sha256s = []
    if sha256s:
        yield sha256s, buffer[: len(sha256s)], len(survey.wanted)


def _matrix(
    filled: Matrix | None, rows: Sequence[int], photos: Sequence[Photo], view: View, store: Store, computed: int
) -> Matrix:
    """The bottlenecks of the photos, which are the given rows of a matrix that may be filled already."""
    if filled is not None and not computed:
        return keep_rows(filled, rows)
    matrix = scratch_matrix((len(photos), store.dim), store.folder) if filled is None else filled[: len(photos)]
    _, found = store.get_many([Key(photo.sha256, view.id) for photo in photos], matrix)
    if not found.all():
        raise StoreError(f"Bottlenecks vanished from {store.folder} while this ran: run the same command again.")
    return matrix


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
        error = probe.relative_error(vectors[found], recorded[found])
        if error <= probe.TOLERANCES[backbone.compute_dtype]:
            # A shard that loses its probe to damage then loses its photos with it: none is left without.
            store.put_into_every_shard(keys, np.where(found[:, np.newaxis], recorded, vectors))
            return store
        log.warning(
            "The bottlenecks in %s were computed by an environment whose numbers differ from this one's by %.2g "
            "(relative): they stay as they are, and new ones are kept apart.",
            store.folder,
            error,
        )
        store = Store(folder, {**backbone.covers(), "environment": drift}, backbone.dim, backbone.stored_dtype)
    raise AssertionError("count() has no end")
