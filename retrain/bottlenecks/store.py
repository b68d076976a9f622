"""The bottleneck store: each photo's bottleneck is computed once and kept.

    <bottleneck_dir>/<fingerprint>/
        <sha256>.parquet        sealed shards (see `retrain.core.sealed`), together a table for any Parquet tool:
                                photo_sha256: string, 64 hex digits
                                view:         string, "original" unless augmented
                                bottleneck:   fixed_size_list<float32 | float16>[dim], never null

What the fingerprint covers, and shards that did not match their names, lie beside (`retrain.bottlenecks.beside`).

Existence is never proof of validity: a shard is served only if its bytes match its name, its
columns are the promised ones and it was written for this fingerprint. One that fails is set aside
by name, and its photos simply miss.

Any number of processes and machines may read and write at once, without locks: a writer only ever
adds a shard. Two writers may store the same key; any one of the rows is served. Compaction merges
small shards into one of a higher *generation*, and unlinks the small ones once that one is on the
disk. Since the reason to unlink a shard is always a shard of a higher generation, two compactors
can never take each other's result for the reason to delete the last copy of a row. A reader whose
shard has vanished lists the folder again, and finds the row in the merged one.

A kill -9 loses the rows put in since the last flush: about the last 5 seconds of work.
"""

import errno
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from label_image.files import reason_of
from retrain.bottlenecks import digests
from retrain.bottlenecks.beside import damaged_of, move_out
from retrain.bottlenecks.digests import Digests
from retrain.bottlenecks.fingerprint_file import fingerprint, open_folder
from retrain.bottlenecks.shard_writer import ShardWriter
from retrain.bottlenecks.shards import (
    KEY_COLUMNS,
    Key,
    KeyIndex,
    Vectors,
    bottleneck_schema,
    generation,
    groups,
    key_table,
    open_shard,
    opened_ahead,
    rows_of_photos,
    united,
    vector_array,
)
from retrain.core.errors import StoreError, UnwritableStoreError
from retrain.core.matrix_file import release_pages
from retrain.core.places import Place, place_of
from retrain.core.sealed import Damaged, Shard, list_shards, other_files, put_aside, remove_shard

__all__ = ["Key", "PruneReport", "Store", "fingerprint"]

FLUSH_SECONDS = 5.0
SHARD_BYTES = 64 << 20  # a full shard; also the most that put_many buffers
SMALL_SHARD_BYTES = SHARD_BYTES // 2
SMALL_SHARDS = 16  # more small ones than this are merged
AHEAD = 4  # shards that are fetched from object storage in advance
MOST_REMOTE = 256  # small ones on object storage, which the end of a run may take the time to merge

log = logging.getLogger(__name__)


@dataclass
class PruneReport:
    """How many rows `Store.prune` kept and removed."""

    kept: int = 0
    removed: int = 0


