import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import label_image.files
from label_image.files import temporary_folder
from retrain.bottlenecks import shards, store
from retrain.bottlenecks.store import Key, Store, fingerprint
from retrain.core import sealed
from retrain.core.errors import StoreError
from retrain.core.sealed import list_shards

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


def put_in_pieces(opened: Store, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        put(opened, [number])
        opened.flush()


def test_the_fingerprint_is_of_the_canonical_json() -> None:
    text = '{"b":[1,2],"ä":"x"}'
    assert fingerprint({"ä": "x", "b": (1, 2)}) == hashlib.sha256(text.encode()).hexdigest()
    assert fingerprint({"b": [1, 2], "ä": "x"}) == fingerprint({"ä": "x", "b": [1, 2]})
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.5})
    with pytest.raises(ValueError):
        fingerprint({"a": float("nan")})


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


def test_one_folder_per_fingerprint_with_its_description(tmp_path: Path) -> None:
    first, second = Store(tmp_path, COVERS, DIM), Store(tmp_path, {**COVERS, "seed": 1}, DIM)
    assert first.folder == tmp_path / fingerprint(COVERS) != second.folder
    description = json.loads((first.folder / "fingerprint.json").read_text())
    assert description == {"covers": COVERS, "dim": DIM, "dtype": "float32"}
    put(first, [1])
    first.flush()
    assert served(second, [1]) == []


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    "damaged",
    [b"", b"{", b"[]", b'{"covers":{},"dim":4,"dtype":"float32"}', b"\xff", b"[" * 100_000, b" " * (2 << 20)],
    ids=["empty", "cut", "other JSON", "another description", "no text", "deep", "large"],
)
def test_a_damaged_description_is_kept_aside_and_written_anew(tmp_path: Path, damaged: bytes, stored: bool) -> None:
    with Store(tmp_path, COVERS, DIM) as opened:
        if stored:
            put(opened, [1])
    path = opened.folder / "fingerprint.json"
    sound = path.read_bytes()
    path.write_bytes(damaged)
    again = Store(tmp_path, COVERS, DIM)
    assert served(again, [1]) == [1] * stored
    assert path.read_bytes() == sound
    assert (again.folder / "fingerprint.json.damaged").read_bytes() == damaged
    assert served(Store(tmp_path, COVERS, DIM), [1]) == [1] * stored
    assert len(list(again.folder.glob("*.damaged"))) == 1


def test_any_flipped_bit_of_a_description_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    with Store(tmp_path, COVERS, DIM) as opened:
        put(opened, [1])
    path = opened.folder / "fingerprint.json"
    sound = path.read_bytes()
    for bit in range(0, 8 * len(sound), 5):
        flipped = bytearray(sound)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert served(Store(tmp_path, COVERS, DIM), [1]) == [1]
        assert json.loads(path.read_bytes()) == json.loads(sound)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to itself", "link to nothing"])
def test_what_is_no_file_in_the_place_of_a_description(tmp_path: Path, kind: str) -> None:
    with Store(tmp_path, COVERS, DIM) as opened:
        put(opened, [1])
    path = opened.folder / "fingerprint.json"
    sound = path.read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
        (path / "precious").touch()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "link to itself" else tmp_path / "nothing")
    assert served(Store(tmp_path, COVERS, DIM), [1]) == [1]
    assert not path.is_symlink() and path.read_bytes() == sound
    if kind == "folder":
        assert (path.with_name("fingerprint.json.damaged") / "precious").exists()


def test_a_description_that_is_lost_is_written_anew(tmp_path: Path) -> None:
    path = Store(tmp_path, COVERS, DIM).folder / "fingerprint.json"
    sound = path.read_bytes()
    path.unlink()
    Store(tmp_path, COVERS, DIM)
    assert path.read_bytes() == sound


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
    assert sorted(path.name for path in again.folder.iterdir()) == [merged.name, "fingerprint.json"]


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
    while True:
        folder = tmp_path / str(steps)
        first, second = Store(folder, COVERS, DIM), Store(folder, COVERS, DIM)
        put_in_pieces(first, 20)
        if not _interrupt(monkeypatch, steps, second.compact, first.compact):
            break
        assert served(first, range(20)) == list(range(20))
        assert served(second, range(20)) == list(range(20))
        steps += 1
    assert steps > 40


def test_a_reader_finds_what_is_merged_under_its_hands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        reader, compactor = Store(folder, COVERS, DIM), Store(folder, COVERS, DIM)
        put_in_pieces(reader, 20)
        found: list[int] = []
        read = partial(_served_into, found, reader, range(20))
        if not _interrupt(monkeypatch, steps, compactor.compact, read):
            break
        assert found == list(range(20)) and reader.set_aside == 0
        steps += 1
    assert steps > 20


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

    monkeypatch.setattr(store, "write_shard", full)
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


