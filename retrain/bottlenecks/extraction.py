"""Photos in, bottlenecks out, each computed once: data set -> read -> decode -> infer -> store.

A photo is known by the SHA-256 of its bytes. What the store already holds is not decoded and not
run, and a file that is unchanged since an earlier run is not even read. What is missing goes to an
executor (`retrain.bottlenecks.executors`), which reads each file once, hashes and decodes the same bytes,
and runs the network on them in batches. Its bottlenecks go into the store, which is flushed every few
seconds. At last the matrix is read from the store in one piece, so that a first run has the same numbers
as every later one. Interrupt it and run the same command again: it goes on where it was.

Of a joined backbone each part goes this way alone, with its own place in the store, and what comes of
them is put side by side.
"""

import os
from collections.abc import Callable, Generator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from label_image.files import sha256_of_bytes
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.calibrating import calibrated
from retrain.bottlenecks.contents import Contents
from retrain.bottlenecks.digests import Digests
from retrain.bottlenecks.executors.base import REPORT_FILES, Batch, Executor, Session, StartEngine, Work
from retrain.bottlenecks.executors.local import Local
from retrain.bottlenecks.first_look import without_network
from retrain.bottlenecks.gone import has_other_environments, lacking
from retrain.bottlenecks.joined import shared_photos, side_by_side
from retrain.bottlenecks.matching_store import matching_store
from retrain.bottlenecks.store import Key, Store
from retrain.core.errors import StoreError
from retrain.core.matrix_file import StoredMatrix, keep_rows, release_pages, scratch_matrix
from retrain.core.places import Place, place_of
from retrain.photos.dataset import Dataset, Photo, Skipped
from retrain.photos.hashes import PhotoHashes
from retrain.photos.views import ORIGINAL, View

Observer = Callable[[int, int], None]  # photos done so far, and how many of them had to be computed

LOCAL = Local()


@dataclass(frozen=True)
class Extraction:
    """The bottlenecks of a data set.

    `matrix` is float32 of shape (len(photos), dim), row i belonging to photo i; a large one is an np.memmap over a file
    that vanishes with the process, in the store's dtype (see `retrain.core.matrix_file`). `hits` counts photos whose
    bottleneck was in the store (or equals another photo's), `computed` those that the network ran on, `set_aside`
    damaged shards. `seconds` has read, decode, infer and write; read and decode are summed over threads. Where several
    backbones are joined, the counts and seconds are sums over them, and `widths` are the lengths of their bottlenecks.
    `truncated` are the SHA-256 of JPEGs that end early and were accepted.
    """

    photos: tuple[Photo, ...]
    matrix: StoredMatrix
    skipped: tuple[Skipped, ...]
    hits: int
    computed: int
    set_aside: int
    fingerprint: str
    seconds: dict[str, float]
    widths: tuple[int, ...] = ()
    truncated: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Survey:
    """What a store lacks: the files to read, and the contents that need no bottleneck.

    `matrix` has a row for each file, filled where the store had it, if the content of every file is
    known; else the files have to be read before anything can be said about rows. `gone` are contents that it lacks and
    nobody has.
    """

    wanted: list[int]
    stored: Set[str] | Digests
    matrix: StoredMatrix | None = None
    gone: Set[str] = frozenset()


