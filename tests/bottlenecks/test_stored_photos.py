"""What a store has, asked for again and again: every photo is known, and no shard is read twice."""

from pathlib import Path
from typing import Any

import pytest
from stored import COVERS, DIM, key, put_in_pieces

from retrain.bottlenecks.store import Store
from retrain.bottlenecks.stored_photos import StoredPhotos


def test_all_and_only_what_is_stored_is_known(tmp_path: Path) -> None:
    store, photos = Store(tmp_path, COVERS, DIM), StoredPhotos("original")
    photos.look(store)
    assert len(photos) == 0 and key(0).photo_sha256 not in photos
    for start in range(0, 40, 8):
        put_in_pieces(store, 8, start)
        photos.look(store)
        assert [key(number).photo_sha256 in photos for number in range(50)] == [
            number < start + 8 for number in range(50)
        ]
    assert len(photos) == 40 and set(photos) == {key(number).photo_sha256[:32] for number in range(40)}
    assert photos | {"more"} == {*photos, "more"}
    others = StoredPhotos("another view")
    others.look(store)
    assert len(others) == 0


def test_no_shard_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, photos, opened = Store(tmp_path, COVERS, DIM), StoredPhotos("original"), list[str]()
    put_in_pieces(store, 5)
    open_one = Store._open

    def counted(self: Store, name: str) -> Any:
        opened.append(name)
        return open_one(self, name)

    monkeypatch.setattr(Store, "_open", counted)
    photos.look(store)
    assert len(opened) == 5
    photos.look(store)
    assert len(opened) == 5
    put_in_pieces(store, 1, 5)
    photos.look(store)
    assert len(opened) == 6 and len(photos) == 6
