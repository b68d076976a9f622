import json
from dataclasses import replace
from pathlib import Path

import pytest

from retrain.core.errors import DatasetError
from retrain.photos.category_names import display_names, read_category_names, rename_classes
from retrain.photos.dataset import Dataset, PhotoFile, Skipped

FLOWERS = {"21": "fire lily", "3": "canterbury bells", "45": "bolero deep blue"}
LABELS = ("21", "3", "45")  # as folders are sorted


def written(folder: Path, content: object) -> Path:
    path = folder / "cat_to_name.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode())
    return path


def names_for(folder: Path, content: object, labels: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names, remarks = display_names(read_category_names(written(folder, content)), labels)
    assert tuple(names) == labels
    return tuple(names.values()), remarks


def test_folders_get_their_names(tmp_path: Path) -> None:
    assert names_for(tmp_path, FLOWERS, LABELS) == (("fire lily", "canterbury bells", "bolero deep blue"), ())


def test_keys_that_are_no_folders_are_indices(tmp_path: Path) -> None:
    names = {"0": "Abissínio", "1": "Bengala"}
    assert names_for(tmp_path, names, ("Abyssinian", "Bengal")) == (("Abissínio", "Bengala"), ())


def test_folders_come_before_indices(tmp_path: Path) -> None:
    assert names_for(tmp_path, {"1": "one", "0": "zero"}, ("0", "1"))[0] == ("zero", "one")
    assert names_for(tmp_path, {"1": "one", "2": "two"}, ("1", "2"))[0] == ("one", "two")


def test_missing_and_unknown_names_are_remarked(tmp_path: Path) -> None:
    shown, remarks = names_for(tmp_path, {"21": "fire lily", "99": "rose"}, LABELS)
    assert shown == ("fire lily", "3", "45")
    assert "no name for these classes, which keep their own: '3', '45'." in remarks[0]
    assert "names classes that have no photos: '99'." in remarks[1]


def test_many_missing_names_are_not_all_listed(tmp_path: Path) -> None:
    _, (remark, _) = names_for(tmp_path, {"a": "A", "z": "Z"}, ("a", *map(str, range(100))))
    assert "… (100 in all)" in remark and len(remark) < 200


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{21: 'lily'}", "is not JSON"),
        (b"", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (["daisy", "rose"], "is not a JSON object"),
        ("daisy", "is not a JSON object"),
        ({}, "holds no names"),
        ({"21": 5}, "the name of '21' must be a text"),
        ({"21": ["fire lily"]}, "the name of '21' must be a text"),
        ({"21": {"name": "fire lily"}}, "the name of '21' must be a text"),
        ({"21": "  "}, "the name of '21' must be a text"),
        (b'{"21": "a", "21": "b"}', "names '21' twice, 'a' and 'b'"),
        ({"21": "rose", "3": "rose"}, "gives the classes '21' and '3' the same name, 'rose'"),
        ({"21": "3"}, "gives the classes '21' and '3' the same name, '3'"),
        ({"21": "ros\u00e9", "3": "rose\u0301 "}, "gives the classes '21' and '3' the same name"),
        ({"21": "fire\nlily"}, "line break"),
        ({"lily": "fire lily"}, "names none of the classes '21', '3', '45'; its keys are 'lily'"),
    ],
)
def test_names_that_cannot_be_used(content: object, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=sentence) as caught:
        names_for(tmp_path, content, LABELS)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"There is no file .*nowhere.json; check `category_names`\."):
        read_category_names(tmp_path / "nowhere.json")
    with pytest.raises(DatasetError, match=r"cannot be read: .*; check `category_names`\."):
        read_category_names(tmp_path)


def test_only_labels_change(tmp_path: Path) -> None:
    files = tuple(PhotoFile(f"{label}/1.png", label, row, 5, 6) for row, label in enumerate(("45", "3", "21", "3")))
    dataset = Dataset(files, (Skipped("x", "is hidden"),), ("remark",), "flowers")
    name_of, _ = display_names(read_category_names(written(tmp_path, FLOWERS)), LABELS)
    named = rename_classes(dataset, name_of)
    assert [file.label for file in named.files] == [FLOWERS[file.label] for file in files]
    assert replace(named, files=files) == dataset
    assert [replace(new, label=old.label) for new, old in zip(named.files, files, strict=True)] == list(files)
