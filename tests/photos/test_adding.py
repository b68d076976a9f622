"""`--add_images`: several sources as one data set."""

import os
from pathlib import Path

import pytest
from painting import paint, paint_classes

from retrain.core.errors import DatasetError, OptionError, RetrainError
from retrain.photos.adding import in_two_classes, once_each
from retrain.photos.dataset import Photo
from retrain.photos.opening import Dataset, _class_name, open_dataset
from retrain.photos.record import NAME, write_record
from retrain.photos.sources.folders import read_folder
from retrain.photos.split import Division


@pytest.fixture(autouse=True)
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two classes, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return paint_classes(Path("pets"), {"red": "red", "blue": "blue"}, range(3))


def opened(*added: str, **options: object) -> Dataset:
    return open_dataset("pets", add_images=added, bottleneck_dir="b", **options)  # type: ignore[arg-type]


def counts(listing: Dataset) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for file in listing.files:
        found[file.label, file.part] = found.get((file.label, file.part), 0) + 1
    return found


PETS = {("blue", 0): 3, ("red", 0): 3}


def test_a_folder_of_photos_alone_is_a_class_of_its_name() -> None:
    for name in ("1.png", ".hidden.png", "a.txt"):
        paint(Path("Sphynx") / name, "grey", format="png")
    listing = opened("Sphynx/")
    assert counts(listing) == {**PETS, ("Sphynx", 1): 2}  # as in any class folder, what opens counts
    assert [skipped.path for skipped in listing.skipped] == [str(Path("Sphynx/.hidden.png").absolute())]


