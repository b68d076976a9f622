"""What is seen in a folder: every photo once, labelled or not, by one engine."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extracting import Counter, average_colour, broken_photos
from painting import paint, paint_classes

from retrain.core.errors import DatasetError
from retrain.core.progress import Silent
from retrain.studio.config import StudioConfig
from retrain.studio.listing import list_folder
from retrain.studio.seeing import Eye, Seen

OpenEye = Callable[[], Eye]
LONG_AGO = 1_500_000_000


def aged(folder: Path) -> None:
    """What was written a moment ago is read again: make it old, as far as that goes."""
    for path in folder.rglob("*.png"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def names(seen: Seen, rows: Sequence[int]) -> set[str]:
    return {os.path.relpath(seen.extraction.photos[row].path, seen.listing.folder) for row in rows}


def test_photos_are_seen_whether_they_have_a_label_or_not(folder: Path, open_eye: OpenEye) -> None:
    paint_classes(folder, {"red": "red", "green": "green"}, range(3))
    paint(folder / "one.png", "blue")
    paint(folder / "two.png", "grey")
    seen = open_eye().see(list_folder(folder))
    assert names(seen, range(len(seen.extraction.photos))) >= {"red/0.png", "green/2.png", "one.png"}
    assert names(seen, seen.unlabelled) == {"one.png", "two.png"}
    for photo, row in zip(seen.extraction.photos, seen.extraction.matrix, strict=True):
        np.testing.assert_allclose(row, average_colour(Path(photo.path).read_bytes()), atol=2e-6)


def test_the_labelled_ones_are_bottlenecks_to_train_on(folder: Path, config: StudioConfig, open_eye: OpenEye) -> None:
    paint_classes(folder, {"red": "red", "green": "green"}, range(3))
    paint(folder / "one.png", "blue")
    (folder / "empty class").mkdir()
    bottlenecks = open_eye().see(list_folder(folder)).labelled(config.extraction)
    assert bottlenecks is not None
    assert bottlenecks.labels == ("green", "red")
    assert [photo.label for photo in bottlenecks.photos] == ["green"] * 3 + ["red"] * 3
    for photo, row in zip(bottlenecks.photos, bottlenecks.matrix, strict=True):
        np.testing.assert_allclose(row, average_colour(Path(photo.path).read_bytes()), atol=2e-6)
    assert [file.path for file in bottlenecks.dataset.files] == [photo.path for photo in bottlenecks.photos]


@pytest.mark.parametrize("classes", [{}, {"red": "red"}])
def test_nothing_is_to_be_trained_with_fewer_than_two_classes(
    folder: Path, config: StudioConfig, open_eye: OpenEye, classes: dict[str, str]
) -> None:
    paint_classes(folder, classes, range(2))
    paint(folder / "unlabelled.png", "blue")
    (folder / "empty class").mkdir()
    assert open_eye().see(list_folder(folder)).labelled(config.extraction) is None


def test_names_that_look_the_same_are_refused_when_they_are_trained_on(
    folder: Path, config: StudioConfig, open_eye: OpenEye
) -> None:
    paint_classes(folder, {"caf\u00e9": "red", "cafe\u0301": "green"}, range(2))
    with pytest.raises(DatasetError, match="look the same"):
        open_eye().see(list_folder(folder)).labelled(config.extraction)


def test_an_empty_folder_is_seen_without_an_engine(folder: Path, open_eye: OpenEye, engines: Counter) -> None:
    seen = open_eye().see(list_folder(folder))
    assert len(seen.extraction.photos) == len(seen.unlabelled) == engines.starts == 0


def test_one_engine_sees_each_photo_once(folder: Path, open_eye: OpenEye, engines: Counter) -> None:
    eye = open_eye()
    for count in (1, 2, 3):
        paint(folder / "red" / f"{count}.png", "red", seed=count)
        assert len(eye.see(list_folder(folder)).extraction.photos) == count
    os.rename(folder / "red" / "1.png", folder / "1.png")  # another label, the same photo
    seen = eye.see(list_folder(folder))
    assert names(seen, seen.unlabelled) == {"1.png"}
    assert engines.starts == 1
    assert engines.photos == 3


def test_what_the_store_has_needs_no_engine(folder: Path, open_eye: OpenEye, engines: Counter) -> None:
    paint_classes(folder, {"red": "red", "green": "green"}, range(3))
    open_eye().see(list_folder(folder))
    again = open_eye().see(list_folder(folder))
    assert engines.starts == 1
    assert again.extraction.hits == 6


def test_a_listing_that_was_seen_is_not_looked_at_again(
    folder: Path, open_eye: OpenEye, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint_classes(folder, {"red": "red"}, range(3))
    eye = open_eye()
    first = eye.see(list_folder(folder))
    monkeypatch.setattr("retrain.studio.seeing.extract", None)
    assert eye.see(list_folder(folder)).extraction is first.extraction


def test_photos_that_cannot_be_used_are_skipped_with_the_reason(folder: Path, open_eye: OpenEye) -> None:
    expected = broken_photos(folder)
    paint(folder / "a" / "whole.png", "red")
    seen = open_eye().see(list_folder(folder))
    assert names(seen, range(len(seen.extraction.photos))) == {"a/whole.png"}
    reasons = {one.path: one.reason for one in seen.extraction.skipped}
    assert reasons.keys() == expected.keys()
    for path, part in expected.items():
        assert part in reasons[path]


def test_a_photo_that_vanishes_is_no_error_and_not_told_of(folder: Path, open_eye: OpenEye, engines: Counter) -> None:
    paint_classes(folder, {"red": "red"}, range(3))
    eye = open_eye()
    listing = list_folder(folder)
    (folder / "red" / "1.png").unlink()
    seen = eye.see(listing)
    assert names(seen, range(len(seen.extraction.photos))) == {"red/0.png", "red/2.png"}
    assert not seen.extraction.skipped
    paint(folder / "red" / "1.png", "red", seed=1)  # as it was: an undone removal
    assert len(eye.see(list_folder(folder)).extraction.photos) == 3


def test_a_photo_that_changes_is_seen_as_it_is_then(folder: Path, open_eye: OpenEye) -> None:
    path = paint(folder / "red" / "1.png", "red")
    aged(folder)
    eye = open_eye()
    before = eye.see(list_folder(folder)).extraction.photos[0]
    listing = list_folder(folder)
    paint(path, "blue")
    eye.see(listing)
    after = eye.see(list_folder(folder))
    assert after.extraction.photos[0].sha256 != before.sha256
    np.testing.assert_allclose(after.extraction.matrix[0], average_colour(path.read_bytes()), atol=2e-6)


def test_the_same_photo_in_two_classes_is_two_photos(folder: Path, config: StudioConfig, open_eye: OpenEye) -> None:
    for label in ("red", "green"):
        paint(folder / label / "1.png", "red")
    bottlenecks = open_eye().see(list_folder(folder)).labelled(config.extraction)
    assert bottlenecks is not None
    assert [photo.label for photo in bottlenecks.photos] == ["green", "red"]


def test_progress_is_told(folder: Path, open_eye: OpenEye) -> None:
    told: list[tuple[int, int]] = []

    class Listener(Silent):
        def extracting(self, photos: int) -> Callable[[int, int], None]:
            return lambda done, computed: told.append((done, photos))

    paint_classes(folder, {"red": "red"}, range(5))
    open_eye().see(list_folder(folder), Listener())
    assert told[0] == (0, 5)
    assert told[-1] == (5, 5)


def test_a_joined_backbone_sees_with_all_its_parts(folder: Path, config: StudioConfig, engines: Counter) -> None:
    path = paint(folder / "red" / "1.png", "red")
    eye = Eye(replace(config.backbone, architecture="fake+fake"), config.extraction, engines.start)
    seen = eye.see(list_folder(folder))
    twice = np.tile(average_colour(path.read_bytes()), 2)
    np.testing.assert_allclose(seen.extraction.matrix[0], twice, atol=2e-6)
    assert seen.extraction.matrix.shape == (1, 6)