class Filling:
    """One view of a data set on its way into the store of a backbone."""

    def __init__(
        self, contents: Contents, backbone: Backbone, place: Place, view: View, observe: Observer, reads: bool = True
    ) -> None:
        """Without `reads` nothing is read of what the store has, and there is no `extraction`."""
        self.contents = contents
        self._reads = reads
        self.view = view
        self.store = Store(place, backbone.covers(), backbone.dim, backbone.stored_dtype)
        self.computed = 0
        self.set_aside = 0  # damaged shards of a store that turned out to be another environment's
        self._backbone = backbone
        self._bottleneck_dir = place
        self._observe = observe
        self.survey = self._surveyed()

    def fill(self, session: Session) -> None:
        """Compute what the store lacks. Raises DatasetError if that takes photos that are gone."""
        if self.survey.gone and has_other_environments(self._bottleneck_dir, self._backbone):
            matching = matching_store(self.store, self._bottleneck_dir, self._backbone, session.embed)
            if matching is not self.store:
                self._exchange_store(matching)
        self._refuse_gone()
        if session.keeps and not self._is_done_without_network():  # whoever writes has to know where
            self._choose_store(session)
        batches = self._batches(session)
        first = next(batches, None)  # photos that cannot be decoded need no network
        if first is None:
            return
        if not session.keeps and self._choose_store(session):
            batches.close()
            batches = self._batches(session)
            first = next(batches, None)
        self._report(0)
        with self.store:
            for batch, files_read in chain([first] if first else [], batches):
                self._keep(batch)
                self.computed += len(batch.sha256s)
                self._report(files_read)
        self._report(len(self.survey.wanted))

    def extraction(self, skipped: Sequence[Skipped]) -> Extraction:
        """What came of it, beside the files that were passed over before."""
        rows, photos = self.contents.usable()
        with self.contents.timed("read"):
            keys = [self.contents.key(photo.sha256, self.view) for photo in photos]
            matrix = _matrix(self.survey.matrix, rows, keys, self.store, self.computed)
        return Extraction(
            photos=photos,
            matrix=matrix,
            skipped=(*skipped, *self.contents.skipped()),
            hits=len(photos) - self.computed,
            computed=self.computed,
            set_aside=self.set_aside + self.store.set_aside,
            fingerprint=self.store.fingerprint,
            seconds=self.contents.seconds,
            truncated=frozenset(self.contents.truncated.intersection(photo.sha256 for photo in photos)),
        )

    def _surveyed(self) -> _Survey:
        """What is to be computed, and what cannot be, as its photos are gone."""
        survey = _survey(self.store, self.contents, self.view, self._reads)
        gone = self.contents.gone(survey.wanted)
        if gone and None in self.contents.sha256s:  # a file of which nothing is known may be one of them
            self.contents.read_unknown()
            survey = _survey(self.store, self.contents, self.view, self._reads)
            gone = self.contents.gone(survey.wanted)
        files = self.contents.files
        return replace(survey, wanted=[index for index in survey.wanted if not files[index].gone], gone=gone)

    def _is_done_without_network(self) -> bool:
        """Whether nothing has to be computed, as after a run that left out photos which cannot be decoded."""
        contents, survey = self.contents, self.survey
        read = without_network(
            contents.files, contents.sha256s, survey.wanted, survey.stored, self._backbone.preprocessing, self.view,
            contents.accept_truncated,
        )  # fmt: skip
        for photo in read:
            contents.learn(photo)
        if read:
            self.survey = replace(survey, wanted=[])
            self._report(0)
        return not self.survey.wanted

    def _exchange_store(self, other: Store) -> None:
        self.set_aside, self.store = self.store.set_aside, other
        self.contents.forget_problems()
        self.survey = self._surveyed()

    def _choose_store(self, session: Session) -> bool:
        """Take the store whose probe agrees with the network; whether that is another one than before."""
        self.store.check_writable()
        matching = matching_store(self.store, self._bottleneck_dir, self._backbone, session.embed)
        if matching is self.store:
            return False
        self._exchange_store(matching)
        self._refuse_gone()
        return True

    def _keep(self, batch: Batch) -> None:
        """Have the bottlenecks of a batch in the store."""
        if batch.kept:
            return
        with self.contents.timed("infer"):
            vectors = batch.vectors()
        with self.contents.timed("write"):
            self.store.put_many([self.contents.key(sha256, self.view) for sha256 in batch.sha256s], vectors)

    def _refuse_gone(self) -> None:
        if self.survey.gone:
            raise lacking(self.survey.gone, self.view.id, self._backbone, self.store)

    def _batches(self, session: Session) -> Generator[tuple[Batch, int], None, None]:
        """The batches in which something is computed, with how many files were read so far."""
        contents, survey = self.contents, self.survey
        work = Work(
            contents.files, contents.sha256s, survey.wanted, survey.stored, self.view, contents.accept_truncated,
            self.store.writer() if session.keeps else None,
        )  # fmt: skip
        batches = session.run(work)
        files_read = 0
        try:
            for batch in batches:
                for photo in batch.photos:
                    self.contents.learn(photo)
                for stage, spent in batch.seconds.items():
                    self.contents.seconds[stage] += spent
                files_read += len(batch.photos)
                if batch.sha256s:
                    yield batch, files_read
                elif files_read % REPORT_FILES == 0:
                    self._report(files_read)
        finally:
            batches.close()

    def _report(self, files_read: int) -> None:
        """Tell how many files are done, of which the first are those that need not be read."""
        self._observe(len(self.contents.files) - len(self.survey.wanted) + files_read, self.computed)


