"""A store on an object server that is behind a failing proxy; for tests, and to be run as a process of its own.

python object_stores.py write|compact|extract ADDRESS FIRST LAST
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from failing_proxy import FailingProxy, failing_proxy
from object_server import ObjectServer, environment_for, object_server
from stored import COVERS, DIM, key, put_in_pieces, vector

from label_image import object_storage
from retrain.bottlenecks.compaction import compact_store
from retrain.bottlenecks.store import Store


@dataclass
class Storage:
    """The server, and the proxy through which everybody speaks with it."""

    server: ObjectServer
    proxy: FailingProxy

    def keys(self, prefix: str = "") -> list[str]:
        """What is there, asked without the proxy."""
        pages = self.server.client().get_paginator("list_objects_v2").paginate(Bucket=self.server.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ()) if not item["Key"].endswith("/")]

    def shards(self, prefix: str = "") -> list[str]:
        """The shards among it."""
        return [name for name in self.keys(prefix) if name.endswith(".parquet")]


@contextmanager
def storage() -> Iterator[Storage]:
    """A server with an empty bucket, and what finds it in the environment of this process and its children."""
    with object_server() as server, failing_proxy(server.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in environment_for(proxy.endpoint).items():
            patch.setenv(name, value)
        object_storage.forget_connections()
        yield Storage(server, proxy)
    object_storage.forget_connections()


def rows(address: str) -> dict[tuple[str, str], np.ndarray]:
    """Every row of a store; a key that comes twice has the same numbers."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for keys, vectors in Store(address, COVERS, DIM).scan():
        for one, row in zip(keys, vectors, strict=True):
            assert np.array_equal(found.setdefault(one, row), row)
    return found


def holds(address: str, numbers: range) -> bool:
    """Whether these numbers, each with its own vector, and nothing else, are in a store."""
    found = rows(address)
    right = all(np.array_equal(found[key(number)], vector(number)) for number in numbers if key(number) in found)
    return right and set(found) == {key(number) for number in numbers}


def main(command: str, address: str, first: str, last: str) -> None:
    """One writer, in a process that may be killed."""
    opened = Store(address, COVERS, DIM)
    print("opened", flush=True)
    if command == "write":
        put_in_pieces(opened, int(last) - int(first), int(first))
        opened.close()
    else:
        compact_store(address)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    main(*sys.argv[1:])
