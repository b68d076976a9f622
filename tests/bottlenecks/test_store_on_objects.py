"""A store on object storage keeps what one on a disk keeps: with faults, two writers, kills and damage."""

import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from calling import exit_code
from extracting import FAKE, Counter, class_folders, list_photos
from stored import COVERS, DIM, key, put, put_in_pieces, served, vector

pytest.importorskip("moto", reason="moto is not installed: make test installs it")
pytest.importorskip("boto3", reason="boto3 is not installed: `make cluster` brings it")
import object_stores
from failing_proxy import FAULTS
from object_stores import Storage, holds, rows, storage

from label_image import object_storage
from retrain.bottlenecks import store
from retrain.bottlenecks.compaction import compact_store
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.inspection import inspect_store, verify_store
from retrain.bottlenecks.merging import merge_stores
from retrain.bottlenecks.pruning import plan_pruning, prune_store
from retrain.bottlenecks.store import Store
from retrain.cli.main import main
from retrain.core.errors import StoreError, UnwritableStoreError
from retrain.core.places import ObjectPlace, place_of
from retrain.photos.hashes import PhotoHashes

numbers = itertools.count()


class Killed(BaseException):
    """In place of the end of the process."""


@pytest.fixture(scope="module")
def world() -> Iterator[Storage]:
    with storage() as found:
        yield found


@pytest.fixture
def address(world: Storage) -> Iterator[str]:
    """A store of its own for each test."""
    yield f"s3://{world.server.bucket}/store-{next(numbers)}"
    world.proxy.fault = lambda method, path: None
    world.proxy.before = lambda method, path: None


