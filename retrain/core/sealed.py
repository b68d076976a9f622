"""Sealed shards: immutable Parquet files that prove their own content.

A shard's name carries the SHA-256 of its bytes, `[<prefix>-]<64 hex digits>.parquet`. Whoever reads
it hashes what was read, and parses only bytes that match; so a flipped byte anywhere (the footer
too, which the page checksums of Parquet do not cover), a cut tail and a torn write are all seen.
Equal content has equal names, and copying shards from one folder into another merges the two.
A copy in progress looks like damage: copy while no run is active, or rename the copies into place.

A shard appears whole or not at all (`retrain.core.places`): on a disk it is written to a temporary name, fsync'd
and renamed. Nothing here waits for a lock: the folder may lie on NFS or on a bind mount, where locks cannot be relied
upon, or on object storage, which has none.
"""

import errno
import logging
import re
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from label_image.files import reason_of, sha256_of_bytes
from retrain.core.errors import StoreError, UnwritableStoreError
from retrain.core.places import Place

ROW_GROUP_BYTES = 4 << 20  # small enough that the decoder reuses its memory: 3 x faster than 64 MB
log = logging.getLogger(__name__)
SEALED_NAME = re.compile(r"(?:(?P<prefix>[a-z-]+)-)?(?P<digest>[0-9a-f]{64})\.parquet")


class Damaged(Exception):
    """A shard whose bytes are not those that its name promises, or that Parquet cannot parse."""


class Shard:
    """One shard, verified and open for reading. The whole file is held in memory while this lives.

    Raises `Damaged`, `FileNotFoundError` (another process compacted it away) and `StoreError`.
    """

    def __init__(self, place: Place, name: str) -> None:
        self.place = place
        self.name = name
        data = _read_verified(place, name)
        self.size = len(data)
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


def read_shard(place: Place, name: str) -> pa.Table:
    """The table of a shard whose bytes match its name. Raises what `Shard` raises."""
    return Shard(place, name).read()


def write_shard(place: Place, table: pa.Table, prefix: str = "", compression: str = "none") -> str:
    """Seal a table into a place and return its name; there for good when this returns.

    Raises StoreError when the place cannot be written; nothing unfinished is then left behind.
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
    digest = sha256_of_bytes(data)
    name = f"{prefix}-{digest}.parquet" if prefix else f"{digest}.parquet"
    # Written even where the name exists already: the bytes under that name may be damaged.
    put_in_one_step(place, name, data)
    return name


def remove_shard(shard: Shard) -> None:
    """Remove a shard whose rows are kept elsewhere, or are not wanted. Raises StoreError."""
    try:
        shard.place.remove(shard.name)
    except OSError as error:
        raise UnwritableStoreError(
            f"{shard.place.at(shard.name)} cannot be removed ({reason_of(error)}): "
            "give this user the right to write in its folder."
        ) from error


def copy_shard(place: Place, name: str, target: Place) -> bool:
    """Copy a sound shard into another place; False where it is there already, and sound.

    Raises what `Shard` raises of the one that is copied, and StoreError when the place cannot be written.
    """
    data = _read_verified(place, name)
    try:
        if _read_verified(target, name) == data:
            return False
    except (Damaged, FileNotFoundError):
        pass
    put_in_one_step(target, name, data)
    return True


def put_in_one_step(place: Place, name: str, data: bytes | memoryview) -> None:
    """Replace or create a file so that readers see the old bytes or the new ones, never a mixture.

    Raises StoreError when the place cannot be written; nothing unfinished is then left behind.
    """
    try:
        place.put(name, data)
    except OSError as error:
        raise _cannot_write(place, len(data), error) from error


def put_aside(place: Place, name: str, why: str, into: Place | None = None) -> None:
    """Set a damaged shard aside, where that can be done, and say so."""
    path = place.at(name)
    log.warning("%s is set aside, %s.", path, why)
    try:
        place.set_aside(name, into)
    except (OSError, StoreError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else error
        log.warning("%s could not be renamed (%s); it is not read.", path, reason)


def list_shards(place: Place, prefix: str = "") -> dict[str, int]:
    """The shards of a place in the order of their names, with their bytes; none where there is no folder.

    Raises StoreError when the place cannot be read.
    """
    matches = ((name, size, SEALED_NAME.fullmatch(name)) for name, size in files_in(place))
    return {name: size for name, size, match in matches if match and (match["prefix"] or "") == prefix}


def other_files(place: Place) -> list[str]:
    """The files that are no shards: their names promise nothing, so nobody reads them."""
    return [name for name, _ in files_in(place) if not SEALED_NAME.fullmatch(name)]


def _read_verified(place: Place, name: str) -> bytes:
    """The bytes of a shard, hashed. Read twice before it is called damaged: a network file system
    may serve a torn read, and a writer may just be replacing a damaged file by a sound one."""
    match = SEALED_NAME.fullmatch(name)
    if not match:
        raise Damaged("its name is not a digest")
    for _ in range(2):
        try:
            data = place.read(name)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESTALE):
                raise FileNotFoundError(error.errno, "the shard has vanished", str(place.at(name))) from error
            if error.errno == errno.EIO:
                raise Damaged("the disk cannot read it") from error
            raise StoreError(
                f"{place.at(name)} cannot be read ({reason_of(error)}): give this user the right to read it, "
                "or move it out of the folder."
            ) from error
        if sha256_of_bytes(data) == match["digest"]:
            return data
    raise Damaged("its bytes do not match the digest in its name")


def files_in(place: Place) -> list[tuple[str, int]]:
    """The files of a place with their bytes, none where there is no folder. Raises StoreError if it cannot be read."""
    try:
        return place.names()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(
            f"The folder {place} cannot be read ({reason_of(error)}): "
            "give this user the right to read it, or choose another `bottleneck_dir`."
        ) from error


def _cannot_write(place: Place, size: int, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreError(
            f"The disk that holds {place} is full ({reason_of(error)}, {size / 1e6:.1f} MB to write): "
            "free some space and run the same command again, or choose another `bottleneck_dir`."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return UnwritableStoreError(
            f"The folder {place} cannot be written ({reason_of(error)}): "
            "give this user the right to write there, or choose another `bottleneck_dir`."
        )
    return StoreError(
        f"Writing into {place} failed ({reason_of(error)}): check that disk, or choose another `bottleneck_dir`."
    )
