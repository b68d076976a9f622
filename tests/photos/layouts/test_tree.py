"""The listing is bounded, and the reading needs no disk."""

from pathlib import Path

import pytest
from listings import make

from retrain.photos.layouts import tree
from retrain.photos.layouts.file_names import pattern_of
from retrain.photos.layouts.recognise import recognise
from retrain.photos.layouts.tree import Folder, list_tree, tree_of
from retrain.photos.layouts.words import kind_of, side_of

FILES = ("a/train/cat/1.jpg", "a/train/dog/2", "a/val/cat/3.xyz", "a/__MACOSX/1.jpg", "a/b.txt", ".git/HEAD", "a/.x")


def flat(folder: Folder) -> dict[str, tuple[object, ...]]:
    own = (folder.photos, folder.bare, folder.strange, dict(folder.others), folder.litter, folder.listed)
    found: dict[str, tuple[object, ...]] = {folder.path: own}
    for inside in folder.folders:
        found |= flat(inside)
    return found


def test_what_is_listed_is_what_names_say(tmp_path: Path) -> None:
    found = flat(list_tree(str(make(tmp_path, *FILES))))
    assert found == flat(tree_of(FILES))
    assert found["a"] == (0, 0, 0, {".txt": 1}, ("__MACOSX",), True)
    assert found["a/train/dog"][:3] == (0, 1, 0) and found["a/val/cat"][:3] == (0, 0, 1)
    assert not any(".git" in path for path in found)


def test_a_large_folder_of_photos_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "LOOKED_AT", 5)
    make(tmp_path, *(f"cat/{number}.jpg" for number in range(50)), *(f"{number}.jpg" for number in range(50)))
    found = list_tree(str(tmp_path))
    assert found.photos == 50 and found.folders[0].photos == 5


def test_folders_beyond_the_bounds_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_FOLDERS", 3)
    make(tmp_path, "a/1.jpg", "b/1.jpg", "c/1.txt", "d/e/1.jpg")
    found = list_tree(str(tmp_path))
    assert [one.listed for one in found.folders] == [True, True, False, False]
    assert recognise(found, "photos", lambda path: []).classes == ("a", "b", "c", "d")


def test_links_in_circles_come_to_an_end(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/beside").symlink_to("../b")
    (tmp_path / "b/beside").symlink_to("../a")
    assert len(flat(list_tree(str(tmp_path)))) == 5


def test_a_reading_needs_no_disk() -> None:
    reading = recognise(tree_of(["x/train/a/1.jpg", "x/train/b/2.jpg", "x/test/3.jpg"]), "x", lambda path: [])
    assert reading.summary() == "x/train with the classes a, b; left out: x/test"
    assert [(one.path, one.reason) for one in reading.left_out] == [("x/test", "holds photos without classes")]


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("train", "training"), ("TRAIN", "training"), ("training_set", "training"), ("seg_train", "training"),
        ("train2017", "training"), ("images-train", "training"), ("TrainSet", "training"), ("val", "validation"),
        ("dev", "validation"), ("test1", "testing"), ("Testing", "testing"), ("train_test", None), ("trains", None),
        ("train ticket", None), ("contest", None), ("control", None), ("", None), ("2017", None), ("images", None),
    ],
)  # fmt: skip
def test_names_of_sides(name: str, side: str | None) -> None:
    assert side_of(name) == side


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("1.jpg", "photo"), ("1.JPEG", "photo"), ("x.HEIC", "photo"), ("1.txt", "other"), ("README", "other"),
        ("1", "bare"),        ("events.out.tfevents.1.host", "strange"), ("x.", "strange"), ("a.jpg.exe", "other"),
    ],
)  # fmt: skip
def test_kinds_of_files(name: str, kind: str) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        ("cat.0.jpg cat.1.jpg dog.0.jpg dog.1.jpg", "class.1"),
        ("a_b_1.jpg a_b_2.jpg a_c_1.jpg a_c_2.jpg", "class_1"),
        ("cat-1.png cat-2.png dog-1.png dog-2.png", "class-1"),
        ("cat(1).png cat(2).png dog(1).png dog(2).png", "class (1)"),
        ("cat.0.jpg cat.1.jpg dog_0.jpg dog_1.jpg", None),  # not one pattern
        ("cat.0.jpg cat.1.jpg cat.2.jpg", None),  # one class
        ("a_1.jpg b_1.jpg c_1.jpg", None),  # as many classes as photos
        ("IMG_1.jpg IMG_2.jpg DSC_1.jpg DSC_2.jpg", None),  # what cameras write
        ("p1_1.jpg p1_2.jpg p2_1.jpg p2_2.jpg", None),  # numbers of persons
        ("2007_1.jpg 2007_2.jpg 2008_1.jpg 2008_2.jpg", None),
        ("", None),
    ],
)
def test_patterns_of_file_names(names: str, pattern: str | None) -> None:
    assert pattern_of(names.split()) == pattern