@pytest.fixture
def soon_tired(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Requests are tried twice, and no more."""
    monkeypatch.setattr(object_storage, "ATTEMPTS", 2)
    object_storage.forget_connections()
    yield
    object_storage.forget_connections()


def prefix(address: str) -> str:
    return address.split("/", 3)[3]


# As on a disk


def test_rows_come_back_and_nothing_lies_on_this_machine(
    address: str, world: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store(address, COVERS, DIM) as opened:
        put(opened, range(10))
    assert served(Store(address, COVERS, DIM), list(range(12))) == list(range(10))
    assert len(world.shards(prefix(address))) == 1
    assert os.listdir(tmp_path) == []


def test_the_objects_are_the_files_that_a_folder_would_hold(address: str, world: Storage, tmp_path: Path) -> None:
    for place in (address, tmp_path):
        with Store(place, COVERS, DIM) as opened:
            put(opened, range(10))
    here = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*")}
    there = {name.removeprefix(f"{prefix(address)}/"): name for name in world.keys(prefix(address))}
    assert here.keys() == there.keys()
    client = world.server.client()
    for name, key_there in there.items():
        assert client.get_object(Bucket=world.server.bucket, Key=key_there)["Body"].read() == here[name]


def test_the_writer_of_another_process_adds_to_it(address: str) -> None:
    opened = Store(address, COVERS, DIM)
    writer = pickle.loads(pickle.dumps(opened.writer()))
    writer.write([key(1), key(2)], np.stack([vector(1), vector(2)]))
    assert served(opened, [1, 2, 3]) == [1, 2]


def test_photos_are_computed_once_and_known_by_another_machine(address: str, tmp_path: Path) -> None:
    photos = list_photos(class_folders(tmp_path / "photos"))
    first = extract(photos, FAKE, address)
    counter = Counter()
    again = extract(photos, FAKE, address, start=counter.start)
    assert (first.computed, again.computed, counter.starts) == (6, 0, 0)
    assert np.array_equal(first.matrix, again.matrix)
    here = extract(photos, FAKE, tmp_path / "here")
    assert np.array_equal(first.matrix, here.matrix) and first.fingerprint == here.fingerprint


def test_the_table_of_hashes_is_there_and_two_unite(address: str, world: Storage) -> None:
    for number in range(2):
        hashes = PhotoHashes(address)
        hashes.record(f"/{number}", 1, 0, key(number).photo_sha256, inode=1, ctime_ns=0)
        if number == 0:
            late = PhotoHashes(address)
            late.record("/late", 1, 0, key(9).photo_sha256, inode=1, ctime_ns=0)
        hashes.save()
    late.save()
    assert len(world.shards(prefix(address))) == 1
    assert PhotoHashes(address)._sha256.to_pylist() == [key(number).photo_sha256 for number in (0, 1, 9)]


def test_the_commands_that_look_after_a_store(
    address: str, world: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, start in ((address, 0), (tmp_path, 3)):
        put_in_pieces(Store(place, COVERS, DIM), 5, start)
    (folder,) = inspect_store(address).folders
    assert (folder.photos, folder.shards, folder.damaged) == (5, 5, 0)
    assert merge_stores([tmp_path], address).copied == 3
    assert merge_stores([address], tmp_path).copied == 3
    assert verify_store(address).vectors == 8 and verify_store(address).damaged == ()
    assert exit_code(main, "store", "compact", "--bottleneck_dir", address) == 0
    assert "8 shards, now 1" in capsys.readouterr().out
    assert prune_store(plan_pruning(address, {key(1).photo_sha256}, ())) == ()
    assert holds(address, range(1, 2))
    for command in ("info", "verify"):
        assert exit_code(main, "store", command, "--bottleneck_dir", address) == 0


# Damage


def test_a_damaged_object_is_set_aside_and_written_anew(address: str, world: Storage) -> None:
    opened = Store(address, COVERS, DIM)
    put(opened, range(3))
    opened.flush()
    (name,) = world.shards(prefix(address))
    client = world.server.client()
    whole = client.get_object(Bucket=world.server.bucket, Key=name)["Body"].read()
    for times, damage in enumerate([whole[:-1], bytes([whole[0] ^ 1]) + whole[1:], b""], start=1):
        client.put_object(Bucket=world.server.bucket, Key=name, Body=damage)
        assert served(opened, list(range(3))) == [] and opened.set_aside == times
        assert world.shards(prefix(address)) == []
        aside = [one for one in world.keys(prefix(address)) if one.endswith(".damaged")]
        assert len(aside) == times
        put(opened, range(3))
        opened.flush()
        assert world.shards(prefix(address)) == [name] and holds(address, range(3))


def test_a_damaged_description_is_mended(address: str, world: Storage) -> None:
    opened = Store(address, COVERS, DIM)
    put(opened, range(3))
    opened.flush()
    name = f"{prefix(address)}/{opened.fingerprint}.json"
    world.server.client().put_object(Bucket=world.server.bucket, Key=name, Body=b"{")
    assert served(Store(address, COVERS, DIM), list(range(3))) == [0, 1, 2]
    assert f"{name}.damaged" in world.keys(prefix(address)) and name in world.keys(prefix(address))


# Faults


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_change_nothing(fault: str, address: str, world: Storage) -> None:
    turn = itertools.count()
    world.proxy.fault = lambda method, path: fault if next(turn) % 3 == 0 else None
    world.proxy.done.clear()
    with Store(address, COVERS, DIM) as opened:
        for start in (0, 5):
            put(opened, range(start, start + 5))
            opened.flush()
        opened.compact_all()
    assert holds(address, range(10))
    assert len(world.proxy.done) >= 5 and set(world.proxy.done) == {fault}
    world.proxy.fault = lambda method, path: None
    assert len(world.shards(prefix(address))) == 1 and verify_store(address).damaged == ()


@pytest.mark.usefixtures("soon_tired")
def test_a_storage_that_stays_away_is_a_sentence_and_the_rows_wait(address: str, world: Storage) -> None:
    opened = Store(address, COVERS, DIM)
    put(opened, range(5))
    world.proxy.fault = lambda method, path: "slow down" if method == "PUT" else None
    with pytest.raises(StoreError, match=rf"{address}.* cannot be written: .*choose another `bottleneck_dir`"):
        opened.flush()
    assert served(opened, list(range(5))) == list(range(5)) and world.shards(prefix(address)) == []
    world.proxy.fault = lambda method, path: None
    opened.flush()
    assert holds(address, range(5))


@pytest.mark.usefixtures("soon_tired")
def test_a_merge_that_fails_is_no_failure(address: str, world: Storage, caplog: pytest.LogCaptureFixture) -> None:
    opened = Store(address, COVERS, DIM)
    put_in_pieces(opened, store.SMALL_SHARDS + 1)
    world.proxy.fault = lambda method, path: "slow down" if method == "PUT" else None
    opened.close()
    assert "could not be merged" in caplog.text
    world.proxy.fault = lambda method, path: None
    assert holds(address, range(store.SMALL_SHARDS + 1))


def test_where_writing_is_refused_nothing_is_computed(address: str, world: Storage, tmp_path: Path) -> None:
    photos = class_folders(tmp_path / "photos")
    before = extract(list_photos(photos), FAKE, address)
    world.proxy.fault = lambda method, path: "refused" if method in ("PUT", "DELETE", "POST") else None
    counter = Counter()
    again = extract(list_photos(photos), FAKE, address, start=counter.start)
    assert np.array_equal(again.matrix, before.matrix) and counter.starts == 0
    class_folders(photos, 8)
    with pytest.raises(UnwritableStoreError, match=r"choose another `bottleneck_dir`"):
        extract(list_photos(photos), FAKE, address, start=counter.start)
    assert counter.starts == 0


def test_a_bucket_that_is_not_there_is_a_sentence(
    world: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for nothing in ("s3://no-such-bucket/store", f"s3://{world.server.bucket}/nothing-here"):
        assert exit_code(main, "store", "info", "--bottleneck_dir", nothing) == 1
        said = capsys.readouterr().err
        assert f"There is nothing at {nothing}" in said and "Traceback" not in said
    with pytest.raises(StoreError, match="s3://no-such-bucket/store"):
        extract(list_photos(class_folders(tmp_path / "photos")), FAKE, "s3://no-such-bucket/store")


# Kills and two writers


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
def test_a_kill_at_any_change_of_an_object_loses_no_row_that_was_there(
    afterwards: bool, world: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ("put", "remove")
    for position in range(10):
        where = f"s3://{world.server.bucket}/killed-{afterwards}-{position}"
        put_in_pieces(Store(where, COVERS, DIM), 2)
        made = itertools.count()

        def dying(change: str, position: int = position, made: "itertools.count[int]" = made) -> object:
            real = getattr(ObjectPlace, change)

            def instead(self: ObjectPlace, *arguments: object) -> None:
                at = next(made)
                if at > position or (at == position and not afterwards):
                    raise Killed
                real(self, *arguments)
                if at == position:
                    raise Killed

            return instead

        with monkeypatch.context() as patch:
            for name in calls:
                patch.setattr(ObjectPlace, name, dying(name))
            try:
                opened = Store(where, COVERS, DIM)
                put(opened, [2])
                opened.flush()
                opened.compact_all()
                finished = True
            except Killed:
                finished = False
        found = {number for number in range(3) if key(number) in rows(where)}
        assert found >= {0, 1} and verify_store(where).damaged == ()
        again = Store(where, COVERS, DIM)
        put(again, [2])
        again.flush()
        again.compact_all()
        assert len(world.shards(prefix(where))) == 1 and holds(where, range(3))
        if finished:
            return
    raise AssertionError("it never came to its end")


def process(command: str, address: str, first: int, last: int) -> "subprocess.Popen[bytes]":
    script = [sys.executable, object_stores.__file__, command, address, str(first), str(last)]
    path = os.pathsep.join(sys.path)
    return subprocess.Popen(script, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(("command", "method"), [("write", "PUT"), ("compact", "PUT"), ("compact", "DELETE")])
def test_a_process_that_is_killed_in_the_middle_of_a_request(
    command: str, method: str, address: str, world: Storage
) -> None:
    put_in_pieces(Store(address, COVERS, DIM), 4)
    passed = itertools.count()

    def kill(asked: str, path: str) -> None:
        if asked == method and path.endswith(".parquet") and next(passed) == (2 if command == "write" else 0):
            one.send_signal(signal.SIGKILL)

    with process(command, address, 4, 9) as one:
        world.proxy.before = kill
        assert one.wait(120) == -signal.SIGKILL
    world.proxy.before = lambda method, path: None
    found = {number for number in range(9) if key(number) in rows(address)}
    assert found >= set(range(4)) and len(found) < 9 and verify_store(address).damaged == ()
    with process("write", address, 4, 9) as again:
        assert again.wait(120) == 0
    compact_store(address)
    assert holds(address, range(9)) and len(world.shards(prefix(address))) == 1


def test_two_writers_and_a_compaction_at_once_with_faults(address: str, world: Storage) -> None:
    turn = itertools.count()
    faults = itertools.cycle(FAULTS)
    world.proxy.fault = lambda method, path: next(faults) if next(turn) % 7 == 0 else None
    world.proxy.done.clear()
    put_in_pieces(Store(address, COVERS, DIM), 3)
    done = threading.Event()
    compacted: list[int] = []

    def compact_again_and_again() -> None:
        while not done.is_set():
            compacted.extend(len(one.shards or ()) for one in compact_store(address))

    thread = threading.Thread(target=compact_again_and_again)
    with process("write", address, 3, 14) as one, process("write", address, 9, 20) as other:
        thread.start()
        ended = [one.wait(200), other.wait(200)]
    done.set()
    thread.join()
    world.proxy.fault = lambda method, path: None
    assert ended == [0, 0] and compacted and set(world.proxy.done) == set(FAULTS)
    assert verify_store(address).damaged == ()
    compact_store(address)
    assert holds(address, range(20)) and len(world.shards(prefix(address))) == 1


def test_a_reader_finds_what_is_merged_under_its_hands(address: str, world: Storage) -> None:
    reader, other = Store(address, COVERS, DIM), Store(address, COVERS, DIM)
    put_in_pieces(other, 4)
    found = reader._shards()
    next(found)
    other.compact_all()
    list(found)
    assert served(reader, list(range(5))) == [0, 1, 2, 3]


# Training


def test_a_training_with_its_store_on_object_storage(
    address: str, world: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    class_folders(tmp_path / "photos", 20)
    command = ["--image_dir", "photos", "--architecture", "fake", "--formats", "saved_model"]
    assert exit_code(main, *command, "--bottleneck_dir", address, "--output_dir", "model") == 0
    assert (tmp_path / "model" / "model.json").exists()
    assert len(world.shards(prefix(address))) >= 1
    assert not list(tmp_path.glob("s3*"))


def test_an_address_without_a_bucket_is_refused() -> None:
    assert str(place_of("s3://bucket/folder/")) == "s3://bucket/folder"
    with pytest.raises(object_storage.StorageError, match="names no bucket"):
        place_of("s3:///folder")
