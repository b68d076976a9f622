"""Sealed shards: immutable Parquet files that prove their own content.

A shard's name carries the SHA-256 of its bytes, `[<prefix>-]<64 hex digits>.parquet`. Whoever reads
it hashes what was read, and parses only bytes that match; so a flipped byte anywhere (the footer
too, which the page checksums of Parquet do not cover), a cut tail and a torn write are all seen.
Equal content has equal names, and copying shards from one folder into another merges the two.
A copy in progress looks like damage: copy while no run is active, or rename the copies into place.

A shard is written to a temporary name, fsync'd and renamed: nobody ever sees half of one. Nothing
here waits for a lock: the folder may lie on NFS or on a bind mount, where locks cannot be relied upon.
"""

import errno
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from label_image.files import sha256_of_bytes, write_in_one_step
from retrain.core.errors import StoreError, UnwritableStoreError
from retrain.core.places import LocalPlace, Place

ROW_GROUP_BYTES = 4 << 20  # small enough that the decoder reuses its memory: 3 x faster than 64 MB
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
    return folder / write_sealed(LocalPlace(folder), *seal(table, prefix, compression))


def seal(table: pa.Table, prefix: str = "", compression: str = "none") -> tuple[str, memoryview]:
    """A table as a shard: its name and its bytes."""
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
    digest = sha256_of_bytes(data)
    return (f"{prefix}-{digest}.parquet" if prefix else f"{digest}.parquet"), data


def write_sealed(place: Place, name: str, data: bytes | memoryview) -> str:
    """Put a shard into its place and return its name. Raises StoreError when that cannot be written."""
    # Written even where the name exists already: the bytes under that name may be damaged.
    try:
        place.put(name, data)
    except OSError as error:
        raise _cannot_write(place, len(data), error) from error
    return name


def copy_shard(path: Path, folder: Path) -> bool:
    """Copy a sound shard into another folder; False where it is there already, and sound.

    Raises what `Shard` raises of the one that is copied, and StoreError when the folder cannot be written.
    """
    data = _read_verified(path)
    copy = folder / path.name
    try:
        if _read_verified(copy) == data:
            return False
    except (Damaged, FileNotFoundError):
        pass
    write_atomically(copy, data)
    return True


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Replace or create a file so that readers see the old bytes or the new ones, never a mixture.

    Raises StoreError when the folder cannot be written; no temporary file is then left behind.
    """
    try:
        write_in_one_step(path, data, sync=True)
    except OSError as error:
        raise _cannot_write(path.parent, len(data), error) from error


def list_shards(folder: Path, prefix: str = "") -> list[Path]:
    """The shards of a folder in the order of their names; none where there is no folder.

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
        if sha256_of_bytes(data) == match["digest"]:
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
            "give this user the right to read it, or choose another `bottleneck_dir`."
        ) from error


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself, or to where one may not go
        return False


def _cannot_write(folder: Path | Place, size: int, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreError(
            f"The disk that holds {folder} is full ({error.strerror}, {size / 1e6:.1f} MB to write): "
            "free some space and run the same command again, or choose another `bottleneck_dir`."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return UnwritableStoreError(
            f"The folder {folder} cannot be written ({error.strerror}): "
            "give this user the right to write there, or choose another `bottleneck_dir`."
        )
    return StoreError(
        f"Writing into {folder} failed ({error.strerror}): check that disk, or choose another `bottleneck_dir`."
    )
