import csv
import errno
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stand_ins import Said

import retrain.photos.hashes
import retrain.photos.sources.contents
import retrain.photos.sources.tfds
import retrain.photos.sources.unpack
from label_image.installing import how_to_install
from retrain.core.errors import DatasetError, OptionError
from retrain.photos.dataset import Dataset, PhotoFile, Skipped, in_order
from retrain.photos.opening import list_photos
from retrain.photos.sources.base import Encoded, Unpacking
from retrain.photos.sources.unpack import unpack
from retrain.photos.subset import limit_per_class


def photo(shade: int, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (9, 9), (shade, 10, 255 - shade)).save(data, kind)
    return data.getvalue()


def save(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo(shade))
    return path


def listed(listing: Dataset) -> list[tuple[str, str | None, bytes]]:
    """Class, given split and content of every photo, sorted."""
    return sorted((file.label, file.split or "", Path(file.path).read_bytes()) for file in listing.files)


def reasons(listing: Dataset) -> list[tuple[str, str]]:
    return [(os.path.basename(item.path), item.reason) for item in listing.skipped]


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def unpacked(
    entries: Any, identity: dict[str, object], name: str, store: Path, say: Callable[[str], None] = lambda said: None
) -> Dataset:
    """The photos of entries in their order."""
    return in_order(unpack(entries, identity, name, Unpacking(store, progress=Said(say))), name)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "tf_files" / "bottlenecks"


