"""Copies in other bytes are found by reading the photos that are alike to the network, and no others."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painting import paint_classes
from PIL import Image
from same_pictures import bottlenecks, same_pictures

from label_image.files import sha256_of_bytes
from retrain import Backbone, Dataset, ExtractionConfig, SplitConfig, extract
from retrain.bottlenecks import bottlenecks as splitting
from retrain.bottlenecks import near_copies
from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.near_copies import NOT_LOOKED_FOR, NearCopies, find_near_copies, near_pairs
from retrain.insight.doctor.looks import look_at
from retrain.photos.dataset import Photo

ALIKE = {10: 0, 11: 1, 12: 2}


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    return same_pictures(tmp_path)


def pairs_of(photos: list[Photo], alike: dict[int, int]) -> set[tuple[int, int]]:
    store = Path(photos[0].path).parent / "store"
    return {(pair.one, pair.other) for pair in find_near_copies(photos, bottlenecks(alike), store).pairs}


def what_is_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the photos that are read from here on."""
    read: list[str] = []
    thumbnail = near_copies._thumbnail

    def watched(photo: Photo) -> near_copies.Floats | None:
        read.append(photo.path)
        return thumbnail(photo)

    monkeypatch.setattr(near_copies, "_thumbnail", watched)
    return read


def test_copies_in_other_bytes(photos: list[Photo]) -> None:
    assert pairs_of(photos, ALIKE) == {(0, 10), (1, 11)}  # 12 has the bytes of 2


def test_photos_that_are_alike_to_the_network_alone_are_none(photos: list[Photo]) -> None:
    assert pairs_of(photos, dict.fromkeys(range(1, 10), 0)) == set()


def test_photos_that_are_not_alike_are_not_read(photos: list[Photo], monkeypatch: pytest.MonkeyPatch) -> None:
    read = what_is_read(monkeypatch)
    pairs_of(photos, ALIKE)
    assert sorted(read) == sorted(photos[row].path for row in (0, 1, 10, 11))


def test_what_was_read_is_kept(photos: list[Photo], monkeypatch: pytest.MonkeyPatch) -> None:
    found = pairs_of(photos, {10: 0})
    read = what_is_read(monkeypatch)
    assert pairs_of(photos, {10: 0}) == found == {(0, 10)} and read == []
    assert pairs_of(photos, ALIKE) == {(0, 10), (1, 11)}
    assert sorted(read) == sorted(photos[row].path for row in (1, 11))


def test_where_nothing_can_be_kept(photos: list[Photo]) -> None:
    (Path(photos[0].path).parent / "store").write_text("a file, and no folder")
    assert pairs_of(photos, ALIKE) == {(0, 10), (1, 11)}


def test_a_photo_that_cannot_be_read_any_more_is_no_copy(photos: list[Photo]) -> None:
    Path(photos[10].path).unlink()
    photos[11] = replace(photos[11], gone=True)
    assert pairs_of(photos, ALIKE) == set()


@pytest.mark.parametrize("more", [0, 1])
def test_a_scene_that_many_photos_show_makes_no_copies(more: int, tmp_path: Path) -> None:
    """A fixed camera: each is another photo, though thumbnails hardly differ."""
    found = same_pictures(tmp_path)
    photos, number = [found[1], found[11]], near_copies.MOST_COPIES + more
    with Image.open(found[0].path) as opened:
        scene = np.asarray(opened).copy()
    for place in range(number):
        scene[:4, :4] = place * 20
        path = tmp_path / f"scene {place}.png"
        Image.fromarray(scene).save(path)
        photos.append(Photo(str(path), "a", sha256_of_bytes(path.read_bytes())))
    matrix = bottlenecks(ALIKE)[[1, 11] + [0] * number]
    copies = find_near_copies(photos, matrix, tmp_path / "store")
    of_scene = set(itertools.combinations(range(2, len(photos)), 2))
    assert set(copies.positions) == {(0, 1)} | (set() if more else of_scene)
    assert copies.in_scenes == (number if more else 0) and len(copies.remarks) == more
    assert not more or copies.remarks[0].startswith(f"{number} photos are in groups of more than 8 that look the same")


def test_a_huge_photo_is_not_decoded_again(photos: list[Photo], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_copies, "MOST_PIXELS", 240 * 180 - 1)
    assert pairs_of(photos, ALIKE) == set()


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_photos(photos: list[Photo], count: int) -> None:
    assert find_near_copies(photos[:count], bottlenecks({})[:count], Path("nowhere")) == NearCopies()


@pytest.mark.parametrize("block", [1, 2, 7, 1024])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, photos: list[Photo], block: int) -> None:
    matrix, looks = bottlenecks(ALIKE), look_at(photos)
    monkeypatch.setattr(near_copies, "BLOCK", block)
    assert {(pair.one, pair.other) for pair in near_pairs(matrix, looks.thumbnails)} == {(0, 10), (1, 11), (2, 12)}


