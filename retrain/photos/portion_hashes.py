"""The side table of hashes for those who work on very many photos a portion after the other.

What is new of a portion becomes a table of its own beside the others, which are neither read as a whole nor written
again. Photos are listed in the order of their paths, so that each table speaks of a stretch of them: one that has no
path of a portion is read once, and not again. Whoever loads all of the table later unites them (`PhotoHashes.save`).
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from retrain.core.places import Place
from retrain.core.sealed import write_shard
from retrain.photos.dataset import PhotoFile
from retrain.photos.hashes import PREFIX, PhotoHashes, encoded_paths, newest_rows
from retrain.photos.reading import absolute_paths

Stretches = dict[str, tuple[bytes, bytes]]  # the first and last path of each file that was read, by its name


class PortionHashes(PhotoHashes):
    """The hashes of the files of a portion that were read before; `stretches` go from one portion to the next."""

    def __init__(self, place: Place, files: Sequence[PhotoFile], stretches: Stretches) -> None:
        self._wanted = encoded_paths(absolute_paths([file.path for file in files]))
        self._stretches = stretches
        self._span = _span(self._wanted)
        super().__init__(place)

    def _is_needed(self, name: str) -> bool:
        if name not in self._stretches:
            return True
        (first, last), (begin, end) = self._stretches[name], self._span
        return first <= end and begin <= last

    def _needed(self, name: str, table: pa.Table) -> pa.Table:
        self._stretches[name] = _span(table["path"])
        return table.filter(pc.is_in(table["path"], value_set=self._wanted))

    def _use(self, table: pa.Table) -> None:
        self._known = table
        super()._use(table)

    def _written(self) -> pa.Table:
        new = self._new_table()
        self._stretches[write_shard(self.place, new, PREFIX, compression="zstd")] = _span(new["path"])
        return newest_rows(pa.concat_tables([self._known, new]))


def _span(paths: pa.Array | pa.ChunkedArray) -> tuple[bytes, bytes]:
    """The first and the last of some paths; of none what no path is between."""
    if not len(paths):
        return b"\xff", b""
    found = pc.min_max(paths)
    return found["min"].as_py(), found["max"].as_py()
