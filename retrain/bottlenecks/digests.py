"""Which contents a store has, at 32 bytes each; a set of texts takes five times that.

Runs that go over very many photos a portion after the other ask this for each portion. The shards never change, so what
was in one of them, once it was read and found sound, is remembered while the process lives.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from retrain.bottlenecks.shards import KEY_COLUMNS
from retrain.core.places import Place
from retrain.core.sealed import Shard

DIGITS = 32  # of a hash, which tell contents apart: 128 bits
MOST_REMEMBERED = 16_000_000  # contents, of all shards: 512 MB

Beginnings = npt.NDArray[np.bytes_]  # the first DIGITS digits of hashes, S32 (n,)

_remembered: dict[tuple[str, str, str], Beginnings] = {}
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Digests:
    """Contents, by the sorted beginnings of their hashes."""

    sorted: Beginnings

    @classmethod
    def of(cls, sha256s: Iterable[str]) -> "Digests":
        """Those of some hashes."""
        return cls(np.sort(np.array([sha256[:DIGITS].encode() for sha256 in sha256s], f"S{DIGITS}")))

    def __len__(self) -> int:
        return len(self.sorted)

    def __contains__(self, sha256: object) -> bool:
        if not len(self.sorted):
            return False
        wanted = str(sha256)[:DIGITS].encode()
        place = int(np.searchsorted(self.sorted, wanted))
        return place < len(self.sorted) and bytes(self.sorted[place]) == wanted

    def __or__(self, others: Iterable[str]) -> "Digests":
        more = Digests.of(others)
        return united([self.sorted, more.sorted]) if len(more) else self


def united(parts: list[Beginnings]) -> Digests:
    """All contents of some parts, each once. The parts are best sorted: then this is one merge."""
    everything = np.concatenate([np.empty(0, f"S{DIGITS}"), *parts])
    everything.sort(kind="stable")
    first = np.append(True, everything[1:] != everything[:-1])[: len(everything)]
    return Digests(everything if first.all() else everything[first])


def beginnings(keys: pa.Table, view: str) -> Beginnings:
    """Those of the photos of one view in a table with KEY_COLUMNS, sorted."""
    chosen = keys.filter(pc.equal(keys["view"], view))["photo_sha256"]
    cut = pc.utf8_slice_codeunits(chosen, 0, DIGITS).combine_chunks()
    found = np.array(cut.to_numpy(zero_copy_only=False), f"S{DIGITS}")
    found.sort()
    return found


def of_shard(place: Place, name: str, view: str, opened: Callable[[], Shard]) -> Beginnings:
    """The contents that a shard has of one view; it is opened where that is not known. Raises what `opened` raises."""
    key = (str(place), name, view)
    with _lock:
        found = _remembered.get(key)
    if found is None:
        found = beginnings(opened().read(KEY_COLUMNS), view)
        with _lock:
            if sum(map(len, _remembered.values())) + len(found) <= MOST_REMEMBERED:
                _remembered[key] = found
    return found


def forget_all_but(place: Place, names: Iterable[str]) -> None:
    """Of a place, only these shards are there any more."""
    there = set(names)
    with _lock:
        for key in [key for key in _remembered if key[0] == str(place) and key[1] not in there]:
            del _remembered[key]
