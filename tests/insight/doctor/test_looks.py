"""What photos look like is kept in the store: nobody looks twice, and nothing changes by it."""

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from extracting import photo_bytes, write
from PIL import Image

from label_image.files import sha256_of_bytes
from retrain.bottlenecks.store import Store
from retrain.core.errors import StoreError
from retrain.insight.doctor import looks as module
from retrain.insight.doctor.looks import Looks, look_at, look_store
from retrain.photos.dataset import Photo


def photo(path: Path, data: bytes) -> Photo:
    write(path, data)
    return Photo(str(path), "a", sha256_of_bytes(data))


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    return [photo(tmp_path / "photos" / f"{number}.jpg", photo_bytes(number)) for number in range(5)]


def assert_equal(one: Looks, other: Looks) -> None:
    for numbers, others in zip(astuple(one), astuple(other), strict=True):
        np.testing.assert_array_equal(numbers, others)


def kept(folder: Path) -> set[str]:
    with look_store(folder) as store:
        return set(store.photos())


def test_looks_that_were_kept_are_the_same_and_are_not_taken_again(tmp_path: Path, photos: list[Photo]) -> None:
    alone = look_at(photos)
    first = look_at(photos, tmp_path / "store")
    for one in photos:
        Path(one.path).unlink()
    told: list[int] = []
    assert_equal(first, alone)
    assert_equal(look_at(photos, tmp_path / "store", told.append), first)
    assert told == [len(photos)] and first.readable.all()


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_how_many_are_looked_at_together_changes_nothing(
    photos: list[Photo], monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    expected = look_at(photos)
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    told: list[int] = []
    assert_equal(look_at(photos, observe=told.append), expected)
    assert told == [0, *range(at_once, len(photos), at_once), len(photos)]


def test_what_has_changed_since_or_cannot_be_read_is_not_kept(tmp_path: Path, photos: list[Photo]) -> None:
    changed, damaged, *same = photos
    write(Path(changed.path), photo_bytes(100))
    write(Path(damaged.path), b"no photo")
    looks = look_at(photos, tmp_path / "store")
    assert looks.readable.tolist() == [True, False, True, True, True]
    assert kept(tmp_path / "store") == {one.sha256 for one in same}


def test_what_is_gone_is_not_looked_at_though_it_was_before(tmp_path: Path, photos: list[Photo]) -> None:
    look_at(photos, tmp_path / "store")
    gone = replace(photos[0], gone=True)
    assert look_at([gone, *photos[1:]], tmp_path / "store").readable.tolist() == [False, True, True, True, True]


@pytest.mark.parametrize("step", ["get_many", "put_many", "close"])
def test_a_store_that_fails_does_not_keep_anybody_from_looking(
    tmp_path: Path, photos: list[Photo], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("No.")

    monkeypatch.setattr(Store, step, refuse)
    assert_equal(look_at(photos, tmp_path / "store"), look_at(photos))


def test_a_look_that_is_interrupted_goes_on_where_it_was(
    tmp_path: Path, photos: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)

    def interrupt(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_at(photos, tmp_path / "store", interrupt)
    assert kept(tmp_path / "store") == {one.sha256 for one in photos[:3]}
    told: list[int] = []
    look_at(photos, tmp_path / "store", told.append)
    assert told == [3, 4, 5]


@pytest.mark.parametrize("size", [(1, 1), (2049, 3), (3, 30_001)])
def test_sizes_are_exact(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", size).save(path)
    looks = look_at([Photo(str(path), "a", "0" * 64)])
    assert (looks.widths[0], looks.heights[0], looks.orientations[0]) == (*size, 1)