def test_the_nearest_are_looked_at_where_many_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = bottlenecks({10: 0})
    monkeypatch.setattr(near_copies, "NEIGHBOURS", 1)
    ones, others = near_copies._candidates(matrix, -0.99)
    assert (0, 10) in zip(ones, others, strict=True) and 8 <= len(ones) < 15


def two_classes_of_pictures(tmp_path: Path, side_of: Callable[[int], str] = lambda number: "") -> Path:
    """A folder of class folders; 10 and 11 are copies of 0 and 1 in other bytes."""
    folder = tmp_path / "photos"
    for number, photo in enumerate(same_pictures(tmp_path)[:12]):
        target = folder / side_of(number) / "ab"[number % 2] / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(photo.path).rename(target)
    return folder


def extracted(folder: Path) -> tuple[Bottlenecks, dict[str, int]]:
    """The bottlenecks, and the row of each picture."""
    config = ExtractionConfig(bottleneck_dir=folder.parent / "store")
    found = extract(Dataset.open(folder), Backbone.find("fake"), config)
    return found, {Path(photo.path).stem: row for row, photo in enumerate(found.photos)}


def test_they_are_on_one_side(tmp_path: Path) -> None:
    found, at = extracted(two_classes_of_pictures(tmp_path))
    for seed in range(30):
        sides = found.split(SplitConfig(40, 20, seed)).splits
        assert sides[at["0"]] == sides[at["10"]] and sides[at["1"]] == sides[at["11"]]


def test_those_on_two_sides_of_a_given_split_are_counted(tmp_path: Path) -> None:
    sides = {9: "val", 10: "test", 11: "test"}
    found, _ = extracted(two_classes_of_pictures(tmp_path, lambda number: sides.get(number, "train")))
    assert any(one.startswith("4 photos have a copy on another side") for one in found.split().remarks)


def test_those_of_photos_from_which_a_missing_side_is_taken_stay_together(tmp_path: Path) -> None:
    found, at = extracted(two_classes_of_pictures(tmp_path, lambda number: "test" if number in (8, 9) else "train"))
    for seed in range(30):
        sides = found.split(SplitConfig(None, 40, seed)).splits
        assert "validation" in sides
        assert sides[at["0"]] == sides[at["10"]] and sides[at["1"]] == sides[at["11"]]


def test_they_are_in_one_fold(tmp_path: Path) -> None:
    """The average-colour network tells one colour from another, and thumbnails the patterns."""
    found, at = extracted(two_classes_of_pictures(tmp_path))
    for seed in range(8):
        division = found.split(SplitConfig(seed=seed))
        for deal in division.deals:
            assert deal[at["0"]] == deal[at["10"]] and deal[at["1"]] == deal[at["11"]]
        assert division.groups[at["0"]] == division.groups[at["10"]]


def test_among_very_many_photos_they_are_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is compared with each, so that a million would take days."""
    paint_classes(tmp_path / "photos", {"red": "red", "green": "green"}, range(10))
    found = extract(
        Dataset.open(tmp_path / "photos"), Backbone.find("fake"), ExtractionConfig(bottleneck_dir=tmp_path / "store")
    )
    monkeypatch.setattr(splitting, "MOST_COMPARED", 20)
    assert NOT_LOOKED_FOR not in found.split().remarks
    monkeypatch.setattr(splitting, "MOST_COMPARED", 19)
    monkeypatch.setattr(near_copies, "_candidates", None)
    division = found.split()
    assert NOT_LOOKED_FOR in division.remarks and division.number_of_folds == 5
    monkeypatch.setattr(splitting, "MOST_PHOTOS", 19)
    assert NOT_LOOKED_FOR in found.split(SplitConfig(folds=0)).remarks


@pytest.mark.parametrize("noise", [2.0, 12.0, 15.0])
def test_bottlenecks_are_compared_of_all_that_may_be_copies(noise: float) -> None:
    """Whatever correlates enough is among the rows that are asked for, also where it is mirrored or noisy."""
    random = np.random.default_rng(0)
    thumbnails = random.uniform(0, 255, (40, 8, 8)).repeat(4, axis=1).repeat(4, axis=2).astype(np.float32)
    thumbnails[20:30] = thumbnails[:10]
    thumbnails[30:] = thumbnails[10:20, :, ::-1]
    thumbnails += random.normal(size=thumbnails.shape) * noise
    ones, others = np.triu_indices(40, 1)
    alike = near_copies._alike(ones, others, thumbnails)
    assert len(alike) == 20
    assert near_copies._may_have_copies(thumbnails).tolist() == list(range(40))
    apart = near_copies._may_have_copies(thumbnails[:20])
    assert not len(near_copies._alike(*np.triu_indices(20, 1), thumbnails[:20])) and len(apart) < 5
