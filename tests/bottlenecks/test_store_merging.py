"""Small shards of a store become large ones, and nobody who reads or writes meanwhile loses a row."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from stored import COVERS, DIM, files, put, put_in_pieces, served

import label_image.files
from retrain.bottlenecks import shard_writer, store
from retrain.bottlenecks.store import Store
from retrain.core.errors import StoreError


def test_small_shards_are_merged_on_close_and_on_open(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put_in_pieces(opened, 16)
    opened.close()
    assert len(files(opened)) == 16
    put_in_pieces(opened, 1, 16)
    opened.close()
    assert len(files(opened)) == 1
    put_in_pieces(opened, 17, 10)  # seven of them for the second time
    assert len(files(opened)) == 18
    again = Store(tmp_path, COVERS, DIM)
    (merged,) = files(again)
    assert pq.read_metadata(merged).num_rows == 27
    assert served(again, range(30)) == list(range(27))
    assert sorted(path.name for path in again.folder.iterdir()) == [merged.name]


def test_large_shards_are_left_alone_and_merged_ones_are_not_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put_in_pieces(opened, 30)
    small = max(path.stat().st_size for path in files(opened))
    large: list[Path] = []
    for start in (100, 200):
        before = set(files(opened))
        put(opened, range(start, start + 60))
        opened.flush()
        large.extend(set(files(opened)) - before)
    assert all(3 * small < path.stat().st_size < 5 * small for path in large)
    monkeypatch.setattr(store, "SHARD_BYTES", 6 * small)
    monkeypatch.setattr(store, "SMALL_SHARD_BYTES", 3 * small)
    opened.compact()
    rows = {path: pq.read_metadata(path).num_rows for path in files(opened)}
    assert [rows.pop(path) for path in large] == [60, 60]
    assert sum(rows.values()) == 30 and len(rows) == 5 and max(rows.values()) == 6


def test_a_merged_shard_is_on_the_disk_before_the_small_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put_in_pieces(opened, 20)
    synced = False
    sync_folder, unlink = label_image.files.sync_folder, Path.unlink

    def record_sync(folder: Path) -> None:
        nonlocal synced
        synced = True
        sync_folder(folder)

    def checked_unlink(path: Path, missing_ok: bool = False) -> None:
        assert synced
        unlink(path, missing_ok)

    monkeypatch.setattr(label_image.files, "sync_folder", record_sync)
    monkeypatch.setattr(Path, "unlink", checked_unlink)
    opened.compact()
    assert len(files(opened)) == 1


def test_merging_never_unlinks_its_own_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merged shard meets the shards that it was made of, by copying, and they are merged again.

    In about a third of the folders it comes first by name, and its rows are all that is kept.
    """
    monkeypatch.setattr(store, "SMALL_SHARDS", 1)
    for start in range(20):
        opened = Store(tmp_path / str(start), COVERS, DIM)
        put_in_pieces(opened, 2, start)
        pieces = {path: path.read_bytes() for path in files(opened)}
        opened.compact()
        for path, content in pieces.items():
            path.write_bytes(content)
        assert len(files(opened)) == 3
        opened.compact()
        assert len(files(opened)) == 1
        assert served(opened, [start, start + 1]) == [start, start + 1]


def test_two_compactors_at_once_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second compactor runs completely between any two steps of the first."""
    steps = 0
    for first, second in _opened_twice(tmp_path):
        if not _interrupt(monkeypatch, steps, second.compact, first.compact):
            break
        assert served(first, range(20)) == list(range(20))
        assert served(second, range(20)) == list(range(20))
        steps += 1
    assert steps > 40


def test_a_reader_finds_what_is_merged_under_its_hands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    for reader, compactor in _opened_twice(tmp_path):
        found: list[int] = []
        read = partial(_served_into, found, reader, range(20))
        if not _interrupt(monkeypatch, steps, compactor.compact, read):
            break
        assert found == list(range(20)) and reader.set_aside == 0
        steps += 1
    assert steps > 20


def _opened_twice(folder: Path) -> Iterator[tuple[Store, Store]]:
    """Stores with 20 vectors in pieces, each opened by two at once."""
    for number in itertools.count():
        one, other = (Store(folder / str(number), COVERS, DIM) for _ in range(2))
        put_in_pieces(one, 20)
        yield one, other


def _served_into(found: list[int], opened: Store, numbers: range) -> None:
    found.extend(served(opened, numbers))


def _interrupt(monkeypatch: pytest.MonkeyPatch, step: int, other: Callable[[], None], run: Callable[[], None]) -> bool:
    """Call `run`, and `other` before its file operation number `step`; False if it has fewer."""
    count = -1

    def counted(operation: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == step:
                other()
            return operation(*args, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("read_bytes", "unlink", "stat"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        for name in ("replace", "scandir", "fsync"):
            patch.setattr(os, name, counted(getattr(os, name)))
        run()
    return count >= step


def test_a_failed_merge_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put_in_pieces(opened, 20)

    def full(*_: object) -> Path:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(shard_writer, "write_shard", full)
    opened.close()
    assert "could not be merged" in caplog.text
    assert served(opened, range(20)) == list(range(20))


def test_stores_are_merged_by_copying_shards(tmp_path: Path) -> None:
    first, second = Store(tmp_path / "a", COVERS, DIM), Store(tmp_path / "b", COVERS, DIM)
    put(first, range(5))
    put(second, range(3, 9))
    first.flush()
    second.flush()
    for path in files(second):
        shutil.copy(path, first.folder)
    assert served(first, range(10)) == list(range(9))
