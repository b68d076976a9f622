"""Parquet with photos in it: classes, shards and their sides, and what cannot be used."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_files import NAMES, parquet
from shades import listed, photo, reasons, save

import retrain.photos.hashes
import retrain.photos.sources.contents
import retrain.photos.sources.tfds
import retrain.photos.sources.unpack
from retrain.core.errors import DatasetError
from retrain.photos.opening import list_photos


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


@pytest.mark.parametrize("coded", [False, True])
def test_a_column_says_the_split_of_each_photo(coded: bool, tmp_path: Path, store: Path) -> None:
    sides: Any = pa.array(["train", "train", "test", "test", None])
    sides = sides.dictionary_encode() if coded else sides
    path = parquet(tmp_path / "x.parquet", [0, 1, 1, 0, 1], names=NAMES, split=sides)
    expected = [(0, "training"), (1, "training"), (1, "testing"), (0, "testing"), (1, "")]
    assert listed(list_photos(path, store)) == sorted(
        (NAMES[label], side, photo(row)) for row, (label, side) in enumerate(expected)
    )
    parquet(path, [0, 1], names=NAMES, split=["train", "hold-out"])
    with pytest.raises(DatasetError, match="row 2: the split 'hold-out' is not train, validation or test"):
        list_photos(path, store)


def test_a_column_of_that_name_with_numbers_is_no_split(tmp_path: Path, store: Path) -> None:
    path = parquet(tmp_path / "x.parquet", [0, 1], names=NAMES, split=[0, 1])
    assert {file.split for file in list_photos(path, store).files} == {None}


@pytest.mark.parametrize("photos", ["train/a/1.png train/b/2.png test/a/3.png test/b/4.png"])
def test_a_parquet_file_beside_sides_with_class_folders_is_no_source(photos: str, tmp_path: Path, store: Path) -> None:
    for shade, name in enumerate(photos.split()):
        save(tmp_path / "set" / name, shade)
    pq.write_table(pa.table({"path": ["train/a/1.png"], "label": ["a"]}), tmp_path / "set/vectors.parquet")
    listing = list_photos(tmp_path / "set", store)
    assert (len(listing.files), listing.labels) == (4, ("a", "b"))
    assert ("vectors.parquet", "is not in one of the split folders") in reasons(listing)


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


def test_an_empty_name_is_no_class_as_in_hugging_faces_folders(tmp_path: Path, store: Path) -> None:
    parquet(tmp_path / "x.parquet", ["cat", "", "dog", "-1"])
    listing = list_photos(tmp_path / "x.parquet", store)
    assert {file.label for file in listing.files} == {"cat", "dog"}
    assert reasons(listing) == [("x.parquet, row 2", "has no class"), ("x.parquet, row 4", "has no class")]


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
        names_a_class = str(caught.value).startswith(("A class", "The class"))
        assert names_a_class or str(tmp_path / "x.parquet") in str(caught.value)


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
