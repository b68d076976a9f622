"""What the studio lists is what `retrain --image_dir` reads, photo by photo and class by class."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from studio_folders import put

from retrain.core.errors import DatasetError, OptionError, StudioError
from retrain.photos.opening import list_photos
from retrain.studio.changes import Changes
from retrain.studio.listing import id_of, list_folder
from retrain.studio.opening import open_folder

FOLDERS = (
    "cat", "dog", "Bird 🐦", "<b>", "line\nbreak", "train", "val", "test", "labels", "images", "unlabelled", "data",
    ".hidden", "__MACOSX", "@eaDir", "old", "Thumbs.db", "cat ", "mask", "notes",
)  # fmt: skip
FILES = (
    "1.jpg", "2.JPG", "cat.1.jpg", "dog.2.jpg", "photo", "x.xyz", "notes.txt", "film.mp4", ".hidden.jpg", "Thumbs.db",
    "a.png", "desktop.ini", "table.csv", "<img src=x>.jpg", "‮gpj.jpg", "line\nbreak.png",
)  # fmt: skip


def listed(folder: Path) -> set[tuple[str, str]]:
    return {(photo.file.path, photo.label) for photo in list_folder(folder).photos if photo.label is not None}


def read(folder: Path) -> set[tuple[str, str]]:
    return {(file.path, file.label) for file in list_photos(folder).files}


@settings(max_examples=120)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(FOLDERS), max_size=2), st.sampled_from(FILES)), unique_by=str, max_size=14
    )
)
def test_what_is_accepted_is_read_as_retrain_reads_it(paths: list[tuple[list[str], str]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "photos"
        folder.mkdir()
        for above, name in paths:
            with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                put(folder, "/".join([*above, name]))
        try:
            open_folder(folder)
        except StudioError:
            return
        try:
            found = read(folder)
        except DatasetError:
            assert len({label for _, label in listed(folder)}) < 2
        except OptionError as error:
            raise AssertionError(paths) from error
        else:
            if list_folder(folder).classes:
                assert found == listed(folder), paths


def test_class_folders_are_accepted_with_all_that_lies_among_them(tmp_path: Path) -> None:
    names = [
        "cat/1.jpg", "cat/2.JPG", "cat/old/3.png", "cat/photo", "cat/x.xyz", "cat/notes.txt", "cat/film.mp4",
        "cat/.hidden.jpg",
        "cat/Thumbs.db", "cat/.old/1.jpg", "cat/@eaDir/1.jpg", "dog/1.jpg", "dog/a.b/1.gif", "notes/a.txt",
        "__MACOSX/cat/1.jpg",
        "loose.jpg", "readme.txt", "table.csv", ".hidden/1.jpg", ".studio/thumbnails/1.jpg", ".trash/0001/cat/1.jpg",
    ]  # fmt: skip
    put(tmp_path, *names)
    (tmp_path / "empty").mkdir()
    open_folder(tmp_path)
    listing = list_folder(tmp_path)
    assert listing.classes == ("cat", "dog", "empty")
    assert [photo.name for photo in listing.photos] == sorted([
        "cat/1.jpg", "cat/2.JPG", "cat/@eaDir/1.jpg", "cat/notes.txt", "cat/old/3.png", "cat/photo", "cat/x.xyz",
        "dog/1.jpg", "dog/a.b/1.gif", "loose.jpg",
    ])  # fmt: skip
    assert [photo.name for photo in listing.photos if photo.label is None] == ["loose.jpg"]
    assert listed(tmp_path) == read(tmp_path)
    assert all(listing.by_id[photo.id] is photo and id_of(photo.name) == photo.id for photo in listing.photos)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["loose.jpg", "other.jpg"],
        ["cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg"],
        ["cat/1.jpg"],
        ["cat/1.jpg", "loose.jpg"],
        ["small/1.jpg", "big/1.jpg"],
        ["train/1.jpg", "car/1.jpg", "bus/1.jpg"],
        ["mask/1.jpg", "no mask/1.jpg"],
        ["tabby/tabby_1.jpg", "tabby/tabby_2.jpg", "siamese/siamese_1.jpg"],
    ],
)
def test_what_a_studio_may_begin_with(names: list[str], tmp_path: Path) -> None:
    put(tmp_path, *names)
    open_folder(tmp_path)
    if len(list_folder(tmp_path).classes) > 1:
        assert listed(tmp_path) == read(tmp_path)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg", "val/dog/2.jpg"],
            "read as train, val with the classes",
        ),
        (["photos/cat/1.jpg", "photos/dog/1.jpg"], "pets/photos is such a folder"),
        (["train/1.jpg", "test/2.jpg"], "no class"),
        (["train/1.jpg", "test/2.jpg", "cat/3.jpg", "dog/4.jpg"], "two ways"),
        (["images/1.jpg", "annotations/1.jpg"], "images is read as the folder around"),
        (["photos/1.jpg"], "photos is read as the folder around"),
        (["cat/1.jpg", "dog/2.jpg", "metadata.csv"], "tables"),
        (["cat/young/1.jpg", "cat/old/1.jpg", "dog/young/1.jpg", "dog/old/1.jpg"], "two ways"),
        (["cat\nx/1.jpg", "dog/2.jpg"], "line break"),
    ],
)
def test_what_is_no_folder_of_class_folders_is_refused(names: list[str], said: str, tmp_path: Path) -> None:
    folder = put(tmp_path / "pets", *names)
    if "metadata.csv" in names:
        (folder / "metadata.csv").write_text("file_name,label\ncat/1.jpg,cat\ndog/2.jpg,dog\n")
    with pytest.raises(StudioError, match=said):
        open_folder(folder)


def test_a_missing_folder_is_made_and_a_file_is_refused(tmp_path: Path) -> None:
    open_folder(tmp_path / "new" / "pets")
    assert list_folder(tmp_path / "new" / "pets").photos == ()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StudioError, match="it is a file"):
        open_folder(tmp_path / "file")


def test_a_link_to_a_folder_elsewhere_is_refused_and_never_followed(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "1.jpg")
    folder = put(tmp_path / "pets", "cat/1.jpg", "dog/1.jpg")
    (folder / "bird").symlink_to(tmp_path / "elsewhere")
    (folder / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "dog" / "self").symlink_to(folder)
    assert [photo.name for photo in list_folder(folder).photos] == ["cat/1.jpg", "dog/1.jpg"]
    with pytest.raises(StudioError, match="behind a link"):
        open_folder(folder)


def test_a_link_to_a_photo_is_a_photo(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "1.jpg")
    folder = put(tmp_path / "pets", "cat/1.jpg", "dog/1.jpg")
    (folder / "cat" / "2.jpg").symlink_to(tmp_path / "elsewhere" / "1.jpg")
    (folder / "cat" / "3.jpg").symlink_to("nowhere")
    open_folder(folder)
    assert listed(folder) == read(folder) and len(listed(folder)) == 3


def test_names_of_any_bytes(tmp_path: Path) -> None:
    long = "é" * 125 + ".jpg"
    strange = ["cat/<img src=x onerror=alert(1)>.jpg", "cat/‮gpj.jpg", "cat/🐈‍⬛.jpg", "cat/a\nb.jpg", f"dog/{long}"]
    put(tmp_path, *strange, "dog/1.jpg")
    raw = os.fsencode(tmp_path) + b"/dog/\xff\xfe.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"")
    open_folder(tmp_path)
    listing = list_folder(tmp_path)
    assert len(listing.photos) == 7 and len(listing.by_id) == 7
    names = [photo.name for photo in listing.photos]
    with Changes(tmp_path) as changes:
        changes.move(names, "bird")
        assert len(list_folder(tmp_path).photos) == 7
        changes.rename_class("bird", "cat")
    with Changes(tmp_path) as changes:  # the names survive in the journal
        while changes.last:
            assert changes.undo().remark == ""  # type: ignore[union-attr]
    assert [photo.name for photo in list_folder(tmp_path).photos] == names


def test_the_version_is_another_one_after_any_change(tmp_path: Path) -> None:
    folder = put(tmp_path / "pets", "cat/1.jpg", "dog/1.jpg")
    versions = [list_folder(folder).version]
    assert list_folder(folder).version == versions[0]
    (folder / "empty").mkdir()
    versions.append(list_folder(folder).version)
    os.utime(folder / "cat" / "1.jpg", ns=(1, 1))
    versions.append(list_folder(folder).version)
    (folder / "cat" / "1.jpg").rename(folder / "cat" / "2.jpg")
    versions.append(list_folder(folder).version)
    (folder / "dog" / "1.jpg").unlink()
    versions.append(list_folder(folder).version)
    assert len(set(versions)) == 5


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="cannot be listed"):
        list_folder(tmp_path / "gone")


def test_all_that_a_person_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StudioError, match="holds all your files"):
        open_folder(tmp_path)