@pytest.mark.parametrize("source", ["nowhere", "nowhere.parquet", "nowhere.csv"])
def test_a_source_that_does_not_exist(source: str, tmp_path: Path, store: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere.*check `image_dir`\."):
        list_photos(tmp_path / source, store)


# Parquet with image bytes

NAMES = ["gato", "São Bernardo"]


def parquet(
    path: Path,
    labels: Sequence[object],
    *,
    names: Sequence[str] | None = None,
    image: str = "image",
    label: str = "label",
    first: int = 0,
    **columns: list[Any],
) -> Path:
    """A file as Hugging Face's library writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": photo(first + row), "path": f"{row}.png"} for row in range(len(labels))]
    table = pa.table({image: images, label: list(labels), **columns})
    if names is not None:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=3)
    return path


def test_parquet_of_hugging_face(tmp_path: Path, store: Path) -> None:
    source = parquet(tmp_path / "cats.parquet", [0, 1, 1, 0, 1], names=NAMES)
    listing = list_photos(source, store)
    expected = [(NAMES[label], "", photo(row)) for row, label in enumerate([0, 1, 1, 0, 1])]
    assert listed(listing) == sorted(expected)
    assert listing.skipped == () and listing.remarks == ()
    assert all(Path(file.path).is_relative_to(store.parent / "sources") for file in listing.files)
    assert {Path(file.path).suffix for file in listing.files} == {".png"}


@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dog"],
        [3, 12],
        pa.array(["cat", "dog"]).dictionary_encode(),
        pa.array(["cat", "dog"], pa.large_string()),
    ],
    ids=["text", "integers", "categories", "large text"],
)
def test_parquet_labels_without_names(labels: Any, tmp_path: Path, store: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"image": [photo(1), photo(2)], "label": labels}), path)  # plain binary, too
    values = labels if isinstance(labels, list) else labels.to_pylist()
    assert [file.label for file in list_photos(path, store).files] == sorted(map(str, values))


def test_parquet_columns_of_other_names(tmp_path: Path, store: Path) -> None:
    coarse = parquet(tmp_path / "x.parquet", [0, 1], names=NAMES, image="img", label="fine", number=[4, 5])
    assert {file.label for file in list_photos(coarse, store).files} == set(NAMES)


@pytest.mark.parametrize("folder", ["", "data"])
def test_shards_give_the_splits(folder: str, tmp_path: Path, store: Path) -> None:
    root = tmp_path / "set"
    parquet(root / folder / "train-00000-of-00002.parquet", [0, 1], names=NAMES)
    parquet(root / folder / "train-00001-of-00002.parquet", [0, 1], names=NAMES, first=10)
    parquet(root / folder / "validation-00000-of-00001.parquet", [0, 1], names=NAMES, first=20)
    parquet(root / folder / "test-00000-of-00001.parquet", [1, 0], names=NAMES, first=30)
    parquet(root / folder / "extra-00000-of-00001.parquet", [1, 0], names=NAMES, first=40)
    (root / "README.md").write_text("# A set")
    listing = list_photos(root, store)
    assert listed(listing) == sorted(
        (NAMES[(row + turned) % 2], split, photo(first + row))
        for split, first, turned in (("training", 0, 0), ("training", 10, 0), ("validation", 20, 0), ("testing", 30, 1))
        for row in range(2)
    )
    assert reasons(listing) == [("extra-00000-of-00001.parquet", "names no split, unlike the files beside it")]


def test_split_folders_of_shards(tmp_path: Path, store: Path) -> None:
    parquet(tmp_path / "set/train/0000.parquet", [0, 1], names=NAMES)
    parquet(tmp_path / "set/test/0000.parquet", [0, 1], names=NAMES, first=9)
    assert {file.split for file in list_photos(tmp_path / "set", store).files} == {"training", "testing"}


@pytest.mark.parametrize("names", [["train-00000-of-00001"], ["cats-1", "cats-2"], ["contest", "trainee"]])
def test_shards_of_one_side_give_no_split(names: list[str], tmp_path: Path, store: Path) -> None:
    for number, name in enumerate(names):
        parquet(tmp_path / "set" / f"{name}.parquet", [0, 1], names=NAMES, first=9 * number)
    listing = list_photos(tmp_path / "set", store)
    assert len(listing.files) == 2 * len(names)
    assert {file.split for file in listing.files} == {None}


def test_a_parquet_file_among_class_folders_is_no_source(tmp_path: Path, store: Path) -> None:
    for name in ("cat", "dog"):
        save(tmp_path / "photos" / name / "1.png", 5)
    parquet(tmp_path / "photos" / "train.parquet", [0, 1])
    assert {file.label for file in list_photos(tmp_path / "photos", store).files} == {"cat", "dog"}


def test_rows_without_photo_or_class_are_skipped(tmp_path: Path, store: Path) -> None:
    images = [{"bytes": photo(1)}, {"bytes": None}, None, {"bytes": photo(2)}, {"bytes": photo(3)}, {"bytes": photo(4)}]
    table = pa.table({"image": images, "label": [0, 0, 1, -1, None, 1]})
    pq.write_table(table, tmp_path / "x.parquet")
    for _ in range(2):  # as it is written, and as it is found again
        listing = list_photos(tmp_path / "x.parquet", store)
        assert listed(listing) == [("0", "", photo(1)), ("1", "", photo(4))]
        assert reasons(listing) == [
            ("x.parquet, row 2", "holds no image"),
            ("x.parquet, row 3", "holds no image"),
            ("x.parquet, row 4", "has no class"),
            ("x.parquet, row 5", "has no class"),
        ]


def test_a_class_beyond_the_names_is_skipped(tmp_path: Path, store: Path) -> None:
    parquet(tmp_path / "x.parquet", [0, 1, 2], names=NAMES)
    assert reasons(list_photos(tmp_path / "x.parquet", store)) == [
        ("x.parquet, row 3", "has the class 2, and there are 2 names")
    ]


NO_ROWS = pa.table({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())})


def broken(path: Path) -> None:
    path.write_bytes(b"PAR1 no more")


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (broken, "x.parquet is not a readable Parquet file"),
        (
            lambda path: pq.write_table(pa.table({"text": ["a"], "label": [1]}), path),
            "no column with photos or their paths.*text, label",
        ),
        (lambda path: pq.write_table(pa.table({"image": [b"a"], "kind": [1]}), path), "no column `label`.*image, kind"),
        (lambda path: pq.write_table(pa.table({"image": [b"a"], "label": [1.5]}), path), "'label' is double"),
        (lambda path: pq.write_table(pa.table({"image": [b"a"], "label": [[1, 2]]}), path), "'label' is list"),
        (lambda path: pq.write_table(pa.table({"a": [b"a"], "b": [b"b"], "label": [1]}), path), "no column `image`"),
        (lambda path: parquet(path, [0, 0]), "only the class '0'"),
        (lambda path: pq.write_table(NO_ROWS, path), "holds no class"),
        (lambda path: parquet(path, ["a\nb", "c"]), "line break"),
        (lambda path: parquet(path, [" ", "c"]), "empty name"),
        (lambda path: parquet(path, ["c", " c"]), "look the same"),
    ],
)
def test_parquet_that_cannot_be_used(
    write: Callable[[Path], object], sentence: str, tmp_path: Path, store: Path
) -> None:
    write(tmp_path / "x.parquet")
    for _ in range(2):  # the second run finds nothing that the first one left
        with pytest.raises(DatasetError, match=sentence) as caught:
            list_photos(tmp_path / "x.parquet", store)
        assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
        assert str(tmp_path / "x.parquet") in str(caught.value) or "class" in str(caught.value)


def test_a_parquet_file_cut_in_the_middle(tmp_path: Path, store: Path) -> None:
    path = parquet(tmp_path / "x.parquet", [0, 1] * 20, names=NAMES)
    data = bytearray(path.read_bytes())
    data[40:200] = bytes(160)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"x.parquet cannot be read at row \d+"):
        list_photos(path, store)


def test_shards_of_two_sets_are_refused(tmp_path: Path, store: Path) -> None:
    parquet(tmp_path / "set/a.parquet", [0, 1], names=NAMES)
    parquet(tmp_path / "set/b.parquet", [0, 1], names=NAMES[::-1])
    with pytest.raises(DatasetError, match=r"a\.parquet and .*b\.parquet have other columns or class names"):
        list_photos(tmp_path / "set", store)


# Unpacking: once, complete, resumable


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


def test_one_large_row_group_is_not_held_in_memory(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [os.urandom(10_000) for _ in range(4000)]
    pq.write_table(pa.table({"image": photos, "label": [0, 1] * 2000}), tmp_path / "x.parquet", use_dictionary=False)
    before, most = pa.total_allocated_bytes(), 0
    write = retrain.photos.sources.unpack._write_photo
    first: list[str] = []

    def note(path: Path, data: bytes, temporary: Path) -> None:
        nonlocal most
        if path.name not in first and len(first) < 2:  # enough for two classes
            first.append(path.name)
            write(path, data, temporary)
        most = max(most, pa.total_allocated_bytes() - before)

    monkeypatch.setattr(retrain.photos.sources.unpack, "_write_photo", note)
    list_photos(tmp_path / "x.parquet", store)
    assert 0 < most < 4000 * 10_000 * 0.6  # Parquet itself holds a page: 1024 photos


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


# Hugging Face's image folder


def metadata(folder: Path, rows: Sequence[dict[str, object]], kind: str) -> Path:
    path = folder / f"metadata.{kind}"
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "csv":
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


KINDS = pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])


@KINDS
@pytest.mark.parametrize("labels", [["gato", "cão"], [1, 12]], ids=["text", "integers"])
def test_metadata_name_the_classes(kind: str, labels: list[Any], tmp_path: Path, store: Path) -> None:
    root = tmp_path / "set"
    paths = [save(root / name, shade) for shade, name in enumerate(["1.png", "deep/2.png", "3.png"])]
    rows = [
        {"file_name": os.path.relpath(path, root), "text": "x, y", "label": labels[index % 2]}
        for index, path in enumerate(paths)
    ]
    metadata(root, rows, kind)
    save(root / "4.png", 4)
    (root / "README.md").write_text("# A set")
    save(root / ".cache/5.png", 4)
    listing = list_photos(root, store)
    assert sorted((file.path, file.label) for file in listing.files) == sorted(
        (str(path), str(labels[index % 2])) for index, path in enumerate(paths)
    )
    assert {file.split for file in listing.files} == {None}
    assert all(file.ctime_ns == os.stat(file.path).st_ctime_ns for file in listing.files)
    assert reasons(listing) == [("4.png", "is not in the metadata")]
    assert not store.parent.exists()  # nothing is copied


@KINDS
def test_split_folders_with_metadata_each(kind: str, tmp_path: Path, store: Path) -> None:
    root = tmp_path / "set"
    for shade, split in enumerate(["train", "validation", "test"]):
        for name in ("a", "b"):
            save(root / split / f"{name}.png", shade)
        metadata(root / split, [{"file_name": f"{name}.png", "label": name} for name in ("a", "b")], kind)
    assert {(Path(file.path).parent.name, file.split) for file in list_photos(root, store).files} == {
        ("train", "training"), ("validation", "validation"), ("test", "testing"),
    }  # fmt: skip


def test_one_metadata_file_over_split_folders(tmp_path: Path, store: Path) -> None:
    root = tmp_path / "set"
    names = [f"{split}/{name}.png" for split in ("train", "test") for name in ("a", "b")]
    for shade, name in enumerate(names):
        save(root / name, shade)
    metadata(root, [{"file_name": name, "label": name[-5]} for name in names], "csv")
    assert [file.split for file in list_photos(root, store).files] == ["testing", "training"] * 2


def test_one_split_folder_is_no_split(tmp_path: Path, store: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "set/train" / f"{name}.png", 1)
    metadata(tmp_path / "set/train", [{"file_name": f"{name}.png", "label": name} for name in ("a", "b")], "jsonl")
    assert {file.split for file in list_photos(tmp_path / "set", store).files} == {None}


def test_photos_that_metadata_name_and_that_cannot_be_used(tmp_path: Path, store: Path) -> None:
    root = tmp_path / "set"
    save(tmp_path / "secret.png", 1)
    for name in ("a", "b", "c"):
        save(root / f"{name}.png", 1)
    rows: list[dict[str, object]] = [
        {"file_name": "a.png", "label": "a"},
        {"file_name": "b.png", "label": "b"},
        {"file_name": "../secret.png", "label": "b"},
        {"file_name": str(tmp_path / "secret.png"), "label": "b"},
        {"file_name": "gone.png", "label": "b"},
        {"file_name": "c.png", "label": -1},
        {"file_name": ".", "label": "b"},
    ]
    metadata(root, rows, "csv")
    listing = list_photos(root, store)
    assert len(listing.files) == 2
    where = root / "metadata.csv"
    assert reasons(listing) == [
        ("secret.png", f"lies outside of {root} ({where}, line 4)"),
        ("secret.png", f"lies outside of {root} ({where}, line 5)"),
        ("gone.png", f"does not exist ({where}, line 6)"),
        ("c.png", f"has no class ({where}, line 7)"),
        ("set", "is not a regular file"),
    ]


def test_metadata_without_classes_leave_them_to_the_folders(tmp_path: Path, store: Path) -> None:
    for name in ("cat", "dog"):
        save(tmp_path / "set" / name / "1.png", 1)
    metadata(tmp_path / "set", [{"file_name": "cat/1.png", "text": "a cat"}], "csv")
    assert {file.label for file in list_photos(tmp_path / "set", store).files} == {"cat", "dog"}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("metadata.csv", b"file_name,text\n1.png,x\n", "needs the columns file_name and label.*: file_name, text"),
        ("metadata.csv", b"", "its columns are: none"),
        ("metadata.csv", b"file_name,label\n1.png,\xff\n", "not UTF-8"),
        ("metadata.csv", b"file_name,label\n,cat\n", "line 2: the file_name '' is not"),
        (
            "metadata.csv",
            b"file_name,label\n1.png,cat\n1.png,dog\n",
            "line 3: .*1.png has the class 'dog' here and 'cat'",
        ),
        ("metadata.csv", b"file_name,label\n1.png,cat\n", "only the class 'cat'"),
        ("metadata.csv", b'file_name,label\n1.png,"c\nd"\n2.png,x\n', "line break"),
        ("metadata.csv", b"file_name,label\n" + b"x" * 200_000 + b",a\n", "line 2: field larger"),
        ("metadata.jsonl", b'{"file_name": "1.png", "label": "a"}\n{"file_name"\n', "line 2: expected an object"),
        ("metadata.jsonl", b'["1.png", "a"]\n', "line 1: expected an object"),
        ("metadata.jsonl", b'{"file_name": 1, "label": "a"}\n', "line 1: the file_name 1 is not"),
        ("metadata.jsonl", b'{"file_name": "1.png", "label": ["a"]}\n', "label \\['a'\\] is neither"),
        ("metadata.jsonl", b'{"file_name": "1.png", "label": 0.5}\n', "label 0.5 is neither"),
        ("metadata.parquet", b"PAR1", "not a readable Parquet file"),
    ],
)
def test_metadata_that_cannot_be_used(name: str, content: bytes, sentence: str, tmp_path: Path, store: Path) -> None:
    root = tmp_path / "set"
    for number in (1, 2):
        save(root / f"{number}.png", number)
    (root / name).write_bytes(content)
    with pytest.raises(DatasetError, match=sentence) as caught:
        list_photos(root, store)
    assert str(caught.value).endswith(".") and "Traceback" not in str(caught.value)


def test_metadata_parquet_without_labels(tmp_path: Path, store: Path) -> None:
    metadata(tmp_path / "set", [{"file_name": "1.png", "text": "x"}], "parquet")
    with pytest.raises(DatasetError, match=r"its columns are: file_name, text\."):
        list_photos(tmp_path / "set", store)


# --max_images_per_class


def a_listing(names: dict[str, list[str]], split: Any = None) -> Dataset:
    return Dataset(
        tuple(PhotoFile(f"{label}/{name}", label, 1, 1, 1, split) for label in names for name in sorted(names[label]))
    )


def test_at_most_n_per_class() -> None:
    listing = a_listing({"a": [f"{n}.jpg" for n in range(50)], "b": ["1.jpg", "2.jpg"], "c": list("xyz")})
    limited = limit_per_class(listing, 3)
    count = {label: sum(file.label == label for file in limited.files) for label in "abc"}
    assert count == {"a": 3, "b": 2, "c": 3}
    assert limited.remarks == (
        "47 photos of 1 classes are left out: `max_images_per_class` 3 keeps at most 3 per class.",
    )
    assert list(limited.files) == [file for file in listing.files if file in limited.files]  # in their order
    assert limit_per_class(listing, 3) == limited
    assert limit_per_class(listing, None) == limit_per_class(listing, 50) == listing


def test_the_first_names_are_not_preferred() -> None:
    listing = a_listing({"a": [f"{n:03}.jpg" for n in range(1000)]})
    numbers = [int(file.path[2:5]) for file in limit_per_class(listing, 100).files]
    assert 400 < sum(numbers) / 100 < 600


def test_each_given_side_has_its_own_limit() -> None:
    sides = [a_listing({"a": list("uvwxyz"), "b": list("uv")}, split) for split in ("training", "testing")]
    limited = limit_per_class(Dataset(sides[0].files + sides[1].files), 2)
    assert [(file.label, file.split) for file in limited.files] == [
        (label, split) for split in ("training", "testing") for label in ("a", "a", "b", "b")
    ]
    assert "side of the given split" in limited.remarks[0]


def test_a_set_mounted_elsewhere_keeps_its_choice() -> None:
    listing = a_listing({"a": [f"{n}.jpg" for n in range(20)]})
    elsewhere = Dataset(tuple(PhotoFile(f"/mnt/{file.path}", "a", 1, 1, 1) for file in listing.files))
    assert [f"/mnt/{file.path}" for file in limit_per_class(listing, 5).files] == [
        file.path for file in limit_per_class(elsewhere, 5).files
    ]


file_names = st.lists(st.text("abc123", min_size=1, max_size=6), max_size=30, unique=True)


@given(file_names, file_names, st.integers(1, 12))
def test_added_photos_displace_at_most_as_many(names: list[str], added: list[str], limit: int) -> None:
    both = sorted({*names, *added})
    before = {file.path for file in limit_per_class(a_listing({"a": names}), limit).files}
    after = {file.path for file in limit_per_class(a_listing({"a": both}), limit).files}
    new = {f"a/{name}" for name in both} - {f"a/{name}" for name in names}
    assert len(after) == min(limit, len(both))
    assert after - before <= new  # no photo that was left out comes in
    assert len(before - after) <= len(after & new)  # as many go as come


# What is imported


def test_class_folders_need_no_tensorflow_datasets(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save(tmp_path / name / "1.png", 5)
    code = (
        "import sys; from retrain.photos.opening import list_photos; list_photos(sys.argv[1], 'b'); "
        "print({'tensorflow', 'tensorflow_datasets'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_tfds_without_its_package(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DatasetError, match=re.escape(how_to_install("tfds"))):
        list_photos("tfds:tf_flowers", store)


@pytest.mark.parametrize("source", ["tfds:", "tfds::train", "tfds:../x", "tfds:a b", "tfds:name:"])
def test_tfds_names_that_make_no_sense(source: str, store: Path) -> None:
    with pytest.raises(OptionError, match="tfds:NAME:split"):
        list_photos(source, store)


@pytest.mark.parametrize(
    ("text", "name", "split"),
    [
        ("tf_flowers", "tf_flowers", None),
        ("tf_flowers:train[:10%]", "tf_flowers", "train[:10%]"),
        ("beans:train+test", "beans", "train+test"),
        ("mnist:3.0.1", "mnist:3.0.1", None),
        ("mnist:3.*.*:train", "mnist:3.*.*", "train"),
        ("imagenet_v2/matched-frequency:3.0.0:test", "imagenet_v2/matched-frequency:3.0.0", "test"),
    ],
)
def test_tfds_names_versions_and_splits(text: str, name: str, split: str | None) -> None:
    match = retrain.photos.sources.tfds.NAME.fullmatch(text)
    assert match is not None
    assert (match["name"], match["split"]) == (name, split)
