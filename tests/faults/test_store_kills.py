"""Writers that are killed at any moment: nothing wrong is served, nothing flushed is lost."""

import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from retrain.bottlenecks import store
from retrain.bottlenecks.inspection import verify_store
from retrain.bottlenecks.store import Key, Store

DIM = 128
COVERS = {"architecture": "fake"}
WRITERS = 4
KILLS = 50
TODO = range(300)  # what the re-run has to finish; the writers draw from many more


def keys(numbers: Iterable[int]) -> list[Key]:
    return [Key(hashlib.sha256(str(number).encode()).hexdigest()) for number in numbers]


def vectors(numbers: Iterable[int]) -> np.ndarray:
    return np.fromiter(numbers, np.float32)[:, np.newaxis] + np.arange(DIM, dtype=np.float32)


def wrong(opened: Store, numbers: list[int]) -> tuple[list[int], list[int]]:
    """Which numbers are served with another vector than their own, and which are not served."""
    matrix, found = opened.get_many(keys(numbers))
    right = (matrix == vectors(numbers)).all(axis=1)
    each = list(zip(numbers, found, right, strict=True))
    return [n for n, there, ok in each if there and not ok], [n for n, there, _ in each if not there]


def write_until_killed(folder: Path, diary: Path, seed: int) -> None:
    """Put, flush, read, merge and reopen for ever; says in the diary what is done."""
    store.SMALL_SHARDS = 4
    chance = random.Random(seed)
    opened = Store(folder, COVERS, DIM)
    with open(diary, "a", encoding="ascii", buffering=1) as lines:
        while True:
            numbers = chance.sample(range(100_000), chance.randint(1, 80))
            numbers += chance.sample(TODO, 3)
            opened.put_many(keys(numbers), vectors(numbers))
            opened.flush()
            lines.write(f"flushed {' '.join(map(str, numbers))} .\n")
            if chance.random() < 0.3:
                opened.close()
            if chance.random() < 0.2:
                opened = Store(folder, COVERS, DIM)
            bad, lost = wrong(opened, numbers)
            if bad or lost or opened.set_aside:
                lines.write(f"failed {bad} {lost} {opened.set_aside}\n")


def flushed_in(diaries: list[Path]) -> set[int]:
    """What the writers say that they have flushed."""
    flushed: set[int] = set()
    for diary in diaries:
        for line in diary.read_text("ascii").splitlines():
            assert not line.startswith("failed"), line
            if line.startswith("flushed ") and line.endswith(" ."):
                flushed.update(map(int, line.split()[1:-1]))
    return flushed


@pytest.mark.kills
def test_fifty_kills_with_four_writers(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    folder, chance = tmp_path / "store", random.Random(20240607)
    diaries: list[Path] = []

    def start() -> multiprocessing.process.BaseProcess:
        diaries.append(tmp_path / f"diary{len(diaries)}")
        diaries[-1].touch()
        process = context.Process(target=write_until_killed, args=(folder, diaries[-1], len(diaries)))
        process.start()
        return process

    writers = [start() for _ in range(WRITERS)]
    try:
        while not all(diary.stat().st_size for diary in diaries):
            assert all(writer.is_alive() for writer in writers)
            time.sleep(0.01)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.01, 0.25))
            victim = chance.randrange(WRITERS)
            kill(writers[victim])
            writers[victim] = start()
        while len(flushed_in(diaries)) <= 1000:  # on a busy machine the last ones have not begun yet
            assert all(writer.is_alive() for writer in writers)
            time.sleep(0.1)
    finally:
        for writer in writers:
            kill(writer)

    flushed = flushed_in(diaries)

    with Store(folder, COVERS, DIM) as opened:
        assert wrong(opened, sorted(flushed)) == ([], [])
        bad, missing = wrong(opened, list(TODO))
        assert not bad
        opened.put_many(keys(missing), vectors(missing).reshape(-1, DIM))
    with Store(folder, COVERS, DIM) as opened:
        assert wrong(opened, sorted(flushed | set(TODO))) == ([], [])
        assert verify_store(folder).damaged == () and opened.set_aside == 0
    assert not list(opened.folder.parent.rglob("*.damaged"))


def kill(process: multiprocessing.process.BaseProcess) -> None:
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


class Killed(BaseException):
    """The process is gone: from here on nothing it does has an effect."""


@pytest.mark.parametrize("action", ["flush", "close", "open", "prune"])
def test_a_kill_before_each_file_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    monkeypatch.setattr(store, "SMALL_SHARDS", 3)
    old, new = list(range(6)), list(range(6, 9))
    step = 0
    while True:
        folder = tmp_path / str(step)
        opened = Store(folder, COVERS, DIM)
        for number in old:
            opened.put_many(keys([number]), vectors([number]))
            opened.flush()
        opened.put_many(keys(new), vectors(new))
        actions: dict[str, Callable[[], object]] = {
            "flush": opened.flush,
            "close": opened.close,
            "open": partial(Store, folder, COVERS, DIM),
            "prune": partial(opened.prune, keys(old)),
        }
        finished = run_until(monkeypatch, step, actions[action])
        again = Store(folder, COVERS, DIM)
        assert wrong(again, old) == ([], [])
        assert wrong(again, new)[0] == []
        assert again.set_aside == 0
        if finished:
            break
        step += 1
    assert step > 3


def run_until(monkeypatch: pytest.MonkeyPatch, step: int, run: Callable[[], object]) -> bool:
    """Run until just before file operation number `step`; True if there are not that many."""
    count = -1

    def counted(operation: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count >= step:
                raise Killed
            return operation(*args, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("open", "write", "fsync", "replace", "rename", "mkdir"):
            patch.setattr(os, name, counted(getattr(os, name)))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        try:
            run()
        except Killed:
            return False
    return True


def test_a_kill_halfway_through_writing_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    opened.put_many(keys(range(9)), vectors(range(9)))
    write = os.write

    def half(file: int, data: memoryview) -> int:
        write(file, data[: len(data) // 2])
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, "write", half)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        opened.flush()
    assert list(opened.folder.glob(".retrain-*.tmp"))
    again = Store(tmp_path, COVERS, DIM)
    assert not list(opened.folder.glob(".retrain-*.tmp"))
    assert wrong(again, list(range(9))) == ([], list(range(9)))
    assert again.set_aside == 0
