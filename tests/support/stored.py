"""Stores with a vector for each number."""

import hashlib
from pathlib import Path

import numpy as np
from shard_files import list_shards

from retrain.bottlenecks.store import Key, Store

DIM = 4


COVERS = {"architecture": "fake", "weights": None, "input": [3, 3]}


def key(number: int, view: str = "original") -> Key:
    return Key(hashlib.sha256(str(number).encode()).hexdigest(), view)


def vector(number: int, dim: int = DIM) -> np.ndarray:
    return np.arange(dim, dtype=np.float32) + number


def put(store: Store, numbers: range | list[int]) -> None:
    store.put_many([key(n) for n in numbers], np.stack([vector(n, store.dim) for n in numbers]))


def served(store: Store, numbers: range | list[int]) -> list[int]:
    """Which numbers are served; each of them with its own vector."""
    matrix, found = store.get_many([key(n) for n in numbers])
    for number, row in zip(numbers, matrix, strict=True):
        if found[numbers.index(number)]:
            assert np.array_equal(row, vector(number, store.dim))
    return [number for number, is_there in zip(numbers, found, strict=True) if is_there]


def files(opened: Store) -> list[Path]:
    return list_shards(opened.folder)


def description(opened: Store) -> Path:
    """The file that says what the store's fingerprint covers."""
    return Path(opened.folder).with_suffix(".json")


def set_aside(opened: Store) -> list[Path]:
    """The store's shards that did not match their names."""
    return sorted((Path(opened.folder).parent / "damaged" / opened.fingerprint).glob("*.damaged"))


def put_in_pieces(opened: Store, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        put(opened, [number])
        opened.flush()
