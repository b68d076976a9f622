"""What a table of bottlenecks is, and how its rows are found by their keys; `retrain.core.sealed` keeps such tables."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from retrain.bottlenecks import probe
from retrain.core.places import Place
from retrain.core.sealed import Damaged, Shard

KEY_COLUMNS = ["photo_sha256", "view"]

Vectors = npt.NDArray[Any]


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


def open_shard(place: Place, name: str, fingerprint: str, schema: pa.Schema | None = None) -> Shard:
    """A shard that can be trusted: sound, written for this fingerprint, and with the columns of bottlenecks.

    Without a `schema` these may be of any length. Raises Damaged if it is not, FileNotFoundError if it has vanished,
    StoreError if it cannot be read.
    """
    shard = Shard(place, name)
    names = [*KEY_COLUMNS, "bottleneck"]
    if not (shard.schema.names == names if schema is None else shard.schema.equals(schema)):
        raise Damaged("its columns are not those of this store")
    if shard.metadata.get(b"retrain.fingerprint") != fingerprint.encode():
        raise Damaged("it was written for another fingerprint")
    return shard


def rows_of_photos(keys: pa.Table, sha256s: pa.Array) -> npt.NDArray[np.bool_]:
    """Which rows are those of some photos, or the probe's, which belongs to all of them."""
    chosen = pc.or_(pc.is_in(keys["photo_sha256"], value_set=sha256s), pc.equal(keys["view"], probe.VIEW))
    rows: npt.NDArray[np.bool_] = chosen.to_numpy()
    return rows


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


def generation(shard: Shard) -> int:
    """How often rows of a shard were merged."""
    return int(shard.metadata.get(b"retrain.generation", b"0"))


def united(shards: Iterable[Shard]) -> pa.Table:
    """The rows of shards as one table; a key that is in more than one is taken from the first."""
    table = pa.concat_tables(shard.read().replace_schema_metadata() for shard in shards)
    rows = first_rows(table)
    return table if len(rows) == table.num_rows else table.take(rows)


def groups(sizes: Mapping[str, int], most: int) -> Iterator[list[str]]:
    """Consecutive shards, of which the bytes are known, that fit into a full one of `most` bytes together."""
    group: list[str] = []
    total = 0
    for name, size in sizes.items():
        if group and total + size > most:
            yield group
            group, total = [], 0
        group.append(name)
        total += size
    yield group


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