def extract(
    dataset: Dataset,
    backbone: Backbone,
    bottleneck_dir: str | os.PathLike[str] | Place,
    *,
    view: View = ORIGINAL,
    start: StartEngine = start_engine,
    paranoid: bool = False,
    observe: Observer = lambda done, computed: None,
    executor: Executor = LOCAL,
    accept_truncated: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
) -> Extraction:
    """The bottleneck of one view of every photo of a data set, from the store where it has them.

    `executor` is where the others are computed, by an engine that `start` makes; neither is asked unless something
    must be computed. `paranoid` reads every photo again instead of trusting its size, dates and inode. Photos that
    cannot be used are in `skipped` with the reason; JPEGs that end early are among them unless `accept_truncated`.
    A store that has them all may be read-only. `say` is told where a network is calibrated first. Raises StoreError
    (UnwritableStoreError before anything is computed) and BackboneError.
    """
    place = place_of(bottleneck_dir)
    if backbone.parts:
        extractions = [
            # The first one leaves hashes that can be trusted.
            extract(
                dataset, part, place, view=view, start=start, paranoid=paranoid and not number, observe=observe,
                executor=executor, accept_truncated=accept_truncated, say=say,
            )
            for number, part in enumerate(backbone.parts)
        ]  # fmt: skip
        return _join(extractions, [extraction.matrix for extraction in extractions], place.local_dir)[0]
    backbone = calibrated(backbone, dataset.files, place, say)
    with executor.open(backbone, start) as session:
        return _extract_one(dataset, backbone, place, view, session, paranoid, observe, accept_truncated)


def extract_views(
    dataset: Dataset,
    backbone: Backbone,
    bottleneck_dir: str | os.PathLike[str] | Place,
    views: Sequence[View],
    *,
    start: StartEngine = start_engine,
    observe: Callable[[View], Observer] = lambda view: lambda done, computed: None,
    paranoid: bool = False,
    executor: Executor = LOCAL,
    accept_truncated: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
) -> tuple[Extraction, StoredMatrix]:
    """Several views of every photo, the first of which is the photo itself; see `extract`.

    Returns the extraction of the first view, with the counts and seconds of all, and a matrix of shape
    (len(views) * photos, dim): all photos as they are in the first view, then all in the second, and so on.
    """
    place = place_of(bottleneck_dir)
    if backbone.parts:
        found = [
            extract_views(
                dataset, part, place, views, start=start, observe=observe, paranoid=paranoid and not number,
                executor=executor, accept_truncated=accept_truncated, say=say,
            )
            for number, part in enumerate(backbone.parts)
        ]  # fmt: skip
        return _join([extraction for extraction, _ in found], [matrix for _, matrix in found], place.local_dir)
    backbone = calibrated(backbone, dataset.files, place, say)
    with executor.open(backbone, start) as session:
        first = _extract_one(dataset, backbone, place, ORIGINAL, session, paranoid, observe(views[0]), accept_truncated)
        if len(views) == 1:
            return first, first.matrix
        photos = len(first.photos)
        matrix = scratch_matrix((len(views) * photos, backbone.dim), place.local_dir, backbone.stored_dtype)
        matrix[:photos] = first.matrix
        for number, view in enumerate(views[1:], 1):
            other = _extract_one(dataset, backbone, place, view, session, False, observe(view), accept_truncated)
            if other.photos != first.photos or other.fingerprint != first.fingerprint:
                raise StoreError("Photos changed while their views were computed: run the same command again.")
            matrix[number * photos : (number + 1) * photos] = other.matrix
            release_pages(matrix)
            first = _added(first, other)
    return first, matrix


