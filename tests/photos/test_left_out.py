"""What is left out is counted by reason, and the screen says what would help."""

from pathlib import Path

import pytest
from listings import make, reasons
from painting import paint

from retrain.core.errors import DatasetError
from retrain.photos.left_out import counted, in_words, what_would_help, with_count
from retrain.photos.opening import list_photos

REASONS = [
    "is cut off: its 17 bytes end before the picture does",
    "is cut off: its 99 bytes end before the picture begins",
    "is 90000 x 90000 pixels; the limit is 250000000",
    "is not a photo: it is a video or audio file",
    "is a video",
    "is a video",
    "does not exist (photos.csv, line 3)",
    "is another path to /a/b",
]


def test_reasons_that_differ_in_numbers_and_paths_are_one() -> None:
    assert counted(REASONS) == {
        "is a video": 3,
        "is cut off": 2,
        "takes too much memory": 1,
        "does not exist": 1,
        "is another path to a folder that is listed": 1,
    }
    assert in_words(REASONS).startswith("3 × is a video, 2 × is cut off, 1 takes too much memory, ")
    assert in_words(REASONS).endswith(", 1 for another reason")
    assert in_words([*REASONS, *("is hidden", "is empty") * 2]).endswith(", 3 for other reasons")
    assert what_would_help(REASONS).startswith("Videos are not read")
    assert what_would_help(["is hidden"]) == what_would_help([]) == ""


def test_one_is_said_in_a_sentence_and_more_are_counted() -> None:
    assert with_count("holds only videos", 1) == "1 holds only videos"
    assert with_count("holds only videos", 1200) == "1,200 × holds only videos"


def test_videos_beside_photos_are_named_and_not_read(tmp_path: Path) -> None:
    make(tmp_path, "cat/1.jpg", "cat/1.MOV", "cat/2.mp4", "dog/1.heic", "dog/1.m4v", "dog/1.AVI")
    listing = list_photos(tmp_path)
    assert len(listing.files) == 2
    assert set(reasons(listing, tmp_path).values()) == {"is a video"} and len(listing.skipped) == 4


def test_videos_in_a_heap_of_named_photos(tmp_path: Path) -> None:
    make(tmp_path, *(f"{label}.{number}.jpg" for label in ("cat", "dog") for number in range(3)), "cat.0.mov")
    assert reasons(list_photos(tmp_path), tmp_path) == {"cat.0.mov": "is a video"}


@pytest.mark.parametrize("folders", [("cat", "dog"), ("cat", "dog", "bird")])
def test_a_folder_of_videos_alone_says_so(folders: tuple[str, ...], tmp_path: Path) -> None:
    make(tmp_path, *(f"{folder}/{number}.MOV" for folder in folders for number in range(4)))
    with pytest.raises(DatasetError) as refused:
        list_photos(tmp_path)
    assert f"Left out: {len(folders)} × holds only videos. Videos are not read: save single" in str(refused.value)


def test_one_class_with_photos_says_what_became_of_the_other(tmp_path: Path) -> None:
    make(tmp_path, "dog/1.MOV", "dog/2.MOV")
    paint(tmp_path / "cat" / "1.jpg")
    with pytest.raises(DatasetError, match=r"only the class 'cat'.* Left out: 1 holds only videos\. Videos"):
        list_photos(tmp_path)
