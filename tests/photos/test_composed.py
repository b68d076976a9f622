"""Names whose accents a table composes otherwise than the disk, as where photos or tables came from a Mac."""

import unicodedata
from pathlib import Path

import pytest
from listings import found, make, reasons

from retrain.core.errors import DatasetError
from retrain.photos.composed import ways_to_compose
from retrain.photos.fixes import apply_fixes
from retrain.photos.opening import list_photos

FORMS = pytest.mark.parametrize(("on_disk", "written"), [("NFD", "NFC"), ("NFC", "NFD")])
PHOTOS = {"cão/avó1.jpg": "cão", "cão/foto2.jpg": "cão", "gato/avó3.jpg": "gato", "gato/foto4.jpg": "gato"}


def form(kind: str, name: str) -> str:
    return unicodedata.normalize(kind, name)  # type: ignore[arg-type]


def photos(folder: Path, kind: str) -> list[str]:
    """Photos with names of one form; returns these, sorted."""
    names = sorted(form(kind, name) for name in PHOTOS)
    make(folder, *names)
    return names


def rows(kind: str) -> list[str]:
    return [f"{form(kind, name)},{label}" for name, label in PHOTOS.items()]


def test_the_name_as_it_is_comes_first_and_others_only_where_there_are_accents() -> None:
    composed, apart = "cão/avó.jpg", form("NFD", "cão/avó.jpg")
    assert list(ways_to_compose("cat/1.jpg")) == ["cat/1.jpg"] and list(ways_to_compose("猫.jpg")) == ["猫.jpg"]
    assert next(ways_to_compose(apart)) == apart and next(ways_to_compose(composed)) == composed
    assert set(ways_to_compose(composed)) == set(ways_to_compose(apart)) and len(set(ways_to_compose(apart))) == 4


@FORMS
@pytest.mark.parametrize("header", ["path,label", "image,breed"])
def test_the_photos_of_a_table(on_disk: str, written: str, header: str, tmp_path: Path) -> None:
    names = photos(tmp_path, on_disk)
    (tmp_path / "photos.csv").write_text("\n".join([header, *rows(written)]), encoding="utf-8")
    listing = list_photos(tmp_path / "photos.csv")
    assert sorted(name for _, name in found(listing, tmp_path)) == names and not listing.skipped


@FORMS
def test_the_photos_of_a_folder_that_the_table_does_not_name(on_disk: str, written: str, tmp_path: Path) -> None:
    make(tmp_path / "fotos", *(form(on_disk, f"avó{number}.jpg") for number in range(4)))
    lines = [form(written, f"avó{number},{'ab'[number % 2]}") for number in range(4)]
    (tmp_path / "table.csv").write_text("\n".join(["id,breed", *lines]), encoding="utf-8")
    assert len(list_photos(tmp_path / "table.csv").files) == 4


@FORMS
def test_the_photos_of_a_hugging_face_folder(on_disk: str, written: str, tmp_path: Path) -> None:
    names = photos(tmp_path, on_disk)
    (tmp_path / "metadata.csv").write_text("\n".join(["file_name,label", *rows(written)]), encoding="utf-8")
    listing = list_photos(tmp_path)
    assert sorted(name for _, name in found(listing, tmp_path)) == names and not listing.skipped


@FORMS
@pytest.mark.parametrize("absolute", [False, True])
def test_the_photos_of_a_file_of_fixes(on_disk: str, written: str, absolute: bool, tmp_path: Path) -> None:
    photos(tmp_path / "pets", on_disk)
    name = form(written, "gato/avó3.jpg")
    fixes = tmp_path / "fixes.csv"
    fixes.write_text(f"file,action\n{tmp_path / 'pets' / name if absolute else name},remove\n", encoding="utf-8")
    listing = apply_fixes(list_photos(tmp_path / "pets"), fixes, tmp_path / "pets")
    assert form(on_disk, "gato/avó3.jpg") not in [name for _, name in found(listing, tmp_path / "pets")]
    assert len(listing.files) == 3


def test_a_photo_of_each_form_is_meant_by_its_own_name(tmp_path: Path) -> None:
    both = [form("NFC", "avó.jpg"), form("NFD", "avó.jpg")]
    make(tmp_path, *both)
    (tmp_path / "photos.csv").write_text(f"path,label\n{both[0]},a\n{both[1]},b\n", encoding="utf-8")
    assert found(list_photos(tmp_path / "photos.csv"), tmp_path) == [("a", both[0]), ("b", both[1])]


def test_a_row_for_each_form_of_one_photo_must_say_one_class(tmp_path: Path) -> None:
    make(tmp_path, form("NFD", "avó.jpg"), "b.jpg")
    lines = ["path,label", "b.jpg,b", *(f"{form(kind, 'avó.jpg')},a" for kind in ("NFC", "NFD"))]
    (tmp_path / "photos.csv").write_text("\n".join(lines), encoding="utf-8")
    assert len(list_photos(tmp_path / "photos.csv").files) == 2
    (tmp_path / "photos.csv").write_text("\n".join([*lines[:3], lines[3][:-1] + "b"]), encoding="utf-8")
    with pytest.raises(DatasetError, match="twice"):
        list_photos(tmp_path / "photos.csv")


def test_what_is_not_there_in_any_form_is_said_by_the_name_that_is_written(tmp_path: Path) -> None:
    photos(tmp_path, "NFD")
    (tmp_path / "photos.csv").write_text("\n".join(["path,label", *rows("NFC")[1:], "maçã.jpg,gato"]), encoding="utf-8")
    assert reasons(list_photos(tmp_path / "photos.csv"), tmp_path) == {
        "maçã.jpg": "does not exist (photos.csv, line 5)"
    }
