"""What has no files of its own is unpacked: once, complete, resumable."""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_files import NAMES, parquet
from shades import listed, photo
from stand_ins import Said

import retrain.photos.hashes
import retrain.photos.sources.contents
import retrain.photos.sources.tfds
import retrain.photos.sources.unpack
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, Skipped, in_order
from retrain.photos.opening import list_photos
from retrain.photos.sources.base import Encoded, Unpacking
from retrain.photos.sources.unpack import unpack


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def unpacked(
    entries: Any, identity: dict[str, object], name: str, store: Path, say: Callable[[str], None] = lambda said: None
) -> Dataset:
    """The photos of entries in their order."""
    return in_order(unpack(entries, identity, name, Unpacking(store, progress=Said(say))), name)


def test_an_unchanged_source_is_written_once(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = parquet(tmp_path / "x.parquet", [0, 1, 1], names=NAMES)
    monkeypatch.setattr(retrain.photos.hashes, "RACY_NS", -(10**12))  # a new file's hash may be remembered
    first = list_photos(source, store)
    before = stamps(store.parent)
    monkeypatch.setattr(retrain.photos.sources.contents, "sha256_of", None)  # nor read a second time
    monkeypatch.setattr(retrain.photos.sources.unpack, "_write", None)
    assert list_photos(source, store) == first
    assert stamps(store.parent) == before


def test_a_moved_source_is_not_written_again(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = parquet(tmp_path / "here/x.parquet", [0, 1], names=NAMES)
    first = list_photos(source, store)
    monkeypatch.setattr(retrain.photos.sources.unpack, "_write", None)
    (tmp_path / "there").mkdir()
    assert list_photos(shutil.move(source, tmp_path / "there/y.parquet"), store) == first


@pytest.mark.parametrize("keeps_change_times", [True, False])
def test_a_changed_source_of_equal_size_and_date_is_seen_by_its_change_time_or_when_paranoid(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch, keeps_change_times: bool
) -> None:
    listed = retrain.photos.sources.contents._listed
    if keeps_change_times:
        monkeypatch.setattr(retrain.photos.hashes, "RACY_NS", -(10**12))
    else:
        monkeypatch.setattr(retrain.photos.sources.contents, "_listed", lambda file: replace(listed(file), ctime_ns=1))
    other = parquet(tmp_path / "other.parquet", ["a", "c"])
    source = parquet(tmp_path / "x.parquet", ["a", "b"])
    os.utime(source, (1, 1))
    list_photos(source, store)
    before = source.stat()
    time.sleep(0.05)  # a tick of the clock of the file system
    with open(source, "r+b") as file:  # the same inode
        file.write(other.read_bytes())
    os.utime(source, (1, 1))
    assert (source.stat().st_size, source.stat().st_ino) == (before.st_size, before.st_ino)
    seen = {file.label for file in list_photos(source, store).files}
    assert seen == ({"a", "c"} if keeps_change_times else {"a", "b"})
    assert {file.label for file in list_photos(source, store, paranoid=True).files} == {"a", "c"}


def test_a_changed_source_gets_another_folder(tmp_path: Path, store: Path) -> None:
    source = parquet(tmp_path / "x.parquet", [0, 1], names=NAMES)
    list_photos(source, store)
    parquet(source, [1, 0, 1], names=NAMES)
    assert len(list_photos(source, store).files) == 3
    assert len(list((store.parent / "sources").iterdir())) == 2


def test_progress_is_told_of_what_is_written(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain.photos.sources.unpack, "REPORT_PHOTOS", 2)
    for side, photos in (("train", 3), ("test", 2)):
        parquet(tmp_path / f"set/{side}.parquet", [row % 2 for row in range(photos)], names=NAMES, first=len(side))
    told: list[tuple[int, int]] = []
    list_photos(tmp_path / "set", store, progress=Said(unpacking=lambda done, total: told.append((done, total))))
    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)]
    told.clear()
    list_photos(tmp_path / "set", store, progress=Said(unpacking=lambda done, total: told.append((done, total))))
    assert told == []  # nothing is written a second time


def entries_until(stop: int, error: BaseException | None) -> Any:
    for number in range(6):
        if number == stop and error is not None:
            raise error
        yield Encoded(photo(number), "ab"[number % 2])


@pytest.mark.parametrize("stop", range(6))
def test_an_interrupted_run_is_gone_on_with(stop: int, tmp_path: Path) -> None:
    store = tmp_path / "bottlenecks"
    with pytest.raises(KeyboardInterrupt):
        unpacked(entries_until(stop, KeyboardInterrupt()), {"n": 1}, "set", store)
    written = {path: path.stat().st_ino for path in (tmp_path / "sources").rglob("*.png")}
    assert len(written) == stop
    listing = unpacked(entries_until(6, None), {"n": 1}, "set", store)
    assert listed(listing) == sorted(("ab"[number % 2], "", photo(number)) for number in range(6))
    assert set(written.values()) <= {os.stat(file.path).st_ino for file in listing.files}  # kept, not written again
    (folder,) = (tmp_path / "sources").iterdir()
    assert not folder.name.startswith(".")


@pytest.mark.parametrize("damage", ["another class", "cut", "empty", "gone"])
def test_a_damaged_table_is_set_aside_and_its_source_written_anew(tmp_path: Path, damage: str) -> None:
    store, told = tmp_path / "bottlenecks", []
    first = unpacked(entries_until(6, None), {}, "set", store)
    (folder,) = (tmp_path / "sources").iterdir()
    table = folder / "photos.csv"
    content = table.read_bytes()
    if damage == "gone":
        table.unlink()
    else:
        table.write_bytes(
            {"another class": content.replace(b",a,", b",b,", 1), "cut": content[:-30], "empty": b""}[damage]
        )
    again = unpacked(entries_until(6, None), {}, "set", store, told.append)
    assert listed(again) == listed(first) and table.read_bytes() == content
    assert [path.name for path in (tmp_path / "sources").glob("*.damaged")] == [f"{folder.name}.damaged"]
    assert f"{folder} was damaged" in told[0]
    assert listed(unpacked(entries_until(0, AssertionError()), {}, "set", store)) == listed(first)


