"""Photos in an object storage: the same folders are read as on a disk, and photos where they are."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from calling import call
from object_server import ObjectServer
from photo_layouts import Given
from zips import zip_of

from label_image.preprocessing import read_photo
from retrain.cli.main import main
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, Skipped
from retrain.photos.hashes import PhotoHashes
from retrain.photos.object_states import states_of
from retrain.photos.opening import list_photos, open_dataset
from retrain.photos.reading import known_contents, remember_content
from retrain.photos.sources.manifests import read_table

PHOTO = Given(7, "cat").data

FOLDERS: dict[str, Sequence[str]] = {
    "classes": ["cat/1.jpg", "cat/2.jpg", "cat/more/3.jpg", "dog/1.jpg", "dog/clip.mp4", "readme.txt", "empty/.x"],
    "splits": ["train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg", "val/dog/4.jpg", "test/dog/5.jpg", "x.csv"],
    "names": ["images/cat_1.jpg", "images/cat_2.jpg", "images/dog_1.jpg", "images/dog_2.jpg", "about.txt"],
    "wrapped": ["photos/cat/1.jpg", "photos/dog/2.jpg", "photos/__MACOSX/x.jpg"],
    "annotations": ["images/cat/1.jpg", "images/dog/1.jpg", "annotations/cat/1.xml", "annotations/dog/1.xml"],
    "hidden": [".cache/x.jpg", "cat/.hidden.jpg", "cat/1.jpg", "cat/Thumbs.db", "dog/.d/1.jpg", "dog/2.jpg"],
    "odd names": ["a#?/1 %.jpg", "a#?/ü.JPG", "b&c/'1'.jpg", "b&c/x.jpg"],
    "without extensions": ["cat/1", "cat/2", "dog/3"],
}


def on_disk(folder: Path, names: Sequence[str]) -> str:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PHOTO)
    return str(folder)


def in_storage(storage: ObjectServer, names: Sequence[str], root: str = "set") -> str:
    for name in names:
        storage.put(f"{root}/{name}", PHOTO)
    return f"s3://{storage.bucket}/{root}"


def from_root(dataset: Dataset, root: str) -> tuple[object, ...]:
    """What a listing says, without where it was."""
    return (
        [(file.path.removeprefix(root), file.label, file.split, file.size) for file in dataset.files],
        sorted((item.path.removeprefix(root), item.reason) for item in dataset.skipped),
        [remark.replace(root, "") for remark in dataset.remarks],
        dataset.reading,
        dataset.ordinary,
    )


@pytest.mark.parametrize("names", FOLDERS.values(), ids=FOLDERS)
def test_folders_are_read_as_on_a_disk(names: Sequence[str], storage: ObjectServer, tmp_path: Path) -> None:
    local, remote = on_disk(tmp_path / "set", names), in_storage(storage, names)
    expected = from_root(list_photos(local, tmp_path), local)
    assert from_root(list_photos(remote, tmp_path), remote) == expected
    assert from_root(list_photos(f"{remote}/".replace("s3:", "S3:"), tmp_path), remote) == expected
    assert not (tmp_path / "sources").exists()


def test_a_reading_that_is_asked_for(storage: ObjectServer, tmp_path: Path) -> None:
    names = ["train/1.jpg", "train/2.jpg", "test/3.jpg"]
    remote = in_storage(storage, names)
    with pytest.raises(DatasetError, match="s3://photos/set holds no class that a name tells"):
        list_photos(remote, tmp_path)
    assert list_photos(remote, tmp_path, layout="folders").labels == ("test", "train")


def test_a_folder_of_one_class_is_added(storage: ObjectServer, tmp_path: Path) -> None:
    first = in_storage(storage, FOLDERS["classes"])
    more = in_storage(storage, ["1.jpg", "2.jpg"], "bird.v2")
    found = open_dataset(first, add_images=[more], bottleneck_dir=tmp_path)
    assert found.labels == ("bird.v2", "cat", "dog")


def test_two_slashes_side_by_side_are_said_to_be_missing(storage: ObjectServer, tmp_path: Path) -> None:
    remote = in_storage(storage, ["cat/1.jpg", "cat//2.jpg", "dog/1.jpg"])
    found = list_photos(remote, tmp_path)
    assert len(found.files) == 2
    assert found.skipped == (Skipped(f"{remote}/cat//", "cannot be read: its name has two slashes side by side"),)
    assert "Photos may be missing" in found.remarks[0]


def test_what_is_not_there_is_said(storage: ObjectServer, tmp_path: Path) -> None:
    for source in ("s3://photos/none", "s3://no-such-bucket"):
        with pytest.raises(DatasetError, match=f"There is nothing at {source}: check `image_dir`"):
            list_photos(source, tmp_path)
    storage.put("text/readme.txt", b"1")
    with pytest.raises(DatasetError, match="holds no class with photos"):
        list_photos("s3://photos/text", tmp_path)


@pytest.mark.parametrize("address", ["s3://", "S3:///", "gs://"])
def test_an_address_without_a_bucket_is_said_as_it_is_written(address: str) -> None:
    scheme = address.lower().partition("://")[0]
    with pytest.raises(DatasetError, match=f"^{scheme}:// names no bucket: write {scheme}://bucket/folder"):
        list_photos(address)


def test_a_photo_that_is_unchanged_is_known_by_its_address(
    storage: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = list_photos(in_storage(storage, FOLDERS["classes"]), tmp_path)
    hashes = PhotoHashes(tmp_path)
    file = listing.files[0]
    sha256 = hashlib.sha256(read_photo(file.path)).hexdigest()
    remember_content(file, sha256, file.mtime_ns + 10 * 10**9, hashes)
    assert known_contents([file], hashes) == [sha256]
    assert known_contents([replace(file, size=1), replace(file, mtime_ns=0, ctime_ns=0)], hashes) == [None, None]
    remember_content(listing.files[1], sha256, file.mtime_ns + 10**9, hashes)  # too soon after it was written
    assert known_contents([listing.files[1]], hashes) == [None]


def table(folder: Path, rows: Sequence[str]) -> Path:
    path = folder / "photos.csv"
    path.write_text("\n".join(["path,label", *rows]))
    return path


def test_a_table_names_photos_by_their_addresses(storage: ObjectServer, tmp_path: Path) -> None:
    remote = in_storage(storage, ["1.jpg", "2.jpg", "a,b.jpg"])
    local = on_disk(tmp_path, ["3.jpg"])
    found = read_table(
        table(tmp_path, [f"{remote}/1.jpg,cat", f"{remote}/none.jpg,cat", "3.jpg,dog", f'"{remote}/a,b.jpg",dog'])
    )
    assert [(file.path, file.label) for file in found.files] == [
        (f"{remote}/1.jpg", "cat"), (f"{local}/3.jpg", "dog"), (f"{remote}/a,b.jpg", "dog"),
    ]  # fmt: skip
    assert found.skipped == (Skipped(f"{remote}/none.jpg", "does not exist (photos.csv, line 3)"),)
    listed = {
        file.path: file for file in list_photos(in_storage(storage, ["cat/1.jpg", "dog/1.jpg"], "x"), tmp_path).files
    }
    rows = [f"{path},{file.label}" for path, file in listed.items()]
    assert {file.path: file for file in read_table(table(tmp_path, rows)).files} == listed


def test_many_objects_of_a_folder_are_asked_for_together(
    storage: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = in_storage(storage, [f"{number}.jpg" for number in range(10)])
    wanted = [f"{remote}/{number}.jpg" for number in (3, 5, 11)]
    one_by_one = states_of([*wanted, "cats/1.jpg"])
    assert list(one_by_one) and set(one_by_one) == set(wanted[:2])
    monkeypatch.setattr("retrain.photos.object_states.MANY", 3)
    assert states_of(wanted) == one_by_one
    monkeypatch.setattr("retrain.photos.object_states.PAGE", 1)  # so that the folder is too large to be listed
    assert states_of(wanted) == one_by_one
    assert states_of([f"{remote}/none/{number}" for number in range(4)]) == {}


def test_an_archive_in_a_storage_is_fetched(storage: ObjectServer, tmp_path: Path) -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed: the extra `remote` has it")
    storage.put("set.zip", zip_of({"cat/1.jpg": PHOTO, "dog/1.jpg": PHOTO}))
    assert len(list_photos("s3://photos/set.zip", tmp_path / "b").files) == 2


@pytest.mark.parametrize("command", [["look"], ["doctor", "--architecture=fake", "--output_dir=d"]])
def test_commands_take_addresses(
    command: Sequence[str], storage: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for shade in range(20):
        photo = Given(10 * shade, ("cat", "dog")[shade % 2])
        storage.put(f"set/{photo.label}/{shade}.png", photo.data)
    said = call(main, *command, "s3://photos/set", "--bottleneck_dir=b")
    assert said.code == 0, said.err
    assert "20" in said.out
