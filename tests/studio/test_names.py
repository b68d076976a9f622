"""Names that come from a page: classes by a name that can be one, photos by a harmless one."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from studio_folders import png, put

from label_image.errors import PhotoError
from label_image.folders import is_litter
from label_image.photo_files.kinds import FORMATS
from retrain.core.errors import StudioError
from retrain.core.language import in_language
from retrain.photos.opening import list_photos
from retrain.studio.changes import Changes
from retrain.studio.listing import list_folder
from retrain.studio.names import EXTENSIONS, check_class_name, photo_name
from retrain.studio.opening import open_folder


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "needs a name"),
        (" \t ", "needs a name"),
        ("..", "begin with a dot"),
        (".trash", "begin with a dot"),
        ("../cat", "cannot have a / in it"),
        ("cat/../../etc", "cannot have a / in it"),
        ("cat\\dog", r"cannot have a \\ in it"),
        ("cat: black", "cannot have a : in it"),
        ("<img src=x>", "cannot have a < in it"),
        ("a\0b", "invisible character"),
        ("a\nb", "invisible character"),
        ("a\u202eb", "invisible character"),
        ("a\u200bb", "invisible character"),
        ("\ud800", "invisible character"),
        ("cat.", "end with a dot"),
        ("NUL", "Windows keeps for itself"),
        ("com1.cats", "Windows keeps for itself"),
        ("é" * 128, "takes 256 bytes"),
        ("cat", "is a class cat already"),
        ("Cat", "looks the same"),
        ("ｃａｔ", "looks the same"),
        ("c\u200dat", "looks the same"),
        ("cafe\u0301", "is a class café already"),
        ("train", "read as the part of a data set"),
        ("Validation", "read as the part of a data set"),
        ("test set", "read as the part of a data set"),
        ("unlabelled", "read as photos without classes"),
        ("images", "read as the folder around all classes"),
        ("dataset", "read as the folder around all classes"),
        ("labels", "read as notes about photos"),
        ("Annotations", "read as notes about photos"),
        ("__MACOSX", "what a system or a tool leaves"),
        ("Thumbs.db", "what a system or a tool leaves"),
    ],
)
def test_what_no_class_can_be_called(name: str, said: str) -> None:
    with pytest.raises(StudioError, match=said) as refused:
        check_class_name(name, ["cat", "café"])
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "dog", "Katze 🐈‍⬛", "קת", "می‌خواهم", "no mask", "mask", "tree train", "x.y", "100", "small", "é" * 127, "com",
        "O'Neill & Co", "a  b",
    ],
)  # fmt: skip
def test_what_a_class_can_be_called(name: str, tmp_path: Path) -> None:
    assert check_class_name(f"  {name}\n", ["cat", "bird"]) == name
    put(tmp_path, "cat/1.jpg", "bird/1.jpg", f"{name}/1.jpg")
    open_folder(tmp_path)
    assert {file.label for file in list_photos(tmp_path).files} == {"cat", "bird", name}


def test_a_name_that_is_one_by_itself_but_not_beside_these(tmp_path: Path) -> None:
    """Beside a folder `images`, which only a person can make, masks are annotations."""
    assert check_class_name("masks", ["cat", "dog"]) == "masks"
    with pytest.raises(StudioError, match="something else than a class"):
        check_class_name("masks", ["images", "dog"])


WORDS = st.sampled_from(
    ["cat", "dog", "train", "val", "images", "labels", "mask", "data", "unlabelled", "test", "set", "small", "2", ".x"]
)
NAMES = st.one_of(st.text(max_size=12), st.lists(WORDS, min_size=1, max_size=3).map(" ".join))


@settings(max_examples=50)
@given(st.lists(NAMES, min_size=2, max_size=6))
def test_classes_that_could_be_made_are_what_retrain_reads(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place, Changes(Path(place)) as changes:
        for name in names:
            with suppress(StudioError):
                made = changes.make_class(name).label
                assert made is not None
                put(changes.folder, f"{made}/1.jpg", f"{made}/2.jpg")
        listing = list_folder(changes.folder)
        assert list(listing.classes) == changes.classes()
        open_folder(changes.folder)
        if len(listing.classes) > 1:
            assert {(file.path, file.label) for file in list_photos(place).files} == {
                (photo.file.path, photo.label) for photo in listing.photos
            }


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("cat.png", "cat.png"),
        ("IMG_1.PNG", "IMG_1.PNG"),
        ("cat.jpg", "cat.png"),
        ("cat.txt", "cat.png"),
        ("12.5 metres", "12.5 metres.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\fakepath\\cat.png", "cat.png"),
        ("..", "photo.png"),
        ("", "photo.png"),
        (".hidden.png", "hidden.png"),
        ("a\0b\nc.png", "a_b_c.png"),
        ("<img src=x onerror=alert(1)>.png", "_img src=x onerror=alert(1)_.png"),
        ("con.png", "_con.png"),
        ("Thumbs.db", "Thumbs.png"),
        ("\u202egnp.exe", "_gnp.png"),
        ("webcam-20261128-225501_nohash_01.png", "webcam-20261128-225501_nohash_01.png"),
        ("\ud800.png", "_.png"),
        ("קת 🐈.png", "קת 🐈.png"),
        ("é" * 300, "é" * 121 + ".png"),
    ],
)
def test_names_of_photos_are_harmless(given: str, name: str) -> None:
    assert photo_name(given, png(1)) == name
    assert photo_name(name, png(1)) == name


@given(st.text(max_size=300))
def test_any_name_of_a_photo_can_be_written(given: str) -> None:
    name = photo_name(given, png(1))
    assert name == photo_name(name, png(1))
    assert len(os.fsencode(name)) <= 255 and name.endswith(".png") and os.path.basename(name) == name
    assert not is_litter(name) and not name.startswith(".") and "\0" not in name


def test_the_extension_is_that_of_the_content() -> None:
    assert set(EXTENSIONS) == set(FORMATS)
    with pytest.raises(PhotoError, match="PDF"):
        photo_name("cat.jpg", b"%PDF-1.7")
    with pytest.raises(PhotoError, match="is empty"):
        photo_name("cat.jpg", b"")


def test_sentences_are_in_the_language_of_the_page() -> None:
    with in_language("pt"), pytest.raises(StudioError, match="Já existe uma classe gato"):
        check_class_name("gato", ["gato"])
