"""Sealed shards: immutable Parquet files that prove their own content.

A shard's name carries the SHA-256 of its bytes, `[<prefix>-]<64 hex digits>.parquet`. Whoever reads
it hashes what was read, and parses only bytes that match; so a flipped byte anywhere (the footer
too, which the page checksums of Parquet do not cover), a cut tail and a torn write are all seen.
Equal content has equal names, and copying shards from one folder into another merges the two.
A copy in progress looks like damage: copy while no run is active, or rename the copies into place.

A shard is written to a temporary name, fsync'd and renamed: nobody ever sees half of one. Nothing
here waits for a lock: the folder may lie on NFS or on a bind mount, where locks cannot be relied upon.

The second half says what a table of bottlenecks is, and finds its rows by their keys.
"""

import errno
import hashlib
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from label_image.files import write_in_one_step
from retrain.core.errors import StoreError, UnwritableStoreError

ROW_GROUP_BYTES = 4 << 20  # small enough that the decoder reuses its memory: 3 x faster than 64 MB
KEY_COLUMNS = ["photo_sha256", "view"]
SEALED_NAME = re.compile(r"(?:(?P<prefix>[a-z-]+)-)?(?P<digest>[0-9a-f]{64})\.parquet")


class Damaged(Exception):
    """A shard whose bytes are not those that its name promises, or that Parquet cannot parse."""


