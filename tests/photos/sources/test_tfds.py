"""Sets of tensorflow-datasets, built on the spot: nothing is downloaded."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photo_layouts import build_tfds_set
from PIL import Image
from shades import listed, photo
from stand_ins import Said

import retrain.photos.sources.tfds
import retrain.photos.sources.unpack
from label_image.preprocessing import load_pixels
from retrain.backbones.backbone import find_backbone
from retrain.core.errors import DatasetError
from retrain.photos.opening import list_photos

tfds = pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")

NAMES = ["gato", "cão"]
jpeg = partial(photo, kind="JPEG")


def build(folder: Path, name: str, splits: dict[str, list[tuple[Any, Any]]], **features: Any) -> Path:
    return build_tfds_set(folder, name, splits, NAMES, **features)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path / "tfds"


def rows(first: int, count: int = 2) -> list[tuple[bytes, int]]:
    return [(jpeg(first + number), number % 2) for number in range(count)]


def test_own_splits_are_kept_and_bytes_taken_as_they_are(data: Path, store: Path) -> None:
    build(data, "cats", {"train": rows(0, 6), "validation": rows(10), "test": rows(20), "extra": rows(30)})
    listing = list_photos("tfds:cats", store)
    assert listed(listing) == sorted(
        (NAMES[label], side, image)
        for side, split in (("training", rows(0, 6)), ("validation", rows(10)), ("testing", rows(20)))
        for image, label in split
    )
    assert list_photos("tfds:cats:1.0.0", store) == listing


def test_a_split_or_slice_that_is_asked_for(data: Path, store: Path) -> None:
    build(data, "cats", {"train": rows(0, 8), "test": rows(20)})
    assert {file.split for file in list_photos("tfds:cats:train", store).files} == {None}
    assert len(list_photos("tfds:cats:train[:50%]", store).files) == 4
    assert len(list_photos("tfds:cats:train+test", store).files) == 10


def test_progress_knows_how_many_examples_there_are(data: Path, store: Path) -> None:
    build(data, "cats", {"train": rows(0, 6), "test": rows(20), "extra": rows(30)})
    told: list[tuple[int, int]] = []
    list_photos("tfds:cats", store, progress=Said(unpacking=lambda done, total: told.append((done, total))))
    assert told == [(0, 8), (8, 8)]


def test_a_set_with_one_split_is_divided_later(data: Path, store: Path) -> None:
    build(data, "cats", {"train": rows(0, 4)})
    assert {file.split for file in list_photos("tfds:cats", store).files} == {None}


def test_a_prepared_set_is_written_once(data: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(data, "cats", {"train": rows(0, 4)})
    first = list_photos("tfds:cats", store)
    monkeypatch.setattr(retrain.photos.sources.unpack, "_write", None)
    monkeypatch.setattr(retrain.photos.sources.tfds, "_examples", None)
    assert list_photos("tfds:cats", store) == first


def test_a_set_built_again_under_the_same_version_is_seen(data: Path, store: Path) -> None:
    build(data, "cats", {"train": rows(0, 4)})
    list_photos("tfds:cats", store)
    for path in sorted((data / "cats").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    build(data, "cats", {"train": rows(50, 4)})
    assert {image for *_, image in listed(list_photos("tfds:cats", store))} == {image for image, _ in rows(50, 4)}


def test_damaged_records(data: Path, store: Path) -> None:
    build(data, "cats", {"train": rows(0, 4)})
    (records,) = (data / "cats").rglob("*.tfrecord*")
    content = bytearray(records.read_bytes())
    content[100] ^= 255
    records.write_bytes(content)
    with pytest.raises(DatasetError, match=r"records of tfds:cats/1\.0\.0, train cannot be read"):
        list_photos("tfds:cats", store)


def test_pixels_that_are_not_encoded(data: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    feature = tfds.features.Tensor(shape=(32, 32, 3), dtype=np.uint8)
    build(data, "pixels", {"train": [(pixels[0], 0), (pixels[1], 1)]}, image=feature)
    files = {file.label: file.path for file in list_photos("tfds:pixels", store).files}
    for name, expected in zip(NAMES, pixels, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(files[name])), expected)
        assert load_pixels(files[name], find_backbone("fake", Path("m")).preprocessing).dtype == np.uint8


def test_text_labels_and_missing_ones(data: Path, store: Path) -> None:
    build(data, "texts", {"train": [(jpeg(1), "a"), (jpeg(2), "ç")]}, label=tfds.features.Text())
    assert [file.label for file in list_photos("tfds:texts", store).files] == ["a", "ç"]
    build(data, "holes", {"train": [*rows(0), (jpeg(9), -1)]})
    listing = list_photos("tfds:holes", store)
    assert len(listing.files) == 2
    (skipped,) = listing.skipped
    assert skipped.reason == "has no class" and skipped.path.startswith("tfds:holes/1.0.0, train, row ")


def test_sets_that_cannot_be_used(data: Path, store: Path) -> None:
    build(data, "boxes", {"train": [(jpeg(1), [1.0])]}, label=tfds.features.Tensor(shape=(1,), dtype=np.float32))
    build(data, "depth", {"train": [(np.zeros((4, 4, 1), np.float32), 0)]},
          image=tfds.features.Image(shape=(None, None, 1), dtype=np.float32))  # fmt: skip
    build(data, "tests", {"test": rows(0)})
    build(data, "lonely", {"train": rows(0, 1)})
    for source, sentence in {
        "tfds:boxes": "not a set of photos with one class each; its features are: image, label",
        "tfds:depth": "photos of depth are float32",
        "tfds:tests": "no split named train: ask for one, tfds:NAME:split, of test",
        "tfds:lonely": "tfds:lonely holds only the class 'gato'",
        "tfds:lonely:nope": "has no split 'nope'.*it has: train",
        "tfds:lonely:train[:x": "has no split",
        "tfds:no_such_set": "no set 'no_such_set'",
        "tfds:lonely:9.9.9": "no set|cannot be used",
        "tfds:beans/zz": "cannot be used: .*zz not found",
    }.items():
        with pytest.raises(DatasetError, match=sentence) as caught:
            list_photos(source, store)
        assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_without_a_network_one_sentence_says_what_to_do(
    data: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrain.photos.sources.tfds, "reachable", lambda server: False)
    monkeypatch.setattr(retrain.photos.sources.tfds, "getproxies", dict)
    with pytest.raises(DatasetError, match=rf"set tf_flowers is not on this machine.*{data}.*TFDS_DATA_DIR"):
        list_photos("tfds:tf_flowers", store)


def test_a_download_that_fails(data: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(builder: Any) -> None:
        raise ConnectionError("Max retries exceeded\nwith more lines")

    monkeypatch.setattr(retrain.photos.sources.tfds, "reachable", lambda server: True)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(DatasetError, match=r"tf_flowers cannot be downloaded \(Max retries exceeded\)\. Prepare"):
        list_photos("tfds:tf_flowers", store)


def test_preparing_a_set_leaves_standard_output_alone(
    data: Path, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare(builder: Any) -> None:
        print("Downloading and preparing dataset")
        raise ConnectionError("no")

    monkeypatch.setattr(retrain.photos.sources.tfds, "reachable", lambda server: True)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", prepare)
    with pytest.raises(DatasetError):
        list_photos("tfds:tf_flowers", store)
    assert capsys.readouterr().out == ""  # of --json


def test_a_missing_part_of_tfds_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorflow_datasets"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "promise", None)
    monkeypatch.setitem(sys.modules, "etils", None)
    with pytest.raises(DatasetError, match=r"tensorflow-datasets lacks its package \w+"):
        list_photos("tfds:cats", store)