@pytest.mark.parametrize("folder", ["Sphynx", "Sphynx/images", "./Sphynx", "../here/Sphynx"])
def test_its_name_is_what_the_user_calls_it(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for number in range(3):
        paint(Path(folder) / f"IMG_{number}.png", "grey", number)
    listing = open_dataset("../pets", add_images=[folder.removesuffix("/images")], bottleneck_dir="b")
    assert counts(listing) == {**PETS, ("Sphynx", 1): 3}
    name = folder.removesuffix("/images")
    assert f"Added from {name}: 3 photos of the class Sphynx." in listing.remarks
    assert listing.reading == "class folders blue, red; added: photos of the class Sphynx"


@pytest.mark.parametrize("name", ["images", "train", "all photos", "predictions"])
def test_a_name_that_says_no_class_is_refused(name: str) -> None:
    paint(Path(name) / "1.png", "grey")
    with pytest.raises(OptionError, match=f"{name} holds photos alone, and the name {name!r} says no class"):
        opened(name)
    assert counts(opened(name, layout="folders")) == {**PETS, (name, 1): 1}


def test_what_was_unpacked_is_called_as_what_it_came_in() -> None:
    paint(Path("kept/1f2e/content/1.png"), "grey")
    assert read_folder(Path("kept/1f2e/content"), class_name="Sphynx").labels == ("Sphynx",)
    Path("photos.tar.gz").touch()
    assert [_class_name(name) for name in ("photos.tar.gz", "a/Sphynx.zip", "pets/", "kept/1f2e")] == [
        "photos", "Sphynx", "pets", "1f2e",
    ]  # fmt: skip


def test_a_heap_whose_file_names_tell_classes_is_asked_about() -> None:
    for name in ("cat.0", "cat.1", "dog.0", "dog.1"):
        paint(Path("heap") / f"{name}.png", "grey", len(name))
    with pytest.raises(
        OptionError, match=r"two ways. `layout` folders: photos of the class heap. `layout` names: .*cat"
    ):
        opened("heap")


def test_folders_of_one_class_and_of_many_are_added_and_classes_of_one_name_are_one() -> None:
    paint_classes(Path("more"), {"red": "red", "grey": "grey"}, range(10, 12))
    paint_classes(Path("single"), {"green": "green"}, range(2))
    listing = opened("more", "single")
    assert counts(listing) == {**PETS, ("red", 1): 2, ("grey", 1): 2, ("green", 2): 2}
    assert listing.labels == ("blue", "green", "grey", "red")
    assert [(file.label, file.path) for file in listing.files] == sorted((f.label, f.path) for f in listing.files)


def test_a_table_and_a_record_may_be_added() -> None:
    photo = paint(Path("grey.png"), "grey")
    Path("photos.csv").write_text(f"path,label\n{photo},grey\n")
    Path("old").mkdir()
    write_record(Path("old"), [Photo("nowhere.png", "old", "a" * 64)], Division(("testing",)), "")
    listing = opened("photos.csv", f"old/{NAME}")
    assert counts(listing) == {**PETS, ("grey", 1): 1, ("old", 2): 1}
    assert "All 1 photos of it are gone" in " ".join(listing.remarks)


def test_a_file_of_two_sources_counts_once_and_may_not_have_two_classes() -> None:
    listing = opened("pets", os.path.abspath("pets"))
    assert counts(listing) == PETS
    assert (
        "Added from pets: 0 photos of the classes blue, red; 6 more are photos of the other sources." in listing.remarks
    )
    with pytest.raises(DatasetError, match=r"pets.red.0.png is in two sources, as 'red' and, in other.csv, as 'blue'"):
        Path("other.csv").write_text("path,label\npets/red/0.png,blue\n")
        opened("other.csv")


def test_names_that_look_the_same_are_refused_across_sources() -> None:
    paint(Path("red ") / "1.png")
    with pytest.raises(DatasetError, match="look the same"):
        opened("red ")


@pytest.mark.parametrize("name", ["nowhere", "empty", "text.txt"])
def test_what_cannot_be_added_is_a_sentence(name: str) -> None:
    Path("empty").mkdir()
    Path("text.txt").write_text("x")
    with pytest.raises(RetrainError, match=r"(nowhere|empty).*check `add_images`|text\.txt is neither"):
        opened(name)


def test_fixes_name_added_photos_by_their_path_and_from_their_folder() -> None:
    paint_classes(Path("more"), {"grey": "grey"}, range(3))
    rows = ["file,action", "more/grey/0.png,remove", "grey/1.png,relabel:red", "red/0.png,remove"]
    Path("fixes.csv").write_text("\n".join(rows))
    assert counts(opened("more", fixes="fixes.csv")) == {("blue", 0): 3, ("red", 0): 2, ("grey", 1): 1, ("red", 1): 1}


def photo(path: str, content: str, label: str = "red", part: int = 0, gone: bool = False) -> Photo:
    return Photo(path, label, content * 64, "testing" if gone else None, part, gone)


def test_the_same_content_in_the_same_class_counts_once_across_sources() -> None:
    photos = [
        photo("1", "a"), photo("copy of 1", "a"), photo("new 1", "a", part=1), photo("new 2", "b", part=1),
        photo("copy of new 2", "b", part=1), photo("other class", "a", "blue", part=1),
    ]  # fmt: skip
    kept, skipped = once_each(photos)
    assert [one.path if one else None for one in kept] == [
        "1",
        "copy of 1",
        None,
        "new 2",
        "copy of new 2",
        "other class",
    ]
    assert [(one.path, one.reason) for one in skipped] == [("new 1", "is the same photo as 1, which counts once")]


def test_a_photo_that_is_gone_and_added_again_is_there_on_its_old_side() -> None:
    kept, skipped = once_each([photo("old", "a", gone=True), photo("new", "a", part=1), photo("newer", "a", part=2)])
    assert kept == [Photo("new", "red", "a" * 64, "testing", 0, False), None, None]
    assert [one.path for one in skipped] == ["newer"]


def test_copies_that_are_gone_are_there_again_by_as_many_files_as_there_are() -> None:
    old = [photo("1", "a", gone=True), photo("2", "a", gone=True), photo("3", "a", gone=True)]
    kept, skipped = once_each([*old, photo("new 1", "a", part=1), photo("new 2", "a", part=1)])
    assert [(one.path, one.gone) for one in kept if one] == [("new 1", False), ("new 2", False), ("new 2", False)]
    assert skipped == []


def test_a_content_in_two_classes_is_said() -> None:
    assert in_two_classes([photo("1", "a"), photo("2", "a", "blue")]) == ""  # of one source, as ever
    assert in_two_classes([photo("1", "a"), photo("2", "a", "blue", part=1)]) == (
        "1 of the added photos is in another class, too (the first: 2 is 'blue' and, as 1, 'red'): both count. "
        "`retrain doctor` lists them."
    )
