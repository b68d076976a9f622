from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from label_image.preprocessing import Preprocessing
from retrain.core.errors import DatasetError
from retrain.training.on_photos.photo_batches import Distortion, PhotoSet, batches_in_order, training_batches

PREPROCESSING = Preprocessing.parse("decode|orient|resize(16,bilinear)|value_range(-1,1)")


@pytest.fixture
def photos(tmp_path: Path) -> PhotoSet:
    random = np.random.default_rng(0)
    paths = []
    for number in range(11):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(paths[-1])
    return PhotoSet(paths, np.arange(11), PREPROCESSING, memory=4 * 16 * 16 * 3)


def epoch(photos: PhotoSet, number: int, distortion: Distortion | None = None, seed: int = 0) -> list[tuple]:
    return list(training_batches(photos, 4, distortion, seed, number))


def test_an_epoch_holds_every_photo_once_with_its_class(photos: PhotoSet) -> None:
    batches = epoch(photos, 1)
    assert [len(classes) for _, classes in batches] == [4, 4, 3]
    assert sorted(np.concatenate([classes for _, classes in batches])) == list(range(11))
    for pixels, classes in batches:
        assert all(np.array_equal(one, photos.pixels(row)) for one, row in zip(pixels, classes, strict=True))


def test_no_batch_is_much_smaller_than_the_others(photos: PhotoSet) -> None:
    assert [len(classes) for _, classes in training_batches(photos, 10, None, 0, 1)] == [6, 5]


def test_batches_follow_from_seed_and_epoch(photos: PhotoSet) -> None:
    def flat(number: int, seed: int = 0) -> np.ndarray:
        return np.concatenate([pixels for pixels, _ in epoch(photos, number, Distortion(), seed)])

    assert np.array_equal(flat(1), flat(1))
    assert not np.array_equal(flat(1), flat(2))
    assert not np.array_equal(flat(1), flat(1, seed=1))


def test_the_order_for_measuring_is_that_of_the_photos(photos: PhotoSet) -> None:
    parts = list(batches_in_order(photos, 4))
    assert [len(part) for part in parts] == [4, 4, 3]
    assert all(np.array_equal(one, photos.pixels(row)) for row, one in enumerate(np.concatenate(parts)))


def test_only_what_fits_into_memory_is_kept(photos: PhotoSet) -> None:
    list(batches_in_order(photos, 4))
    for path in photos.paths:
        Path(path).unlink()
    assert photos.pixels(3).shape == (16, 16, 3)
    with pytest.raises(DatasetError, match=r"4\.png .*run the command again"):
        photos.pixels(4)


def test_a_photo_that_vanishes_during_an_epoch_is_named(photos: PhotoSet) -> None:
    Path(photos.paths[7]).unlink()
    with pytest.raises(DatasetError, match=r"7\.png"):
        epoch(photos, 1)


def test_each_distortion_does_what_it_says() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    nothing = Distortion(flip=False, crop=0.0, brightness=0.0)
    assert np.array_equal(nothing(pixels, np.random.default_rng(0)), pixels)
    flips = [Distortion(True, 0.0, 0.0)(pixels, np.random.default_rng(seed)) for seed in range(20)]
    mirrored = [np.array_equal(one, pixels[:, ::-1]) for one in flips]
    assert 0 < sum(mirrored) < 20
    assert all(mirror or np.array_equal(one, pixels) for one, mirror in zip(flips, mirrored, strict=True))
    grey = np.full((16, 16, 3), 100, np.uint8)
    levels = [Distortion(False, 0.0, 0.2)(grey, np.random.default_rng(seed))[0, 0, 0] for seed in range(50)]
    assert min(levels) < 90 and max(levels) > 110 and all(80 <= level <= 120 for level in levels)


def test_a_crop_is_a_part_at_the_full_size() -> None:
    gradient = np.broadcast_to(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], (64, 64, 3))
    crops = [Distortion(False, 0.2, 0.0)(gradient, np.random.default_rng(seed)) for seed in range(50)]
    spans = [int(crop[0, -1, 0]) - int(crop[0, 0, 0]) for crop in crops]
    assert all(crop.shape == (64, 64, 3) and crop.dtype == np.uint8 for crop in crops)
    assert min(spans) < 220 and all(195 <= span <= 252 for span in spans)
    assert max(int(crop[0, 0, 0]) for crop in crops) > 15  # cut off on the left in some


def test_a_distortion_says_what_it_is() -> None:
    assert str(Distortion(crop=0.1)) == "Distortion(flip=True, crop=0.1, brightness=0.2)"