class Shard:
    """One shard, verified and open for reading. The whole file is held in memory while this lives.

    Raises `Damaged`, `FileNotFoundError` (another process compacted it away) and `StoreError`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        data = _read_verified(path)
        try:
            # The digest covers every byte, so that checking each page's checksum again buys nothing.
            self._file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=False)
            self.schema = self._file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise Damaged(f"it is not a Parquet file ({error})") from error
        self.rows: int = self._file.metadata.num_rows
        self.metadata: dict[bytes, bytes] = self.schema.metadata or {}

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole table, or some of its columns."""
        try:
            return self._file.read(columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise Damaged(f"its columns cannot be decoded ({error})") from error

    def row_groups(self) -> Iterator[tuple[int, int, int]]:
        """(number, first row, row after the last) of each row group, without reading it."""
        start = 0
        for group in range(self._file.num_row_groups):
            stop = start + self._file.metadata.row_group(group).num_rows
            yield group, start, stop
            start = stop

    def read_row_group(self, group: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One row group: about `ROW_GROUP_BYTES` of rows."""
        try:
            return self._file.read_row_group(group, columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise Damaged(f"row group {group} cannot be decoded ({error})") from error


def read_shard(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a shard whose bytes match its name. Raises what `Shard` raises."""
    return Shard(path).read(columns)


def write_shard(folder: Path, table: pa.Table, prefix: str = "", compression: str = "none") -> Path:
    """Seal a table into `folder` and return the path; on the disk for good when this returns.

    Raises StoreError when the folder cannot be written; no temporary file is then left behind.
    """
    row_bytes = max(1, table.nbytes // max(1, table.num_rows))
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression=compression,
        use_dictionary=[field.name for field in table.schema if field.name == "view"],
        write_statistics=False,
        write_page_checksum=True,
        row_group_size=max(1, ROW_GROUP_BYTES // row_bytes),
    )
    data = memoryview(sink.getvalue())  # Arrow's own buffer: no copy
    digest = hashlib.sha256(data).hexdigest()
    path = folder / (f"{prefix}-{digest}.parquet" if prefix else f"{digest}.parquet")
    # Written even where the name exists already: the bytes under that name may be damaged.
    write_atomically(path, data)
    return path


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Replace or create a file so that readers see the old bytes or the new ones, never a mixture.

    Raises StoreError when the folder cannot be written; no temporary file is then left behind.
    """
    try:
        write_in_one_step(path, data, sync=True)
    except OSError as error:
        raise _cannot_write(path.parent, len(data), error) from error


def set_aside(path: Path) -> Path:
    """Rename a damaged shard to `<name>.damaged`, out of every reader's sight; nothing is deleted.

    Another process may have done it first, which is fine. Raises OSError where the folder is
    read-only.
    """
    target = path.with_name(path.name + ".damaged")
    if target.exists():
        target = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.damaged")
    try:
        os.rename(path, target)
    except FileNotFoundError:
        return path.with_name(path.name + ".damaged")
    return target


def list_shards(folder: Path, prefix: str = "") -> list[Path]:
    """The shards of a folder in the order of their names; none where there is not a folder.

    Raises StoreError when the folder cannot be read.
    """
    matches = ((name, SEALED_NAME.fullmatch(name)) for name in _file_names(folder))
    return [folder / name for name, match in matches if match and (match["prefix"] or "") == prefix]


def foreign_files(folder: Path) -> list[Path]:
    """Parquet files that are no shards: their names promise nothing, so nobody reads them."""
    names = _file_names(folder)
    return [folder / n for n in names if n.endswith(".parquet") and not SEALED_NAME.fullmatch(n)]


def file_size(path: Path) -> int:
    """Bytes of a file, 0 if it has vanished."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


class Key(NamedTuple):
    """Whose bottleneck: a photo by its content, and which view of it was fed to the network."""

    photo_sha256: str
    view: str = "original"


def bottleneck_schema(dim: int, dtype: np.dtype[Any]) -> pa.Schema:
    """The columns of a table of bottlenecks."""
    number = pa.field("element", pa.from_numpy_dtype(dtype), nullable=False)
    return pa.schema(
        [
            pa.field("photo_sha256", pa.string(), nullable=False),
            pa.field("view", pa.string(), nullable=False),
            pa.field("bottleneck", pa.list_(number, dim), nullable=False),
        ]
    )


def key_table(keys: Iterable[Key]) -> pa.Table:
    """Keys as columns. Raises ValueError if a photo's hash is not 64 lower-case hex digits."""
    columns = list(zip(*keys, strict=True)) or [(), ()]
    table = pa.table([pa.array(column, pa.string()) for column in columns], names=KEY_COLUMNS)
    hexadecimal = pc.match_substring_regex(table["photo_sha256"], r"\A[0-9a-f]{64}\z")
    if not pc.all(hexadecimal, min_count=0).as_py():
        raise ValueError("a photo's key is its SHA-256, 64 lower-case hex digits")
    return table


def bottleneck_table(keys: pa.Table, vectors: npt.NDArray[Any], schema: pa.Schema) -> pa.Table:
    """Keys and their (n, dim) vectors as a table; it shares the vectors' memory."""
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), type=schema.field("bottleneck").type)
    return pa.table([*keys.columns, column], schema=schema)


class KeyIndex:
    """Where each key of a table is, by binary search: a key is a photo's hash and a view.

    Built and asked with tables that have the string columns `KEY_COLUMNS`; no Python object per row.
    Raises `Damaged` if a hash is not 64 bytes long.
    """

    def __init__(self, keys: pa.Table) -> None:
        photos = _digest_array(keys)
        self._by_view: dict[str, tuple[npt.NDArray[np.bytes_], npt.NDArray[np.intp]]] = {}
        for view, rows in _rows_by_view(keys):
            order = rows[np.argsort(photos[rows], kind="stable")]
            self._by_view[view] = photos[order], order

    def find(self, keys: pa.Table) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """All pairs (row of `keys`, row of the index) with equal keys, by ascending row of `keys`."""
        photos = _digest_array(keys)
        found_rows, found_places = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
        for view, rows in _rows_by_view(keys):
            if view not in self._by_view:
                continue
            sorted_photos, order = self._by_view[view]
            rows = rows[np.argsort(photos[rows])]  # searched for in order, neighbours lie in the cache: 4 times as fast
            asked = photos[rows]
            first = np.searchsorted(sorted_photos, asked, "left")
            counts = np.searchsorted(sorted_photos, asked, "right") - first
            # first, first + 1, ... first + count - 1 for each row, one after the other
            starts = np.cumsum(counts) - counts
            steps = np.arange(counts.sum()) + np.repeat(first - starts, counts)
            found_rows.append(np.repeat(rows, counts))
            found_places.append(order[steps])
        rows, places = np.concatenate(found_rows), np.concatenate(found_places)
        ascending = np.argsort(rows, kind="stable")
        return rows[ascending], places[ascending]


def first_rows(keys: pa.Table) -> npt.NDArray[np.intp]:
    """The rows, ascending, at which a key comes for the first time."""
    names = _one_array(pc.binary_join_element_wise(keys["photo_sha256"], keys["view"], "/"))
    codes = names.dictionary_encode().indices.to_numpy()
    return np.sort(np.unique(codes, return_index=True)[1])


def vector_array(table: pa.Table) -> npt.NDArray[Any]:
    """The column `bottleneck` as (n, dim), without a copy where it lies in one piece."""
    column = _one_array(table["bottleneck"])
    vectors: npt.NDArray[Any] = column.flatten().to_numpy()
    return vectors.reshape(len(column), column.type.list_size)


def _digest_array(keys: pa.Table) -> npt.NDArray[np.bytes_]:
    """The column `photo_sha256` as S64, (n,), over Arrow's memory."""
    column = _one_array(keys["photo_sha256"])
    if not pc.all(pc.equal(pc.binary_length(column), 64), min_count=0).as_py():
        raise Damaged("a photo's hash in it is not 64 digits long")
    data = column.buffers()[2]
    if len(column) == 0 or data is None:
        return np.empty(0, "S64")
    return np.frombuffer(data, "S64", count=len(column), offset=64 * column.offset)


def _rows_by_view(keys: pa.Table) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
    encoded = _one_array(keys["view"]).dictionary_encode()
    codes = encoded.indices.to_numpy()
    for code, view in enumerate(encoded.dictionary.to_pylist()):
        yield view, np.flatnonzero(codes == code)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece; `combine_chunks` would copy even a single chunk."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _read_verified(path: Path) -> bytes:
    """The bytes of a shard, hashed. Read twice before it is called damaged: a network file system
    may serve a torn read, and a writer may just be replacing a damaged file by a sound one."""
    match = SEALED_NAME.fullmatch(path.name)
    if not match:
        raise Damaged("its name is not a digest")
    for _ in range(2):
        try:
            data = path.read_bytes()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESTALE):
                raise FileNotFoundError(error.errno, "the shard has vanished", str(path)) from error
            if error.errno == errno.EIO:
                raise Damaged("the disk cannot read it") from error
            raise StoreError(
                f"{path} cannot be read ({error.strerror}): give this user the right to read it, "
                "or move it out of the folder."
            ) from error
        if hashlib.sha256(data).hexdigest() == match["digest"]:
            return data
    raise Damaged("its bytes do not match the digest in its name")


def _file_names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_file(entry))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(
            f"The folder {folder} cannot be read ({error.strerror}): "
            "give this user the right to read it, or choose another --bottleneck_dir."
        ) from error


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself, or to where one may not go
        return False


def _cannot_write(folder: Path, size: int, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreError(
            f"The disk that holds {folder} is full ({error.strerror}, {size / 1e6:.1f} MB to write): "
            "free some space and run the same command again, or choose another --bottleneck_dir."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return UnwritableStoreError(
            f"The folder {folder} cannot be written ({error.strerror}): "
            "give this user the right to write there, or choose another --bottleneck_dir."
        )
    return StoreError(
        f"Writing into {folder} failed ({error.strerror}): check that disk, or choose another --bottleneck_dir."
    )
