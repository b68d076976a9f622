"""Which contents a store has, in little memory and without reading a shard twice."""

from pathlib import Path

import numpy as np
import pytest
from stored import COVERS, DIM, files, key, put, put_in_pieces

from retrain.bottlenecks import digests
from retrain.bottlenecks.digests import Digests, united
from retrain.bottlenecks.store import Store


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_remembered", {})


def has(found: Digests) -> list[int]:
    return [number for number in range(30) if key(number).photo_sha256 in found]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the shards that are opened from now on."""
    opened: list[str] = []
    real = Store._open
    monkeypatch.setattr(Store, "_open", lambda self, name: opened.append(name) or real(self, name))
    return opened


def test_it_has_what_the_store_has_of_a_view(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    assert has(opened.digests()) == []
    put_in_pieces(opened, 3)
    put(opened, [2, 3])  # waits
    opened.put_many([key(9, "flip")], np.zeros((1, DIM), np.float32))
    assert has(opened.digests()) == [0, 1, 2, 3] and len(opened.digests()) == 4
    assert has(opened.digests("flip")) == [9]
    assert {one[: digests.DIGITS] for one in opened.photos()} == {
        one.decode() for one in opened.digests().sorted.tolist()
    }


def test_a_shard_is_read_once_by_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put_in_pieces(opened, 3)
    read = counted(monkeypatch)
    opened.digests()
    assert len(read) == 3
    put_in_pieces(opened, 1, 3)
    assert has(Store(tmp_path, COVERS, DIM).digests()) == [0, 1, 2, 3] and len(read) == 4


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put_in_pieces(opened, 3)
    opened.digests()
    opened.prune([key(1)])
    assert has(opened.digests()) == [1] and len(digests._remembered) == 1
    opened.compact_all()
    files(opened)[0].unlink()
    assert has(opened.digests()) == [] and digests._remembered == {}


def test_no_more_is_remembered_than_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put_in_pieces(opened, 3)
    monkeypatch.setattr(digests, "MOST_REMEMBERED", 2)
    for _ in range(2):
        assert has(opened.digests()) == [0, 1, 2] and len(digests._remembered) == 2


def test_united_with_others_each_is_there_once() -> None:
    one = Digests.of(key(number).photo_sha256 for number in (1, 2))
    both = one | {key(2).photo_sha256, key(3).photo_sha256}
    assert has(both) == [1, 2, 3] and len(both) == 3
    assert has(united([])) == [] and (one | set()) is one
