"""All layouts behave alike: the same photos give the same data set, and what is wrong is one sentence."""

import hashlib
import os
import unicodedata
from pathlib import Path

import pytest
from photo_layouts import LAYOUTS, Given, Layout

from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset
from retrain.photos.opening import Dataset as PublicDataset
from retrain.photos.opening import list_photos
from retrain.photos.sources.registry import SOURCES

PHOTOS = [Given(shade, ("gato", "cão", "pato")[shade % 3]) for shade in range(9)]
SPLIT = [photo._replace(split=("training", "validation", "testing")[photo.shade // 3]) for photo in PHOTOS]


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "photos"))
    return LAYOUTS[request.param]


def contents(listing: Dataset) -> list[tuple[str, str | None, str]]:
    """Class, given split and SHA-256 of each photo."""
    return sorted(
        (file.label, file.split or "", hashlib.sha256(Path(file.path).read_bytes()).hexdigest())
        for file in listing.files
    )


def expected(photos: list[Given]) -> list[tuple[str, str, str]]:
    return sorted((photo.label, photo.split or "", hashlib.sha256(photo.data).hexdigest()) for photo in photos)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in folder.rglob("*"))
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}


def test_every_source_is_in_this_suite() -> None:
    in_storages = {"objects"}  # which need a server: see test_objects.py
    assert {source.name for source in SOURCES} - in_storages == {layout.source for layout in LAYOUTS.values()}
    assert len({source.name for source in SOURCES}) == len(SOURCES)


def test_the_same_photos_give_the_same_data_set(layout: Layout, tmp_path: Path, store: Path) -> None:
    listing = list_photos(layout.write(tmp_path / "photos", PHOTOS), store)
    assert contents(listing) == expected(PHOTOS)
    assert (listing.skipped, listing.labels) == ((), ("cão", "gato", "pato"))
    assert len(listing.remarks) == bool(layout.remark) and layout.remark in "".join(listing.remarks)


def test_a_given_split_is_kept(layout: Layout, tmp_path: Path, store: Path) -> None:
    if layout is LAYOUTS["parquet file"]:
        pytest.skip("one file has no splits")
    assert contents(list_photos(layout.write(tmp_path / "photos", SPLIT), store)) == expected(SPLIT)


def test_the_order_is_that_of_classes_and_paths(layout: Layout, tmp_path: Path, store: Path) -> None:
    listing = list_photos(layout.write(tmp_path / "photos", PHOTOS[::-1]), store)
    keys = [(file.label, file.path) for file in listing.files]
    assert keys == sorted(keys)


def test_nothing_is_written_among_the_photos_and_nothing_twice(layout: Layout, tmp_path: Path, store: Path) -> None:
    source = layout.write(tmp_path / "photos", PHOTOS)
    before = snapshot(tmp_path / "photos")
    first = list_photos(source, store)
    assert snapshot(tmp_path / "photos") == before
    unpacked = snapshot(tmp_path / "tf_files/sources")
    assert list_photos(source, store) == first
    assert snapshot(tmp_path / "tf_files/sources") == unpacked
    assert set(os.listdir(tmp_path)) <= {"photos", "tf_files"}


def test_a_source_is_read_by_the_one_that_recognises_it_first(layout: Layout, tmp_path: Path) -> None:
    source = layout.write(tmp_path / "photos", PHOTOS)
    assert next(one for one in SOURCES if one.recognises(source)).name == layout.source


@pytest.mark.parametrize("name", ["", "nowhere", "a\0b", "x" * 5000, "/dev/null", "/dev/null/x", "nowhere.csv"])
def test_a_name_that_is_no_source_is_recognised_by_none(name: str) -> None:
    assert [source.name for source in SOURCES if source.recognises(name)] == []
    with pytest.raises(DatasetError, match=r"check `image_dir`|is neither a folder"):
        list_photos(name)


def test_a_class_alone_is_refused_by_name(layout: Layout, tmp_path: Path, store: Path) -> None:
    source = layout.write(tmp_path / "photos", [photo._replace(label="gato") for photo in PHOTOS])
    with pytest.raises(DatasetError, match=r"holds only the class 'gato' .*needs at least two"):
        list_photos(source, store)


def test_class_names_that_look_the_same_are_refused(layout: Layout, tmp_path: Path, store: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "cão")
    photos = [*PHOTOS, Given(100, decomposed), Given(101, decomposed)]
    with pytest.raises(DatasetError, match="look the same"):
        list_photos(layout.write(tmp_path / "photos", photos), store)


def test_a_damaged_description_is_one_sentence_that_names_the_place(
    layout: Layout, tmp_path: Path, store: Path
) -> None:
    if layout.own_file is None:
        pytest.skip("photos alone are described by no file")
    source = layout.write(tmp_path / "photos", PHOTOS)
    (file,) = (tmp_path / "photos").glob(layout.own_file)
    file.write_bytes(b"\xff\xfe\0" + file.read_bytes()[:20])
    with pytest.raises(DatasetError) as refused:
        list_photos(source, store)
    message = str(refused.value)
    assert ("tfds:layout" in message) if source.startswith("tfds:") else (file.name in message)
    assert "\n" not in message and message.endswith(".")


def test_the_public_way_in_gives_the_same(layout: Layout, tmp_path: Path, store: Path) -> None:
    source = layout.write(tmp_path / "photos", PHOTOS)
    opened = PublicDataset.open(source, bottleneck_dir=store)
    assert isinstance(opened, PublicDataset)
    assert (opened.files, opened.source) == (list_photos(source, store).files, source)
