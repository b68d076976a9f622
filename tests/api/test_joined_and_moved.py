"""Data sets that are put together, and a program that goes to another folder meanwhile."""

from pathlib import Path

import pytest
from painting import paint_classes
from PIL import Image

from retrain import Backbone, Bottlenecks, Dataset, ExtractionConfig, extract

FAKE = Backbone.find("fake")


def test_paths_mean_the_same_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paint_classes(tmp_path / "photos", {"red": "red", "blue": "blue"}, range(3))
    paint_classes(tmp_path / "more", {"blue": "blue"}, range(3, 5))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "photos/red/none.jpg").write_bytes(b"no photo")
    monkeypatch.chdir(tmp_path)
    found = Dataset.open("photos", add_images=["more"])
    assert found.source == "photos" and {Path(file.path).is_absolute() for file in found} == {True}
    assert found.files == Dataset.open(tmp_path / "photos", add_images=[tmp_path / "more"]).files
    before = extract(found, FAKE, ExtractionConfig(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = extract(found, FAKE, ExtractionConfig(tmp_path / "kept"))
    assert (again.extraction.hits, len(again), again.paths) == (8, 8, before.paths)
    assert [skipped.path for skipped in again.skipped] == [str(tmp_path / "photos/red/none.jpg")]


def test_photos_that_are_put_together_in_two_classes_are_said(photos: Path) -> None:
    found = Dataset.open(photos)
    red = found.where("red")
    assert (found + red).remarks == found.remarks == ()
    (remark,) = (found + red.relabel({"red": "warm"})).remarks
    assert remark.startswith("14 of the added photos are in another class, too (the first: ")
    assert "is 'warm' and, as " in remark and remark.endswith("both count. `retrain doctor` lists them.")


def test_so_are_photos_that_are_listed_in_two_classes(photos: Path) -> None:
    one, *_ = paths = sorted(map(str, (photos / "red").iterdir()))
    found = Dataset.from_lists([*paths, one], [*["red"] * len(paths), "blue"])
    assert found.remarks == (f"1 photos are in several classes (the first: {one} is blue and red): each counts.",)


def test_so_are_contents_of_bottlenecks(bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    assert (bottlenecks + bottlenecks).dataset.remarks == ()
    copies = paint_classes(tmp_path / "copies", {"blue": "blue", "warm": "red"}, range(3))
    copy = copies / "warm" / "copy.png"
    copy.write_bytes(Path(bottlenecks.paths[-1]).read_bytes())
    other = extract(Dataset.open(copies), FAKE, ExtractionConfig(tmp_path / "kept"))
    (remark,) = (bottlenecks + other).dataset.remarks
    assert "of the added photos are in another class, too" in remark and "'warm'" in remark and "'red'" in remark


def test_what_ends_early_is_known_of_both(bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    for name in ("one", "two"):
        paint_classes(tmp_path / name, {"red": "red", "blue": "blue"}, range(2))
        Image.effect_noise((200, 200), 60).convert("RGB").save(tmp_path / name / "cut.jpg")
        data = (tmp_path / name / "cut.jpg").read_bytes()
        (tmp_path / name / "cut.jpg").unlink()
        (tmp_path / name / "red" / "cut.jpg").write_bytes(data[: len(data) // 2])
    config = ExtractionConfig(tmp_path / "kept", accept_truncated=True)
    one, two = (extract(Dataset.open(tmp_path / name), FAKE, config) for name in ("one", "two"))
    assert len(one.truncated) == len(two.truncated) == 1
    assert {photo.path for photo in (one + two).truncated} == {one.truncated[0].path, two.truncated[0].path}
