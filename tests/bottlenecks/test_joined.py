"""`a+b`: bottlenecks side by side, of backbones that are found, computed and kept as if each were alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extracting import dark_noise
from PIL import Image

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone, find_backbone, join
from retrain.backbones.engines.base import Engine, Vectors
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.extraction import extract, extract_views
from retrain.bottlenecks.joined import shared_photos, side_by_side
from retrain.core.errors import OptionError, StoreError
from retrain.photos.dataset import Photo
from retrain.photos.opening import list_photos
from retrain.photos.views import Augmentation, views_of

NAME, SIZE = "fake+mobilenet_0.25_128", 16
PHOTOS = 6


def find(name: str = NAME, image_size: int | None = SIZE, **options: object) -> Backbone:
    return find_backbone(name, Path("no-models"), **{"weights": "random", "image_size": image_size, **options})


# The backbone


def test_a_joined_backbone_has_the_bottlenecks_of_its_parts_and_no_arithmetic() -> None:
    joined = find("mobilenet_0.25_128+alexnet")
    assert (joined.architecture, joined.dim) == ("mobilenet_0.25_128+alexnet", 256 + 256)
    assert [part.architecture for part in joined.parts] == ["mobilenet_0.25_128", "alexnet"]
    assert joined.parts[0] == find("mobilenet_0.25_128") and joined.parts[1] == find("alexnet")
    assert str(joined.preprocessing) == "decode(2)|orient|resize(16,bilinear)"
    arithmetic = joined.preprocessing.arithmetic()
    assert (arithmetic.scale, arithmetic.offset, arithmetic.bgr) == ((1, 1, 1), (0, 0, 0), False)


def test_what_it_covers_is_told_apart_by_each_part() -> None:
    one = find()
    others = (find(seed=1), find("mobilenet_0.25_128+fake"), find(image_size=17), one.computed_in("bfloat16"))
    assert len({str(other.covers()) for other in (one, *others)}) == 5
    assert "parts" not in one.parts[1].covers()  # else all bottlenecks of today would be computed again


def test_a_precision_is_that_of_each_part() -> None:
    fast = find().computed_in("bfloat16")
    assert [part.compute_dtype for part in (fast, *fast.parts)] == ["bfloat16", "float32", "bfloat16"]
    assert fast.in_float32() == find()


def test_each_part_has_its_weights(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.weights.h5").write_text(name)
    weights = {"vgg16": str(tmp_path / "a.weights.h5"), "resnet50": str(tmp_path / "b.weights.h5")}
    joined = find_backbone("resnet50+vgg16", tmp_path, weights)
    assert [part.weights_file for part in joined.parts] == [tmp_path / "b.weights.h5", tmp_path / "a.weights.h5"]
    other = find_backbone("resnet50+vgg16", tmp_path, {**weights, "vgg16": weights["resnet50"]})
    assert other.weights_sha256 != joined.weights_sha256
    alone = find_backbone("vgg16", tmp_path, {"vgg16": weights["vgg16"]})
    assert alone == joined.parts[1]


@pytest.mark.parametrize(
    ("name", "weights", "says"),
    [
        ("resnet50+vgg16", "w.h5", "`weights` w.h5: say which part of resnet50.vgg16 they are for: .*resnet50=FILE"),
        ("resnet50+vgg16", {"vgg19": "random"}, "`weights` vgg19=…: vgg19 is not in `architecture` resnet50.vgg16"),
        ("resnet50", {"vgg16": "w.h5"}, "vgg16 is not in `architecture` resnet50"),
        ("vgg16+resnet51", "random", "'resnet51' is unknown; did you mean resnet50"),
        ("resnet50+", "random", "'' is unknown"),
    ],
)
def test_what_cannot_be_joined_is_a_sentence(name: str, weights: object, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        find(name, None, weights=weights)


def test_parts_that_see_photos_of_different_sizes_cannot_be_joined() -> None:
    with pytest.raises(OptionError, match=r"different sizes \(224, 299 pixels\).*`image_size` 299"):
        join([find("inception_v3", None, weights="random"), find("vgg16", None, weights="random")])


def test_without_an_image_size_all_parts_see_the_largest_of_theirs() -> None:
    assert {part.input_size for part in find("inception_v3+vgg16", None).parts} == {299}


def test_one_image_size_makes_sizes_equal() -> None:
    assert {part.input_size for part in find("inception_v3+vgg16", 128).parts} == {128}


# Its bottlenecks


class Starter:
    """Starts engines that need no network: an average colour, times random numbers for the dims it has to have."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.photos = 0

    def __call__(self, backbone: Backbone) -> Engine:
        self.started.append(backbone.architecture)
        average = start_engine(find("fake", backbone.input_size))
        numbers = np.random.default_rng(backbone.dim).normal(size=(3, backbone.dim)).astype(np.float32)

        def engine(pixels: Pixels) -> Vectors:
            self.photos += len(pixels)
            return average(pixels) @ numbers

        return engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dark_noise(tmp_path / "photos", PHOTOS)
    return tmp_path


