"""Folders as Hugging Face's `imagefolder` reads them: photos, and metadata that name their classes."""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shades import reasons, save

from retrain.core.errors import DatasetError
from retrain.photos.opening import list_photos


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


@KINDS
def test_a_column_says_the_split(kind: str, tmp_path: Path, store: Path) -> None:
    sides = {"a": "train", "b": "Train ", "c": "test", "d": "test"}
    for shade, name in enumerate(sides):
        save(tmp_path / "set" / f"{name}.png", shade)
    rows = [{"file_name": f"{name}.png", "label": shade % 2, "split": sides[name]} for shade, name in enumerate(sides)]
    metadata(tmp_path / "set", rows, kind)
    found = {Path(file.path).stem: file.split for file in list_photos(tmp_path / "set", store).files}
    assert found == {"a": "training", "b": "training", "c": "testing", "d": "testing"}
    metadata(tmp_path / "set", [{**row, "split": "extra"} for row in rows], kind)
    with pytest.raises(DatasetError, match=rf"metadata\.{kind}, .*: the split 'extra' is not train, validation"):
        list_photos(tmp_path / "set", store)


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