def test_a_shard_of_another_fingerprint_is_set_aside(tmp_path: Path) -> None:
    right, wrong = Store(tmp_path, COVERS, DIM), Store(tmp_path, {"weights": "others"}, DIM)
    wrong.put_many([key(1)], np.full((1, DIM), 666, np.float32))
    wrong.flush()
    for path in files(wrong):
        shutil.copy(path, right.folder)
    assert served(right, [1]) == [] and right.set_aside == 1
    assert files(right) == [] and len(list(right.folder.glob("*.damaged"))) == 1
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
        assert sorted(os.listdir(folder)) == sorted([alive.name, other.name, "fingerprint.json"])


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
    return float(shards.vector_array(sealed.read_shard(path))[0, 0])


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


class StoreMachine(RuleBasedStateMachine):
    """Random use of two stores, against dictionaries of what must and what may be served."""

    numbers = st.lists(st.integers(0, 30), min_size=1, max_size=6, unique=True)
    which = st.integers(0, 1)

    @initialize()
    def make(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(os, "fsync", lambda _: None)  # slow, and no power is cut here
        root = Path(self.temporary.name)
        self.folders = [root / "a", root / "b"]
        self.stores = [Store(folder, COVERS, DIM) for folder in self.folders]
        self.waiting: list[set[int]] = [set(), set()]
        self.flushed: list[set[int]] = [set(), set()]  # what must be served
        self.ever: list[set[int]] = [set(), set()]  # what may be

    @rule(which=which, numbers=numbers)
    def put(self, which: int, numbers: list[int]) -> None:
        put(self.stores[which], numbers)
        self.waiting[which].update(numbers)
        self.ever[which].update(numbers)

    @rule(which=which)
    def flush(self, which: int) -> None:
        self.stores[which].flush()
        self.flushed[which] |= self.waiting[which]
        self.waiting[which] = set()

    @rule(which=which, numbers=numbers)
    def put_each_and_flush(self, which: int, numbers: list[int]) -> None:
        for number in numbers:
            self.put(which, [number])
            self.flush(which)

    @rule(which=which)
    def kill(self, which: int) -> None:
        self.waiting[which] = set()
        self.stores[which] = Store(self.folders[which], COVERS, DIM)

    @rule(which=which)
    def close(self, which: int) -> None:
        self.flush(which)
        self.stores[which].close()

    @rule(which=which)
    def merge_small_shards(self, which: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "SMALL_SHARDS", 1)
            self.stores[which].compact()

    @rule(which=which)
    def copy(self, which: int) -> None:
        for path in files(self.stores[which]):
            shutil.copy(path, self.stores[1 - which].folder)
        self.flushed[1 - which] |= self.flushed[which]
        self.ever[1 - which] |= self.ever[which]

    @rule(which=which, data=st.data())
    def damage(self, which: int, data: st.DataObject) -> None:
        paths = files(self.stores[which])
        if not paths:
            return
        path = data.draw(st.sampled_from(paths))
        content = bytearray(path.read_bytes())
        lost = pq.read_table(path)["photo_sha256"].to_pylist()
        offset = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            del content[offset:]
        else:
            content[offset] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        self.flushed[which] -= {n for n in range(31) if key(n).photo_sha256 in lost}
        for other in (p for p in files(self.stores[which]) if p != path):
            self.flushed[which] |= self._numbers_in(other)

    @rule(which=which, numbers=numbers)
    def prune(self, which: int, numbers: list[int]) -> None:
        self.stores[which].prune([key(n) for n in numbers])
        kept = self.flushed[which] | self.waiting[which]
        self.flushed[which] = kept & set(numbers)
        self.waiting[which] = set()
        self.ever[which] &= set(numbers)

    def _numbers_in(self, path: Path) -> set[int]:
        try:
            photos = sealed.read_shard(path)["photo_sha256"].to_pylist()
        except sealed.Damaged:
            return set()
        return {n for n in range(31) if key(n).photo_sha256 in photos}

    @invariant()
    def what_is_served_is_right(self) -> None:
        for opened, waiting, flushed, ever in zip(self.stores, self.waiting, self.flushed, self.ever, strict=True):
            found = set(served(opened, range(31)))
            assert waiting | flushed <= found <= ever

    def teardown(self) -> None:
        self.patch.undo()
        self.temporary.cleanup()


StoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestStoreMachine = StoreMachine.TestCase
