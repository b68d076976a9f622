"""Views of photos are cached like the photos themselves."""

import io
from pathlib import Path

import numpy as np
import pytest
from extracting import dark_noise
from PIL import Image

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import Engine, Vectors
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.extraction import Extraction, extract, extract_views
from retrain.core.errors import StoreError
from retrain.core.matrix_file import StoredMatrix
from retrain.photos.opening import list_photos
from retrain.photos.views import Augmentation, View, views_of

FAKE = find_backbone("fake", Path("no-models"))
BRIGHTNESS = Augmentation(random_brightness=40)
PHOTOS = 5


class Starter:
    """Starts engines and counts the starts."""

    def __init__(self) -> None:
        self.starts = 0

    def __call__(self, backbone: Backbone) -> Engine:
        self.starts += 1
        return start_engine(backbone)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dark_noise(tmp_path / "photos", PHOTOS)
    return tmp_path


def run(folder: Path, views: tuple[View, ...]) -> tuple[Extraction, StoredMatrix, int]:
    starter = Starter()
    listing = list_photos(folder / "photos")
    extraction, matrix = extract_views(listing, FAKE, folder / "bottlenecks", views, start=starter)
    return extraction, matrix, starter.starts


def test_each_view_is_computed_once_and_more_views_compute_only_themselves(folder: Path) -> None:
    first, two, starts = run(folder, views_of(BRIGHTNESS, 2))
    assert (first.computed, len(two), starts) == (2 * PHOTOS, 2 * PHOTOS, 1)
    again, same, starts = run(folder, views_of(BRIGHTNESS, 2))
    assert (again.computed, starts) == (0, 0)
    np.testing.assert_array_equal(same, two)
    more, four, starts = run(folder, views_of(BRIGHTNESS, 4))
    assert (more.computed, starts) == (2 * PHOTOS, 1)
    np.testing.assert_array_equal(four[: 2 * PHOTOS], two)
    fewer, one, starts = run(folder, views_of(BRIGHTNESS, 1))
    assert (fewer.computed, starts) == (0, 0)
    np.testing.assert_array_equal(one, two[:PHOTOS])


def test_another_augmentation_shares_the_photos_themselves_only(folder: Path) -> None:
    run(folder, views_of(BRIGHTNESS, 3))
    extraction, _, _ = run(folder, views_of(Augmentation(random_crop=20), 3))
    assert extraction.computed == 2 * PHOTOS


def test_rows_are_the_bottlenecks_of_the_distorted_photos(folder: Path) -> None:
    views = views_of(Augmentation(True, 10, 20, 30, 15), 3)
    extraction, matrix, _ = run(folder, views)
    for number, view in enumerate(views):
        for index, photo in enumerate(extraction.photos):
            data = Path(photo.path).read_bytes()
            with Image.open(io.BytesIO(data)) as image:
                distorted = view.distortion(photo.sha256).resize(image, 8, Image.Resampling.BILINEAR)
            expected = np.asarray(distorted).astype(np.float64).mean(axis=(0, 1)) / 127.5 - 1
            np.testing.assert_allclose(matrix[number * PHOTOS + index], expected, atol=2e-6)
    assert len(np.unique(matrix.round(6), axis=0)) == len(matrix)


def test_one_view_is_the_plain_extraction_and_copies_nothing(folder: Path) -> None:
    extraction, matrix, _ = run(folder, views_of(BRIGHTNESS, 1))
    assert matrix is extraction.matrix
    plain = extract(list_photos(folder / "photos"), FAKE, folder / "bottlenecks")
    np.testing.assert_array_equal(plain.matrix, matrix)


def test_photos_that_cannot_be_used_are_in_no_view(folder: Path) -> None:
    (folder / "photos" / "a" / "broken.jpg").write_bytes(b"no photo")
    extraction, matrix, _ = run(folder, views_of(BRIGHTNESS, 2))
    assert (len(extraction.photos), len(extraction.skipped), len(matrix)) == (PHOTOS, 1, 2 * PHOTOS)


def test_photos_that_change_between_two_views_end_the_run(folder: Path) -> None:
    paths = sorted((folder / "photos").glob("*/*.png"))

    def start(backbone: Backbone) -> Engine:
        engine = start_engine(backbone)
        done = 0

        def run(pixels: Pixels) -> Vectors:
            nonlocal done
            done += len(pixels)
            if done > PHOTOS:  # after the probe, the photos themselves are running
                paths[0].unlink(missing_ok=True)
            return engine(pixels)

        return run

    with pytest.raises(StoreError, match="run the same command again"):
        extract_views(
            list_photos(folder / "photos"), FAKE, folder / "bottlenecks", views_of(BRIGHTNESS, 2), start=start
        )