def _extract_one(
    dataset: Dataset,
    backbone: Backbone,
    place: Place,
    view: View,
    session: Session,
    paranoid: bool,
    observe: Observer,
    accept_truncated: bool,
) -> Extraction:
    contents = Contents(dataset.files, PhotoHashes(place), not paranoid, accept_truncated)
    filling = Filling(contents, backbone, place, view, observe)
    try:
        filling.fill(session)
    finally:
        contents.save()
    return filling.extraction(dataset.skipped)


def _added(first: Extraction, other: Extraction) -> Extraction:
    """The extraction of a first view with the counts and seconds of another one's."""
    seconds = {stage: spent + other.seconds[stage] for stage, spent in first.seconds.items()}
    return replace(first, hits=first.hits + other.hits, computed=first.computed + other.computed, seconds=seconds)


def _join(
    extractions: Sequence[Extraction], matrices: Sequence[StoredMatrix], folder: Path
) -> tuple[Extraction, StoredMatrix]:
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
        fingerprint=sha256_of_bytes("+".join(extraction.fingerprint for extraction in extractions).encode()),
        seconds={
            stage: sum(extraction.seconds[stage] for extraction in extractions) for stage in extractions[0].seconds
        },
        widths=tuple(matrix.shape[1] for matrix in matrices),
        truncated=frozenset().union(*(extraction.truncated for extraction in extractions)),
    )
    return extraction, matrix


def _survey(store: Store, contents: Contents, view: View, reads: bool) -> _Survey:
    """Which files have to be read."""
    known = [sha256 for sha256 in contents.sha256s if sha256 is not None]
    with contents.timed("read"):
        if len(known) < len(contents.sha256s) or not reads:
            if contents.accept_truncated:
                contents.truncated |= store.photos(view.truncated_id)
            stored = store.photos(view.id) if reads else store.digests(view.id)
            stored |= contents.truncated
            wanted = [index for index, sha256 in enumerate(contents.sha256s) if sha256 not in stored]
            return _Survey(wanted, stored)
        matrix = scratch_matrix((len(known), store.dim), store.place.local_dir, store.dtype)
        _, found = store.get_many([Key(sha256, view.id) for sha256 in known], matrix)
        if contents.accept_truncated and not found.all():
            lacking = np.flatnonzero(~found)
            rows, truncated = store.get_many([Key(known[index], view.truncated_id) for index in lacking])
            matrix[lacking[truncated]] = rows[truncated]
            found[lacking[truncated]] = True
            contents.truncated.update(known[index] for index in lacking[truncated])
        return _Survey(np.flatnonzero(~found).tolist(), frozenset(), matrix)


def _matrix(
    filled: StoredMatrix | None, rows: Sequence[int], keys: Sequence[Key], store: Store, computed: int
) -> StoredMatrix:
    """The bottlenecks with these keys, which are the given rows of a matrix that may be filled already."""
    if filled is not None and not computed:
        return keep_rows(filled, rows)
    shape = (len(keys), store.dim)
    matrix = scratch_matrix(shape, store.place.local_dir, store.dtype) if filled is None else filled[: len(keys)]
    _, found = store.get_many(keys, matrix)
    if not found.all():
        raise StoreError(f"Bottlenecks vanished from {store.folder} while this ran: run the same command again.")
    return matrix
