"""The side table (path, size, mtime_ns, inode, ctime_ns) -> SHA-256: saves reading unchanged photos again.

One sealed shard in the bottleneck folder, `photo-hashes-<sha256>.parquet`, with the columns
path (binary, UTF-8; bytes that are no text keep their surrogates), size, mtime_ns, inode, read_ns
(int64), photo_sha256 (string) and ctime_ns (int64). It is rewritten as a whole and never changed in
place; where two processes saved at once there are several for a while, and their union counts.

The change time is what no program can put back: writing into a photo, replacing it and recreating it
all set it, whatever is then done to its modification time. So do renaming, linking and `chmod`, which
cost one more reading. Tables of before it was kept have rows without one (null): they are served if the
photo's change time is well before it was read. Where a file system keeps no change time (FAT, some
network and FUSE file systems, Windows), a photo that is replaced by another one of the same size,
modification time and inode is not seen; `--paranoid` is for that.

The table only ever saves work. Losing it, or a row of it, means that photos are read again.
"""

import functools
import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from label_image.files import reason_of
from label_image.not_paths import is_object_address
from retrain.core.errors import StoreError
from retrain.core.places import Place, place_of
from retrain.core.sealed import Damaged, list_shards, put_aside, read_shard, write_shard

PREFIX = "photo-hashes"
RACY_NS = 2_000_000_000  # the coarsest clock of a file system (FAT): two writes may look like one
SCHEMA = pa.schema(
    [
        pa.field("path", pa.binary(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("inode", pa.int64(), nullable=False),
        pa.field("read_ns", pa.int64(), nullable=False),
        pa.field("photo_sha256", pa.string(), nullable=False),
        pa.field("ctime_ns", pa.int64()),  # last, and null in rows of tables that had no such column
    ]
)
SCHEMA_WITHOUT_CTIME = SCHEMA.remove(SCHEMA.get_field_index("ctime_ns"))
UNKNOWN = -(2**63)  # a change time that is null, in memory
log = logging.getLogger(__name__)

# size, mtime_ns, inode, read_ns, photo_sha256, ctime_ns
Row = tuple[int, int, int, int, str, int]


class PhotoHashes:
    """The hashes of the photos that were read before. A missing or damaged table is an empty one.

    Raises StoreError if the folder exists but cannot be read.
    """

    def __init__(self, bottleneck_dir: Path | str | Place) -> None:
        self.place = place_of(bottleneck_dir)
        self.set_aside = 0  # damaged tables that this process has set aside
        self._new: dict[bytes, Row] = {}
        self.place.tidy()
        self._use(self._read_all()[0])

    def _is_needed(self, name: str) -> bool:
        """Whether a file may have rows that are looked up here."""
        return True

    def _needed(self, name: str, table: pa.Table) -> pa.Table:
        """Of the rows of a file those that may be looked up here."""
        return table

    def lookup(
        self,
        paths: Sequence[str],
        sizes: npt.NDArray[np.int64],
        mtimes_ns: npt.NDArray[np.int64],
        inodes: npt.NDArray[np.uint64],
        ctimes_ns: npt.NDArray[np.int64],
    ) -> list[str | None]:
        """The hash of each photo, given by its absolute path, that is known to be unchanged; else None.

        Its size, modification time, inode and change time, all arrays (n,), must be as they were recorded.
        """
        names = encoded_paths(paths)
        stats = np.stack([sizes, mtimes_ns, inodes.view(np.int64)], axis=1)
        rows = pc.index_in(names, value_set=self._paths).fill_null(-1).to_numpy()
        same = rows >= 0
        same[same] = (self._stats[rows[same]] == stats[same]).all(axis=1)
        same[same] = self._have_not_changed(rows[same], ctimes_ns[same])
        sha256s: list[str | None] = self._sha256.take(pa.array(rows, mask=~same)).to_pylist()
        if self._new:
            for index, new in enumerate(map(self._new.get, names.to_pylist())):
                if new is not None:
                    now = (*stats[index].tolist(), int(ctimes_ns[index]))
                    sha256s[index] = new[4] if (*new[:3], new[5]) == now else None
        return sha256s

    def record(
        self,
        path: str,
        size: int,
        mtime_ns: int,
        sha256: str,
        *,
        inode: int,
        ctime_ns: int,
        read_ns: int | None = None,
    ) -> None:
        """Remember a hash. The stats are those taken *before* the photo was read.

        `read_ns` is the time (`time.time_ns()`) just before it was read, by default now. A photo
        that was modified or changed less than 2 s before is not remembered: a later write within the same
        tick of the file system's clock would go unseen.
        """
        if not os.path.isabs(path) and not is_object_address(path):
            raise ValueError(f"{path!r} is not an absolute path")
        read_ns = time.time_ns() if read_ns is None else read_ns
        if max(mtime_ns, ctime_ns) <= read_ns - RACY_NS:
            self._new[_encode(path)] = (size, mtime_ns, _int64(inode), read_ns, sha256, ctime_ns)

    def save(self) -> None:
        """Write the table, with what other processes have saved since; nothing new, no writing.

        Where two processes save at the same moment both tables stay, and the next save unites them.
        Raises StoreError if the folder cannot be written; the rows are kept for another try.
        """
        if not self._new:
            return
        try:
            self.place.make()
        except OSError as error:
            raise StoreError(
                f"The folder {self.place} cannot be made ({reason_of(error)}): choose another `bottleneck_dir`."
            ) from error
        self._use(self._written())
        self._new.clear()

    def _written(self) -> pa.Table:
        """What is known now, of which the new rows are written."""
        table, read = self._read_all()
        table = newest_rows(pa.concat_tables([table, self._new_table()]))
        written = write_shard(self.place, table, PREFIX, compression="zstd")
        for name in read:
            if name != written:
                with suppress(OSError, StoreError):  # another user's: it stays, and counts beside this one
                    self.place.remove(name)
        return table

    def save_if_possible(self) -> None:
        """Save; a table that cannot be written is a warning, one for each folder, as it only saves work."""
        try:
            self.save()
        except StoreError as error:
            cause = error.__cause__
            reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error)
            _warn_once(str(self.place), reason)

    def _use(self, table: pa.Table) -> None:
        """Keep a table as arrays: a tenth of the memory of Python's objects."""
        self._paths = table["path"].combine_chunks()
        columns = [table[name].to_numpy() for name in ("size", "mtime_ns", "inode")]
        self._stats: npt.NDArray[np.int64] = np.stack(columns, axis=1)
        self._ctimes_ns: npt.NDArray[np.int64] = table["ctime_ns"].fill_null(UNKNOWN).to_numpy()
        self._read_ns: npt.NDArray[np.int64] = table["read_ns"].to_numpy()
        self._sha256 = table["photo_sha256"].combine_chunks()

    def _have_not_changed(self, rows: npt.NDArray[np.int64], ctimes_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether photos with these change times are those that the rows were read from."""
        recorded = self._ctimes_ns[rows]
        unchanged: npt.NDArray[np.bool_] = recorded == ctimes_ns
        old = recorded == UNKNOWN
        if old.any():
            unchanged[old] = ctimes_ns[old] <= self._read_ns[rows[old]] - RACY_NS
        return unchanged

    def _read_all(self) -> tuple[pa.Table, list[str]]:
        """The union of the tables in the folder, and the files that it comes from."""
        tables, names = [], []
        for name in filter(self._is_needed, list_shards(self.place, PREFIX)):
            try:
                table = read_shard(self.place, name)
                if table.schema.equals(SCHEMA_WITHOUT_CTIME):
                    table = pa.table([*table.columns, pa.nulls(len(table), pa.int64())], schema=SCHEMA)
                if not table.schema.equals(SCHEMA):
                    raise Damaged("its columns are not those of a table of hashes")
            except FileNotFoundError:
                continue  # another process has just united it with its own; that is only lost work
            except Damaged as why:
                self.set_aside += 1
                put_aside(self.place, name, f"photos will be read again: {why}")
                continue
            tables.append(self._needed(name, table))
            names.append(name)
        if len(tables) == 1:
            return tables[0], names
        return newest_rows(pa.concat_tables([SCHEMA.empty_table(), *tables])), names

    def _new_table(self) -> pa.Table:
        columns = [list(self._new), *zip(*self._new.values(), strict=True)]
        arrays = [pa.array(column, kind.type) for column, kind in zip(columns, SCHEMA, strict=True)]
        return pa.table(arrays, schema=SCHEMA)


@functools.cache
def _warn_once(folder: str, reason: str) -> None:
    log.warning("The hashes of these photos cannot be kept in %s (%s): the next run reads them again.", folder, reason)


def newest_rows(table: pa.Table) -> pa.Table:
    """One row for each path: the one that was read last; in its path's order of appearance."""
    codes = table["path"].combine_chunks().dictionary_encode().indices.to_numpy()
    if len(codes) == 0 or len(codes) == codes.max() + 1:
        return table
    by_path_and_age = np.lexsort((table["read_ns"].to_numpy(), codes))
    last_of_path = np.append(np.diff(codes[by_path_and_age]) != 0, True)
    return table.take(by_path_and_age[last_of_path])


def _encode(path: str) -> bytes:
    """Any string as bytes, one to one: names on Linux need not be text (they hold surrogates)."""
    return path.encode("utf-8", "surrogatepass")


def encoded_paths(paths: Sequence[str]) -> pa.BinaryArray:
    try:
        return pa.array(paths, pa.string()).cast(pa.binary())
    except UnicodeEncodeError:
        return pa.array([_encode(path) for path in paths], pa.binary())


def _int64(number: int) -> int:
    """An inode may use all 64 bits; the column is signed."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
