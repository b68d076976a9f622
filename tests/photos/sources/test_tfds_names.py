"""`tfds:NAME`, where tensorflow-datasets is installed and where it is not."""

import re
import sys
from pathlib import Path

import pytest

import retrain.photos.hashes
import retrain.photos.sources.contents
import retrain.photos.sources.tfds
import retrain.photos.sources.unpack
from label_image.installing import how_to_install
from retrain.core.errors import DatasetError, OptionError
from retrain.photos.opening import list_photos


def test_tfds_without_its_package(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DatasetError, match=re.escape(how_to_install("tfds"))):
        list_photos("tfds:tf_flowers", store)


@pytest.mark.parametrize("source", ["tfds:", "tfds::train", "tfds:../x", "tfds:a b", "tfds:name:"])
def test_tfds_names_that_make_no_sense(source: str, store: Path) -> None:
    with pytest.raises(OptionError, match="tfds:NAME:split"):
        list_photos(source, store)


@pytest.mark.parametrize(
    ("text", "name", "split"),
    [
        ("tf_flowers", "tf_flowers", None),
        ("tf_flowers:train[:10%]", "tf_flowers", "train[:10%]"),
        ("beans:train+test", "beans", "train+test"),
        ("mnist:3.0.1", "mnist:3.0.1", None),
        ("mnist:3.*.*:train", "mnist:3.*.*", "train"),
        ("imagenet_v2/matched-frequency:3.0.0:test", "imagenet_v2/matched-frequency:3.0.0", "test"),
    ],
)
def test_tfds_names_versions_and_splits(text: str, name: str, split: str | None) -> None:
    match = retrain.photos.sources.tfds.NAME.fullmatch(text)
    assert match is not None
    assert (match["name"], match["split"]) == (name, split)
