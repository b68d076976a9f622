"""A store gives what was put into it, and nothing else."""

import logging
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shard_files import read_shard
from stored import COVERS, DIM, files, key, put, served, set_aside, vector

from label_image.files import temporary_folder
from retrain.bottlenecks import shards, store
from retrain.bottlenecks.store import Key, Store
from retrain.core.errors import StoreError


def test_rows_come_back_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    with Store(tmp_path, COVERS, DIM) as opened:
        put(opened, range(10))
    with Store(tmp_path, COVERS, DIM) as opened:
        matrix, found = opened.get_many([key(7), key(99), key(2), key(7), key(2, "flipped")])
    assert found.tolist() == [True, False, True, True, False]
    assert matrix.dtype == np.float32 and matrix.shape == (5, DIM)
    assert np.array_equal(matrix[[0, 2, 3]], np.stack([vector(7), vector(2), vector(7)]))


def test_views_are_told_apart(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    keys = [key(1), key(1, "flipped"), key(1, "crop:0.8"), key(2, "flipped")]
    opened.put_many(keys, np.stack([vector(10 * n) for n in range(4)]))
    for _ in range(2):
        matrix, found = opened.get_many(keys[::-1])
        assert found.all() and matrix[:, 0].tolist() == [30, 20, 10, 0]
        opened.flush()


def test_nothing_asked_nothing_put(tmp_path: Path) -> None:
    with Store(tmp_path, COVERS, DIM) as opened:
        opened.put_many([], np.empty((0, DIM), np.float32))
        matrix, found = opened.get_many([])
    assert matrix.shape == (0, DIM) and found.shape == (0,) and files(opened) == []


def test_waiting_rows_are_served_and_not_shared_with_the_caller(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    vectors = vector(1)[np.newaxis]
    opened.put_many([key(1)], vectors)
    vectors[:] = -1
    assert files(opened) == [] and served(opened, [1, 2]) == [1]


def test_out_is_filled(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put(opened, range(0, 20, 2))
    opened.flush()
    out = np.lib.format.open_memmap(tmp_path / "m.npy", "w+", np.float32, (20, DIM))
    matrix, found = opened.get_many([key(n) for n in range(20)], out)
    assert matrix is out and found.tolist() == [n % 2 == 0 for n in range(20)]
    out.flush()
    kept = np.load(tmp_path / "m.npy")
    assert all(np.array_equal(kept[n], vector(n)) for n in range(0, 20, 2))
    private = np.memmap(tmp_path / "m.npy", np.float32, "c", 0, (20, DIM))
    assert opened.get_many([key(2)] * 20, private)[0][19].tolist() == vector(2).tolist()
    with pytest.raises(ValueError, match="out is"):
        opened.get_many([key(1)], out)


def test_photos_are_those_with_a_bottleneck_of_the_view(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    assert opened.photos() == frozenset()
    put(opened, [1, 2])
    opened.flush()
    put(opened, [2, 3])
    opened.put_many([key(4, "probe")], np.stack([vector(4)]))
    assert opened.photos() == {key(number).photo_sha256 for number in (1, 2, 3)}
    assert opened.photos("probe") == {key(4).photo_sha256}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_files_are_plain_parquet(tmp_path: Path, dtype: str) -> None:
    with Store(tmp_path, COVERS, DIM, dtype) as opened:
        opened.put_many([key(1), key(2, "flipped")], np.ones((2, DIM), np.float64))
    (path,) = files(opened)
    table = pq.read_table(path, page_checksum_verification=True)
    number = pa.field("element", pa.from_numpy_dtype(dtype), nullable=False)
    wanted = [
        ("photo_sha256", pa.string()),
        ("view", pa.string()),
        ("bottleneck", pa.list_(number, DIM)),
    ]
    assert [(field.name, field.type) for field in table.schema] == wanted
    assert not any(field.nullable for field in table.schema)
    assert table["photo_sha256"].to_pylist() == [key(1).photo_sha256, key(2).photo_sha256]
    assert table["view"].to_pylist() == ["original", "flipped"]
    assert table["bottleneck"].to_pylist() == [[1.0] * DIM] * 2
    matrix, _ = Store(tmp_path, COVERS, DIM, dtype).get_many([key(1)])
    assert matrix.dtype == dtype


def test_the_wrong_dimension_or_dtype_harms_nothing(tmp_path: Path) -> None:
    with Store(tmp_path, COVERS, DIM) as opened:
        put(opened, [1])
    with pytest.raises(StoreError, match=r"float32\[5\]"):
        Store(tmp_path, COVERS, DIM + 1)
    with pytest.raises(StoreError, match="float16"):
        Store(tmp_path, COVERS, DIM, "float16")
    with pytest.raises(ValueError):
        Store(tmp_path, COVERS, 0)
    assert served(Store(tmp_path, COVERS, DIM), [1]) == [1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    vectors = np.zeros((3, DIM), np.float32)
    vectors[1, 2] = bad
    with pytest.raises(StoreError, match=key(1).photo_sha256):
        opened.put_many([key(n) for n in range(3)], vectors)
    assert served(opened, range(3)) == []


def test_what_overflows_float16_is_refused(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, 1, "float16")
    with pytest.raises(StoreError, match="not finite as float16"):
        opened.put_many([key(1)], np.array([[1e5]], np.float32))


@pytest.mark.parametrize("shape", [(2, DIM - 1), (1, DIM), (2 * DIM,), (2, DIM, 1)])
def test_a_wrong_shape_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    with pytest.raises(StoreError, match=f"holds bottlenecks of {DIM} numbers"):
        opened.put_many([key(1), key(2)], np.zeros(shape, np.float32))


def test_rows_are_flushed_when_the_oldest_is_five_seconds_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    opened = Store(tmp_path, COVERS, DIM)
    for seconds, count in [(0, 0), (4.9, 0), (5, 1), (9.9, 1), (14.8, 1), (14.9, 2)]:
        now = 1000.0 + seconds
        put(opened, [int(10 * seconds)])
        assert len(files(opened)) == count
    assert served(Store(tmp_path, COVERS, DIM), [0, 49, 50, 99, 148, 149]) == [
        0,
        49,
        50,
        99,
        148,
        149,
    ]


def test_rows_are_flushed_when_many_wait_and_in_shards_of_equal_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SHARD_BYTES", 10_000)
    opened = Store(tmp_path, COVERS, 25)
    put(opened, range(20))
    assert files(opened) == []
    put(opened, range(20, 300))
    counts = [pq.read_metadata(path).num_rows for path in files(opened)]
    assert len(counts) == 5 or len(counts) == 6
    assert sum(counts) == 300 and max(counts) - min(counts) <= len(counts)


def test_an_error_keeps_what_was_put(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Store(tmp_path, COVERS, DIM) as opened:
        put(opened, range(3))
        raise KeyboardInterrupt
    assert served(Store(tmp_path, COVERS, DIM), range(3)) == [0, 1, 2]


def test_a_shard_of_another_fingerprint_is_set_aside(tmp_path: Path) -> None:
    right, wrong = Store(tmp_path, COVERS, DIM), Store(tmp_path, {"weights": "others"}, DIM)
    wrong.put_many([key(1)], np.full((1, DIM), 666, np.float32))
    wrong.flush()
    for path in files(wrong):
        shutil.copy(path, right.folder)
    assert served(right, [1]) == [] and right.set_aside == 1
    assert files(right) == [] and len(set_aside(right)) == 1
    put(right, [1])
    right.flush()
    assert served(Store(tmp_path, COVERS, DIM), [1]) == [1]


@pytest.mark.parametrize(
    "columns",
    [
        {"photo_sha256": ["a" * 64]},
        {"photo_sha256": ["a" * 64], "view": ["original"], "bottleneck": [[1.0] * DIM]},
    ],
)
def test_a_sound_shard_with_other_columns_is_set_aside(tmp_path: Path, columns: dict[str, list[object]]) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    opened._write(pa.table(columns), generation=0)
    assert not opened.get_many([Key("a" * 64)])[1].any()
    assert opened.set_aside == 1 and files(opened) == []


def test_a_sound_shard_with_a_wrong_hash_is_set_aside(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    keys = pa.table({"photo_sha256": ["ab"], "view": ["original"]})
    table = shards.bottleneck_table(keys, np.ones((1, DIM), np.float32), opened._schema)
    opened._write(table, 0)
    assert served(opened, [1]) == [] and opened.set_aside == 1


def test_foreign_files_are_named_and_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = Store(tmp_path, COVERS, DIM).folder
    stranger = folder / "mine.parquet"
    stranger.write_bytes(b"mine")
    with caplog.at_level(logging.WARNING):
        opened = Store(tmp_path, COVERS, DIM)
    assert f"{stranger} is ignored" in caplog.text
    assert served(opened, [1]) == [] and files(opened) == []
    assert stranger.read_bytes() == b"mine" and opened.set_aside == 0


def test_what_killed_writers_left_is_removed_on_open(tmp_path: Path) -> None:
    folder = Store(tmp_path, COVERS, DIM).folder
    with temporary_folder(folder) as alive, temporary_folder(folder) as other:
        (alive / "half a shard").touch()
        left = folder / f"{other.name[:-20]}{'0' * 16}.tmp"
        left.mkdir()
        (left / "half a shard").touch()
        Store(tmp_path, COVERS, DIM)
        assert sorted(os.listdir(folder)) == sorted([alive.name, other.name])


def test_scan_gives_every_row(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put(opened, range(5))
    opened.flush()
    put(opened, range(5, 8))
    opened.flush()
    rows = [(k, tuple(v)) for keys, matrix in opened.scan() for k, v in zip(keys, matrix, strict=True)]
    assert sorted(rows) == sorted((key(n), tuple(vector(n))) for n in range(8))
    assert isinstance(rows[0][0], Key)


def _first(path: Path) -> float:
    return float(shards.vector_array(read_shard(path))[0, 0])


def test_prune_keeps_what_is_asked_for(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    for start in (0, 10, 20):
        put(opened, range(start, start + 10))
        opened.flush()
    put(opened, [30])
    untouched = next(path for path in files(opened) if 0 <= _first(path) < 10)
    keep = [key(n) for n in [*range(10), 13, 30, 77]]
    report = opened.prune(keep)
    assert (report.kept, report.removed) == (12, 19)
    assert served(opened, range(31)) == [*range(10), 13, 30]
    assert untouched in files(opened) and len(files(opened)) == 3
    assert opened.prune(keep) == store.PruneReport(12, 0)
    assert opened.prune([]).removed == 12 and files(opened) == []