def test_bottlenecks_stand_side_by_side(folder: Path) -> None:
    starter, photos, store = Starter(), list_photos(folder / "photos"), folder / "bottlenecks"
    found = extract(photos, find(), store, start=starter)
    assert starter.started == ["fake", "mobilenet_0.25_128"]
    assert (found.hits, found.computed, found.widths) == (0, 2 * PHOTOS, (3, 256))
    alone = [extract(photos, part, store, start=starter) for part in find().parts]
    assert [one.computed for one in alone] == [0, 0]
    assert found.photos == alone[0].photos
    np.testing.assert_array_equal(found.matrix, np.hstack([one.matrix for one in alone]))
    assert len({found.fingerprint, *(one.fingerprint for one in alone)}) == 3


def test_nothing_is_computed_again_whatever_is_joined(folder: Path) -> None:
    photos, store = list_photos(folder / "photos"), folder / "bottlenecks"
    for part in find().parts:
        extract(photos, part, store, start=Starter())
    warm = Starter()
    found = extract(photos, find(), store, start=warm)
    turned = extract(photos, find("mobilenet_0.25_128+fake"), store, start=warm)
    assert (found.hits, found.computed, warm.started) == (2 * PHOTOS, 0, [])
    np.testing.assert_array_equal(turned.matrix, np.hstack([found.matrix[:, 3:], found.matrix[:, :3]]))
    assert turned.fingerprint != found.fingerprint


def test_views_stand_side_by_side(folder: Path) -> None:
    starter, photos, store = Starter(), list_photos(folder / "photos"), folder / "bottlenecks"
    views = views_of(Augmentation(random_brightness=40), 3)
    found, matrix = extract_views(photos, find(), store, views, start=starter)
    assert starter.started == ["fake", "mobilenet_0.25_128"]
    assert (found.computed, matrix.shape, found.widths) == (6 * PHOTOS, (3 * PHOTOS, 259), (3, 256))
    alone = [extract_views(photos, part, store, views, start=starter)[1] for part in find().parts]
    np.testing.assert_array_equal(matrix, np.hstack(alone))
    np.testing.assert_array_equal(found.matrix, matrix[:PHOTOS])


def test_a_photo_that_cannot_be_used_is_left_out_once(folder: Path) -> None:
    (folder / "photos" / "a" / "2.png").write_bytes(b"no photo")
    found = extract(list_photos(folder / "photos"), find(), folder / "bottlenecks", start=Starter())
    assert (len(found.photos), found.matrix.shape) == (PHOTOS - 1, (PHOTOS - 1, 259))
    assert [Path(one.path).name for one in found.skipped] == ["2.png"]


def test_a_photo_that_changes_between_the_parts_is_an_error(folder: Path) -> None:
    listed = list_photos(folder / "photos")

    def start(backbone: Backbone) -> Engine:
        engine = Starter()(backbone)

        def change_a_photo(pixels: Pixels) -> Vectors:
            Image.new("RGB", (9, 9), "red").save(listed.files[0].path)
            return engine(pixels)

        return change_a_photo

    with pytest.raises(StoreError, match="Photos changed while their bottlenecks were computed"):
        extract(listed, find(), folder / "bottlenecks", start=start)


def test_the_photos_that_all_backbones_can_use() -> None:
    photos = tuple(Photo(f"{n}.jpg", "a", f"{n:064x}") for n in range(4))
    matrix = np.arange(8, dtype=np.float32).reshape(4, 2)
    fewer = (photos[0], replace(photos[1], sha256="f" * 64), photos[2], photos[3])
    views = [np.vstack([matrix, matrix + 100]), np.vstack([matrix * 10, matrix + 1000])]
    shared, (one, other) = shared_photos([photos, fewer[:1] + fewer[2:]], [views[0], views[1][[0, 2, 3, 4, 6, 7]]])
    assert [photo.path for photo in shared] == ["0.jpg", "2.jpg", "3.jpg"]
    np.testing.assert_array_equal(one, views[0][[0, 2, 3, 4, 6, 7]])
    np.testing.assert_array_equal(other, views[1][[0, 2, 3, 4, 6, 7]])


def test_matrices_larger_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.bottlenecks.joined.BLOCK_BYTES", 100)
    monkeypatch.setattr("retrain.core.matrix_file.LARGE_BYTES", 100)
    parts = [np.random.default_rng(dim).normal(size=(50, dim)).astype(np.float32) for dim in (3, 4)]
    joined = side_by_side(parts, tmp_path)
    assert isinstance(joined, np.memmap)
    np.testing.assert_array_equal(joined, np.hstack(parts))


def test_joining_keeps_the_order() -> None:
    parts = find().parts
    assert join(parts[::-1]).architecture == "mobilenet_0.25_128+fake"
