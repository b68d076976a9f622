"""Photos that are gone: their bottlenecks are used, and where there are none a sentence says what there is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painting import paint_classes

from label_image.files import sha256_of
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.calibrated import CalibratedNetwork
from retrain.backbones.engines.base import Engine, Vectors
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.extraction import Extraction, extract, extract_views
from retrain.core.errors import DatasetError
from retrain.core.places import LocalPlace
from retrain.photos.augmentation import Augmentation
from retrain.photos.dataset import Dataset, PhotoFile
from retrain.photos.opening import list_photos
from retrain.photos.views import views_of

FAKE = find_backbone("fake", Path("no-models"))
Change = Callable[[Vectors], Vectors]


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    """Six photos that are there."""
    return list_photos(paint_classes(tmp_path / "pets", {"red": "red", "blue": "blue"}, range(3)))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "bottlenecks"


def gone(listing: Dataset) -> Dataset:
    """The same photos, remembered and removed."""
    files = []
    for file in listing.files:
        files.append(PhotoFile(file.path, file.label, 0, 0, 0, "training", gone_sha256=sha256_of(file.path)))
        Path(file.path).unlink()
    return replace(listing, files=tuple(files))


def start(change: Change = lambda vectors: vectors) -> Callable[[Backbone], Engine]:
    def begin(backbone: Backbone) -> Engine:
        run = start_engine(backbone)
        return lambda pixels: change(run(pixels))

    return begin


def never(backbone: Backbone) -> Engine:
    raise AssertionError("no network is needed")


def extracted(listing: Dataset, store: Path, begin: Callable[[Backbone], Engine] = never) -> Extraction:
    return extract(listing, FAKE, store, start=begin)


def test_their_bottlenecks_are_used_without_a_network(pets: Dataset, store: Path) -> None:
    before = extracted(pets, store, start())
    after = extracted(gone(pets), store)
    assert np.array_equal(before.matrix, after.matrix)
    assert [photo.sha256 for photo in before.photos] == [photo.sha256 for photo in after.photos]
    assert all(photo.gone and photo.split == "training" for photo in after.photos)
    assert (after.hits, after.computed, after.skipped) == (6, 0, ())


def test_new_photos_beside_them_are_computed_alone(pets: Dataset, store: Path, tmp_path: Path) -> None:
    before = extracted(pets, store, start())
    grey = list_photos(paint_classes(tmp_path / "more", {"grey": "grey", "green": "green"}, range(4))).files
    both = replace(pets, files=(*gone(pets).files, *(replace(file, part=1) for file in grey)))
    after = extracted(both, store, start())
    assert (after.hits, after.computed) == (6, 8)
    assert np.array_equal(after.matrix[:6], before.matrix)
    assert [photo.gone for photo in after.photos] == [True] * 6 + [False] * 8


def test_a_photo_that_is_added_again_takes_the_place_of_one_that_is_gone(
    pets: Dataset, store: Path, tmp_path: Path
) -> None:
    moved = [tmp_path / "moved" / Path(file.path).relative_to(tmp_path) for file in pets.files[:4]]
    for file, path in zip(pets.files, moved, strict=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Path(file.path).read_bytes())
    extracted(replace(pets, files=pets.files[4:]), store, start())
    again = [replace(file, part=1) for file in list_photos(tmp_path / "moved/pets").files]
    listing = replace(pets, files=(*gone(pets).files, *again))
    found = extracted(listing, store, start())
    # Four had no bottlenecks, and there they are: computed from the files that have another path now.
    assert (found.hits, found.computed, found.skipped) == (2, 4, ())
    assert {photo.path for photo in found.photos if not photo.gone} == set(map(str, moved))
    assert {photo.split for photo in found.photos} == {"training"}
    assert len(found.photos) == 6


def test_what_the_store_lacks_is_a_sentence_before_anything_is_computed(pets: Dataset, store: Path) -> None:
    extract(pets, find_backbone("fake", Path("no-models"), image_size=16), store, start=start())
    with pytest.raises(DatasetError) as refused:
        extracted(gone(pets), store)
    assert str(refused.value) == (
        f"6 of the photos are gone, and {store} holds no bottlenecks for them by fake, 8 px, float32. It has all by "
        "`architecture` fake, `image_size` 16, `precision` float32. Ask for one of these, or give the photos "
        "themselves, to a training with `add_images`."
    )


def test_other_weights_of_the_same_network_are_named(pets: Dataset, store: Path) -> None:
    extract(replace(pets, files=pets.files[:2]), replace(FAKE, weights_sha256="b" * 64), store, start=start())
    with pytest.raises(DatasetError, match=r"It has 2 by .* other `weights` \(SHA-256 bbbbbbbbbbbb…\)\. Ask"):
        extracted(gone(pets), store)


def test_a_network_that_was_calibrated_on_other_photos_is_named(pets: Dataset, store: Path) -> None:
    before, now = (replace(FAKE, calibrated=CalibratedNetwork(LocalPlace(store), digit * 64)) for digit in "cd")
    extract(pets, before, store, start=start())
    with pytest.raises(DatasetError, match=r"It has all by .* calibrated on other photos \(SHA-256 cccccccccccc"):
        extract(gone(pets), now, store, start=never)


def test_a_store_that_has_none_of_them_is_not_theirs(pets: Dataset, store: Path) -> None:
    with pytest.raises(DatasetError, match=r"nor by any other network: give `bottleneck_dir` of the run that computed"):
        extracted(gone(pets), store)


def test_some_that_are_lacking_are_counted(pets: Dataset, store: Path) -> None:
    extracted(replace(pets, files=pets.files[1:]), store, start())
    with pytest.raises(DatasetError, match=r"^One of the photos is gone, and "):
        extracted(gone(pets), store)


def test_views_come_from_the_store_or_are_refused_by_their_options(pets: Dataset, store: Path) -> None:
    kept = views_of(Augmentation(flip_left_right=True, random_crop=10), 3)
    _, before = extract_views(pets, FAKE, store, kept, start=start())
    listing = gone(pets)
    _, after = extract_views(listing, FAKE, store, kept, start=never)
    assert np.array_equal(before, after)
    with pytest.raises(DatasetError) as refused:
        extract_views(
            listing, FAKE, store, views_of(Augmentation(flip_left_right=True, random_crop=10), 4), start=never
        )
    assert "holds no bottlenecks of their views flip|crop(10) for them by fake, 8 px, float32" in str(refused.value)
    assert "`precision` float32, 3 views flip|crop(10)" in str(refused.value)
    assert "Or leave `flip_left_right` and `random_crop` out: without views no pixels are needed." in str(refused.value)


def test_bottlenecks_of_another_environment_are_not_mixed_with_this_ones(
    pets: Dataset, store: Path, tmp_path: Path
) -> None:
    extracted(pets, store, start())
    more = list_photos(paint_classes(tmp_path / "more", {"grey": "grey", "green": "green"}, range(2))).files
    both = replace(pets, files=(*gone(pets).files, *more))
    with pytest.raises(DatasetError, match=r"that agree with what this machine computes\. It has all by"):
        extracted(both, store, start(lambda vectors: vectors * 1.5))


def test_what_another_environment_computed_later_is_found(pets: Dataset, store: Path, tmp_path: Path) -> None:
    other = start(lambda vectors: vectors * 1.5)
    extracted(replace(pets, files=pets.files[:1]), store, start())
    before = extracted(pets, store, other)
    assert before.computed == 6
    more = list_photos(paint_classes(tmp_path / "more", {"grey": "grey", "green": "green"}, range(2))).files
    after = extracted(replace(pets, files=(*gone(pets).files, *more)), store, other)
    assert (after.hits, after.computed) == (6, 4)
    assert np.array_equal(after.matrix[:6], before.matrix)


def test_reading_everything_again_reads_no_photo_that_is_gone(pets: Dataset, store: Path) -> None:
    extracted(pets, store, start())
    assert extract(gone(pets), FAKE, store, start=never, paranoid=True).hits == 6
