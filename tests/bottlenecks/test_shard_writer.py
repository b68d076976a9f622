"""What other processes write into a store is served by it."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from shard_files import read_shard
from stored import COVERS, DIM, files, key, put, served, vector

from retrain.bottlenecks.store import Store
from retrain.core.errors import StoreError


def test_a_shard_that_another_process_wrote_is_served(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    writer = pickle.loads(pickle.dumps(opened.writer()))
    name = writer.write([key(1), key(2)], np.stack([vector(1), vector(2)]))
    assert [path.name for path in files(opened)] == [name]
    assert served(opened, [1, 2, 3]) == [1, 2]


def test_what_goes_into_every_shard_goes_into_those_too(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    opened.put_into_every_shard([key(9, "probe")], vector(9)[np.newaxis])
    opened.writer().write([key(1)], vector(1)[np.newaxis])
    (path,) = files(opened)
    assert read_shard(path)["view"].to_pylist() == ["original", "probe"]


def test_the_same_rows_are_the_same_file_whoever_writes_them(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    name = opened.writer().write([key(1)], vector(1)[np.newaxis])
    put(opened, [1])
    opened.flush()
    assert [path.name for path in files(opened)] == [name]


def test_what_is_no_bottleneck_is_refused(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM, "float16")
    with pytest.raises(StoreError, match="does not fit"):
        opened.writer().write([key(1)], np.zeros((1, DIM + 1), np.float32))
    with pytest.raises(StoreError, match="not finite as float16"):
        opened.writer().write([key(1)], np.full((1, DIM), 1e5, np.float32))
    assert files(opened) == []
