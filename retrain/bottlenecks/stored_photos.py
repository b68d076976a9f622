"""Which photos a store has, for runs that ask often: each shard is read once, and 32 bytes of a photo are held."""

from collections.abc import Iterable, Iterator, Set

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from retrain.bottlenecks.store import Store

DIGITS = 32  # of the 64 of a hash: 128 bits, of which no two of any number of photos are alike

Digests = npt.NDArray[np.bytes_]


class StoredPhotos(Set[str]):
    """The contents that have a bottleneck of one view in one store, by the first DIGITS digits of their hashes."""

    def __init__(self, view: str) -> None:
        self._view = view
        self._shards: set[str] = set()
        self._parts: list[Digests] = []  # sorted, each less than half as long as the one before

    def look(self, store: Store) -> None:
        """Take in the shards that are new since the last time."""
        for name, keys in store.keys_beside(self._shards):
            self._shards.add(name)
            self._add(_digests(keys.filter(pc.equal(keys["view"], self._view))["photo_sha256"]))

    def __contains__(self, sha256: object) -> bool:
        wanted = np.bytes_(str(sha256)[:DIGITS].encode())
        return any(_holds(part, wanted) for part in self._parts)

    def __iter__(self) -> Iterator[str]:
        return (digest.decode() for part in self._parts for digest in part.tolist())

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> frozenset[str]:  # type: ignore[override]
        """What unions with others are."""
        return frozenset(it)

    def _add(self, digests: Digests) -> None:
        if len(digests):
            self._parts.append(np.unique(digests))
        while len(self._parts) > 1 and 2 * len(self._parts[-1]) >= len(self._parts[-2]):
            last = self._parts.pop()
            self._parts[-1] = np.unique(np.concatenate([self._parts[-1], last]))


def _digests(column: pa.ChunkedArray) -> Digests:
    return np.array(pc.utf8_slice_codeunits(column, 0, DIGITS).to_pylist(), f"S{DIGITS}")


def _holds(part: Digests, wanted: np.bytes_) -> bool:
    place = int(np.searchsorted(part, wanted))
    return place < len(part) and bool(part[place] == wanted)
