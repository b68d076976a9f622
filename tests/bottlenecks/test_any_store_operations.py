"""Any sequence of operations on two stores in one folder."""

import os
import shutil
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from shard_files import read_shard
from stored import COVERS, DIM, files, key, put, served

from retrain.bottlenecks import store
from retrain.bottlenecks.store import Store
from retrain.core import sealed


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
            photos = read_shard(path)["photo_sha256"].to_pylist()
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