class Store(AbstractContextManager["Store"]):
    """The bottlenecks of one fingerprint. For one thread; any number of processes.

    Opening removes what killed writers left behind, and merges small shards.
    Raises StoreError where the folder cannot be used, or was made for something else.
    """

    def __init__(
        self,
        bottleneck_dir: Path | str | Place,
        covers: Mapping[str, object],
        dim: int,
        dtype: str = "float32",
    ) -> None:
        if dim < 1 or dtype not in ("float32", "float16"):
            raise ValueError(f"no bottleneck can be {dtype}[{dim}]")
        self.fingerprint = fingerprint(covers)
        self.bottleneck_dir = place_of(bottleneck_dir)
        self.place = self.bottleneck_dir.below(self.fingerprint)
        self.dim = dim
        self.dtype = np.dtype(dtype)
        self.set_aside = 0  # shards that this process has set aside
        self._schema = bottleneck_schema(dim, self.dtype)
        self._buffer: list[pa.Table] = []
        self._writer = ShardWriter(self.place, self.fingerprint, dim, dtype)
        self._buffered_bytes = 0
        self._buffered_since = 0.0
        description = {"covers": dict(covers), "dim": dim, "dtype": dtype}
        open_folder(self.bottleneck_dir, self.fingerprint, description, self._holds_others)
        others = other_files(self.place)
        move_out(self.bottleneck_dir, self.fingerprint, others)
        for name in (name for name in others if name.endswith(".parquet")):
            log.warning("%s is ignored: its name is not the digest of a bottleneck shard.", self.place.at(name))
        self.place.tidy()
        if self.place.is_local:  # elsewhere this takes long, and many open a store at once
            self.compact()

    @property
    def folder(self) -> Path | str:
        """Where these bottlenecks lie: a path, or an address."""
        return self.place.where

    def __exit__(self, error_type: object, *_: object) -> None:
        if error_type is None:
            self.close()
        else:
            self.flush()  # what was computed is kept, without the delay of merging

    def get_many(self, keys: Sequence[Key], out: Vectors | None = None) -> tuple[Vectors, npt.NDArray[np.bool_]]:
        """The bottlenecks of `keys`: a matrix (n, dim), and a mask (n,) of those that were found.

        One pass over the shards; beside the matrix it needs about 150 MB and 100 bytes a key.
        `out`, (n, dim) and maybe a memmap, is filled and returned; without it a matrix of the
        stored dtype is made. Rows that are not found hold nothing of meaning. The same key may be
        asked for more than once.
        """
        shape = (len(keys), self.dim)
        if out is not None and out.shape != shape:
            raise ValueError(f"out is {out.shape}, {len(keys)} keys need {shape}")
        matrix = np.zeros(shape, self.dtype) if out is None else out
        found = np.zeros(len(keys), np.bool_)
        if not keys:
            return matrix, found
        wanted = KeyIndex(key_table(keys))
        for table in self._buffer:
            rows, places = wanted.find(table)
            matrix[places] = vector_array(table)[rows]
            found[places] = True
        for shard in self._shards():
            with self._setting_aside(shard.name):
                self._copy_rows(shard, wanted, matrix, found)
            release_pages(matrix)
            if found.all():
                break
        return matrix, found

    def photos(self, view: str = "original") -> frozenset[str]:
        """The SHA-256 of each photo that has a bottleneck here. Reads every shard, for their keys alone."""
        tables = list(self._buffer)
        for shard in self._shards():
            with self._setting_aside(shard.name):
                tables.append(shard.read(KEY_COLUMNS))
        chosen = (table.filter(pc.equal(table["view"], view))["photo_sha256"] for table in tables)
        return frozenset(chain.from_iterable(column.to_pylist() for column in chosen))

    def digests(self, view: str = "original") -> Digests:
        """As `photos`, in little memory; shards that this process has read before are believed to be as they were."""
        parts = [digests.beginnings(table, view) for table in self._buffer]
        names: list[str] = []

        def unknown() -> Iterator[str]:
            for name in self._names():
                names.append(name)
                found = digests.remembered(self.place, name, view)
                if found is None:
                    yield name
                else:
                    parts.append(found)

        for name, opened in self._ahead(unknown()):
            with suppress(FileNotFoundError), self._setting_aside(name):
                parts.append(digests.remember(self.place, name, view, opened()))
        digests.forget_all_but(self.place, names)
        return digests.united(parts)

    def put_many(self, keys: Sequence[Key], vectors: Vectors) -> None:
        """Keep the bottlenecks (n, dim) of `keys`, converted to the stored dtype and copied.

        They wait in memory until the oldest of them is 5 s old at a call, 64 MB are waiting, or
        `flush` or `close` is called; `get_many` sees them at once. Raises StoreError, and keeps
        none of them, if the shape is wrong or a number is not finite; and if a flush fails, see
        there.
        """
        table = self._writer.table(keys, vectors)
        if not keys:
            return
        if not self._buffer:
            self._buffered_since = time.monotonic()
        self._buffer.append(table)
        self._buffered_bytes += table.nbytes
        waited = time.monotonic() - self._buffered_since
        if waited >= FLUSH_SECONDS or self._buffered_bytes >= SHARD_BYTES:
            self.flush()

    def put_into_every_shard(self, keys: Sequence[Key], vectors: Vectors) -> None:
        """Write these few rows into each shard from here on: whichever shards are lost, the others have them."""
        self._writer = replace(self._writer, extra_keys=tuple(keys), extra_vectors=np.array(vectors, self.dtype))

    def writer(self) -> ShardWriter:
        """What other processes need to add shards of their own, with the rows that go into every shard."""
        return self._writer

    def check_writable(self) -> None:
        """Raise UnwritableStoreError, before anything is computed, if it could not be kept here."""
        try:
            self.place.try_writing()
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise UnwritableStoreError(
                    f"Bottlenecks are missing in {self.folder}, and new ones cannot be kept there "
                    f"({reason_of(error)}): give this user the right to write there, or choose another "
                    "`bottleneck_dir`."
                ) from error

    def flush(self) -> None:
        """Write the waiting rows; when this returns they survive a kill and a power cut.

        Raises StoreError if they cannot be written: they stay in memory, and a later flush may succeed.
        """
        if not self._buffer:
            return
        table = pa.concat_tables(self._buffer)
        pieces = max(1, round(table.nbytes / SHARD_BYTES))
        rows = -(-table.num_rows // pieces)
        for start in range(0, table.num_rows, rows):
            self._writer.write_with_extra(table.slice(start, rows))
        self._buffer.clear()
        self._buffered_bytes = 0

    def close(self) -> None:
        """Flush, then merge small shards. Raises what `flush` raises; may be called again."""
        self.flush()
        self.compact()

    def scan(self) -> Iterator[tuple[list[Key], Vectors]]:
        """Every flushed row, some MB at a time: the keys and their matrix (n, dim).

        A key that was stored twice, or merged by another process meanwhile, may come twice.
        """
        for shard in self._shards():
            with self._setting_aside(shard.name):
                for group, _, _ in shard.row_groups():
                    table = shard.read_row_group(group)
                    columns = (table[name].to_pylist() for name in KEY_COLUMNS)
                    yield [Key(*key) for key in zip(*columns, strict=True)], vector_array(table)

    def prune(self, keep_keys: Sequence[Key]) -> PruneReport:
        """Remove all rows but those of `keep_keys`. Files set aside or foreign are not touched.

        Rows that another process is compacting meanwhile may survive. Raises what `flush` raises.
        """
        keep = KeyIndex(key_table(keep_keys))
        return self._prune(lambda keys: np.unique(keep.find(keys)[0]))

    def prune_to_photos(self, sha256s: Set[str]) -> PruneReport:
        """Remove all rows but the probe's and those of these photos, in every view; as `prune` does."""
        kept = pa.array(sorted(sha256s), pa.string())
        return self._prune(lambda keys: np.flatnonzero(rows_of_photos(keys, kept)))

    def _prune(self, rows_to_keep: Callable[[pa.Table], npt.NDArray[np.intp]]) -> PruneReport:
        self.flush()
        report = PruneReport()
        written: set[str] = set()
        for shard in self._shards():
            if shard.name in written:
                continue
            with self._setting_aside(shard.name):
                rows = rows_to_keep(shard.read(KEY_COLUMNS))
                if len(rows) < shard.rows:
                    if len(rows):
                        written.add(self._write(shard.read().take(rows), generation(shard) + 1))
                    remove_shard(shard)
                report.kept += len(rows)
                report.removed += shard.rows - len(rows)
        return report

    def compact(self) -> None:
        """Merge small shards where there are more than 16. Never fails: small shards do no harm.

        On object storage more than 256 are left to `retrain store compact`: that many take a while.
        """
        try:
            small = self._small_shards()
            if SMALL_SHARDS < len(small) <= MOST_REMOTE or (len(small) > MOST_REMOTE and self.place.is_local):
                self._merge_small(small)
            elif len(small) > MOST_REMOTE:
                log.info("%s has %d small shards; `retrain store compact` unites them.", self.folder, len(small))
        except FileNotFoundError:
            log.debug("Another process is merging the shards of %s.", self.folder)
        except (Damaged, StoreError, OSError) as error:
            log.warning("The small shards of %s could not be merged: %s", self.folder, error)

    def compact_all(self) -> None:
        """Merge all small shards.

        About 600 MB of memory, whatever the size of the store. Where other processes merge them, too, what is left is
        looked at again. Raises StoreError; interrupted at any moment, no row is lost.
        """
        while len(small := self._small_shards()) > 1:
            try:
                self._merge_small(small)
            except FileNotFoundError:
                continue  # others have merged it; what they made of it is in the next listing
            except OSError as error:
                raise StoreError(f"The shards of {self.folder} could not be merged: {error}.") from error
            if len(self._small_shards()) >= len(small):
                break

    def _small_shards(self) -> dict[str, int]:
        return {name: size for name, size in list_shards(self.place).items() if size < SMALL_SHARD_BYTES}

    def _merge_small(self, small: Mapping[str, int]) -> None:
        for group in groups(small, SHARD_BYTES):
            self._merge(group)

    def _merge(self, names: Sequence[str]) -> None:
        """One shard out of several; a key that is in more than one is taken from the first."""
        shards: list[Shard] = []
        for name, opened in self._ahead(names):
            with self._setting_aside(name):
                shards.append(opened())
        if len(shards) < 2:
            return
        self._write(united(shards), 1 + max(map(generation, shards)))
        for shard in shards:
            self.place.remove(shard.name)

    def _copy_rows(self, shard: Shard, wanted: KeyIndex, matrix: Vectors, found: npt.NDArray[np.bool_]) -> None:
        """Copy what a shard holds of the wanted rows into the matrix, a row group at a time."""
        rows, places = wanted.find(shard.read(KEY_COLUMNS))
        fresh = ~found[places]
        rows, places = rows[fresh], places[fresh]
        for group, start, stop in shard.row_groups():
            first, last = np.searchsorted(rows, (start, stop))
            if first < last:
                vectors = vector_array(shard.read_row_group(group, ["bottleneck"]))
                matrix[places[first:last]] = vectors[rows[first:last] - start]
        found[places] = True

    def _shards(self) -> Iterator[Shard]:
        """Open each sound shard once."""
        for name, opened in self._ahead(self._names()):
            with suppress(FileNotFoundError), self._setting_aside(name):
                yield opened()

    def _ahead(self, names: Iterable[str]) -> Iterator[tuple[str, Callable[[], Shard]]]:
        """Names with what opens each; on object storage, where each answer takes a while, some are opened before."""
        return opened_ahead(names, self._open, 0 if self.place.is_local else AHEAD)

    def _names(self) -> Iterator[str]:
        """Each shard once. Lists the folder until nothing new shows up: a shard that another
        process merged away since it was listed is replaced by one in the next listing."""
        seen: set[str] = set()
        while fresh := [name for name in list_shards(self.place) if name not in seen]:
            for name in fresh:
                seen.add(name)
                yield name

    def _open(self, name: str) -> Shard:
        """A shard that can be trusted; see `open_shard`."""
        return open_shard(self.place, name, self.fingerprint, self._schema)

    @contextmanager
    def _setting_aside(self, name: str) -> Iterator[None]:
        """Rename a shard that turns out to be damaged, count it, and go on without it."""
        try:
            yield
        except Damaged as why:
            self.set_aside += 1
            damaged = damaged_of(self.bottleneck_dir, self.fingerprint)
            put_aside(self.place, name, f"its bottlenecks will be computed again: {why}", damaged)

    def _write(self, table: pa.Table, generation: int) -> str:
        return self._writer.write_table(table, generation)

    def _holds_others(self) -> bool:
        """Whether the shards here are not those of this store: the first sound one tells."""
        for name in list_shards(self.place):
            with suppress(Damaged, FileNotFoundError):
                Shard(self.place, name)
                try:
                    self._open(name)
                except Damaged:
                    return True
                return False
        return False