def test_a_source_unpacked_before_tables_were_sealed_is_believed(tmp_path: Path) -> None:
    store = tmp_path / "bottlenecks"
    first = unpacked(entries_until(6, None), {}, "set", store)
    (folder,) = (tmp_path / "sources").iterdir()
    assert (folder / "photos.csv.sha256").read_text() == f"{hash_of(folder / 'photos.csv')}  photos.csv\n"
    (folder / "photos.csv.sha256").unlink()
    assert listed(unpacked(entries_until(0, AssertionError()), {}, "set", store)) == listed(first)


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_photo_that_a_power_cut_left_empty_is_written_again(tmp_path: Path) -> None:
    store = tmp_path / "bottlenecks"
    with pytest.raises(KeyboardInterrupt):
        unpacked(entries_until(3, KeyboardInterrupt()), {}, "set", store)
    torn = sorted((tmp_path / "sources").rglob("*.png"))[0]
    torn.write_bytes(bytes(torn.stat().st_size))
    listing = unpacked(entries_until(6, None), {}, "set", store)
    assert listed(listing) == sorted(("ab"[number % 2], "", photo(number)) for number in range(6))


def test_half_a_photo_is_written_again(tmp_path: Path) -> None:
    store = tmp_path / "bottlenecks"
    with pytest.raises(KeyboardInterrupt):
        unpacked(entries_until(3, KeyboardInterrupt()), {}, "set", store)
    torn = sorted((tmp_path / "sources").rglob("*.png"))[0]
    torn.write_bytes(torn.read_bytes()[:20])
    listing = unpacked(entries_until(6, None), {}, "set", store)
    assert listed(listing) == sorted(("ab"[number % 2], "", photo(number)) for number in range(6))


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DatasetError, match=r"photos of set cannot be written to .*No space left on device.*continues"):
        unpacked([Encoded(photo(1), "a")], {}, "set", tmp_path / "bottlenecks")
    assert not list((tmp_path / "sources").rglob("*/photos/*/*"))  # no half-written temporary either


def test_another_process_that_finished_first_wins(tmp_path: Path) -> None:
    store = tmp_path / "bottlenecks"

    def overtaken() -> Any:
        yield Encoded(photo(0), "a")
        unpacked(entries_until(6, None), {}, "set", store)
        yield from entries_until(6, None)

    listing = unpacked(overtaken(), {}, "set", store)
    assert listed(listing) == sorted(("ab"[number % 2], "", photo(number)) for number in range(6))
    assert len(list((tmp_path / "sources").iterdir())) == 1


def test_equal_photos_are_all_kept(tmp_path: Path) -> None:
    entries = [
        Encoded(photo(1), "a"),
        Encoded(photo(1), "a"),
        Encoded(photo(1), "b"),
        Encoded(photo(1), "a", "testing"),
    ]
    listing = unpacked(entries, {}, "set", tmp_path / "bottlenecks")
    assert [(file.label, file.split) for file in listing.files] == [
        ("a", None), ("a", None), ("a", "testing"), ("b", None),
    ]  # fmt: skip


def test_the_source_is_not_held_in_memory(tmp_path: Path) -> None:
    alive: list[int] = []

    class Noted(bytes):
        def __del__(self) -> None:
            alive.append(-1)

    def many() -> Any:
        for number in range(50):
            alive.append(1)
            assert sum(alive) < 5
            yield Encoded(Noted(photo(number)), "ab"[number % 2])

    assert len(unpacked(many(), {}, "set", tmp_path / "bottlenecks").files) == 50


HOSTILE = ["../../up", "/etc", "..", ".hidden", "a/b", "a\\b", "CON", "x" * 300, "猫" * 200, "São Bernardo", "a:b*?",
           '"', "a,b", "Cat", "cat", "-rf", "~", "$HOME", "photos.csv", "#1", "=1+1"]  # fmt: skip


def test_hostile_class_names_stay_in_the_folder(tmp_path: Path) -> None:
    entries = [Encoded(photo(number), name) for number, name in enumerate(HOSTILE)]
    listing = unpacked(entries, {}, "../../set", tmp_path / "a" / "bottlenecks")
    assert {file.label: Path(file.path).read_bytes() for file in listing.files} == {
        name: photo(number) for number, name in enumerate(HOSTILE)
    }
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["sources"]
    folders = [Path(file.path).parent.name for file in listing.files]
    assert len({folder.lower() for folder in folders}) == len(HOSTILE)


printable = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=90).filter(
    lambda name: name.strip()
)


@settings(max_examples=60, deadline=None)
@given(st.lists(printable, min_size=2, max_size=5, unique=True))
def test_any_class_name_comes_back(names: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "bottlenecks")
        try:
            listing = unpacked([Encoded(photo(1), name) for name in names], {}, "set", store)
        except DatasetError as error:
            assert "look the same" in str(error)
            return
        assert [file.label for file in listing.files] == sorted(names)


def test_entries_that_are_skipped_keep_odd_names(tmp_path: Path) -> None:
    entries = [Encoded(photo(1), "a"), Encoded(photo(2), "b"), Skipped('x,"1"\n', "because")]
    for _ in range(2):
        assert unpacked(entries, {}, "set", tmp_path / "b").skipped == (Skipped('x,"1"\n', "because"),)
