"""Object stores through fsspec, of which one in memory stands for all."""

import base64
import builtins
import hashlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from photo_layouts import Given
from zips import zip_of

from retrain.core.errors import DatasetError, DownloadError
from retrain.photos.opening import list_photos
from retrain.photos.remote import is_remote_address

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: the extra `remote` has it")
PHOTOS = [Given(shade, ("cat", "dog")[shade % 2]) for shade in range(6)]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """fsspec's store in memory, under the names of two; `store.reads` says from which byte on what was read."""
    from fsspec.implementations.memory import MemoryFileSystem

    class Store(MemoryFileSystem):  # type: ignore[misc, no-any-unimported, unused-ignore]
        protocol = ("s3", "hf")
        store: dict[str, Any] = {}  # noqa: RUF012
        pseudo_dirs = [""]  # noqa: RUF012
        reads: list[str] = []  # noqa: RUF012
        more: dict[str, dict[str, Any]] = {}  # noqa: RUF012

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return f"/{path.removeprefix('s3://').removeprefix('hf://').strip('/')}"

        def info(self, path: str, **options: Any) -> dict[str, Any]:
            found = super().info(path, **options)
            return {**found, **self.more.get(str(found["name"]).rpartition("/")[2], {})}

        def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
            if mode == "rb":
                self.reads.append(path.rpartition("/")[2])
            return super().open(path, mode, **options)

    for protocol in Store.protocol:
        fsspec.register_implementation(protocol, Store, clobber=True)
    Store.clear_instance_cache()
    yield Store(skip_instance_cache=True)
    fsspec.register_implementation("s3", "s3fs.S3FileSystem", clobber=True)
    fsspec.register_implementation("hf", "huggingface_hub.HfFileSystem", clobber=True)


def fill(store: Any) -> None:
    for photo in PHOTOS:
        store.pipe(f"/bucket/cats/{photo.label}/{photo.shade}.png", photo.data)


def archive() -> bytes:
    return zip_of({f"{photo.label}/{photo.shade}.png": photo.data for photo in PHOTOS})


def test_a_folder_is_fetched_once(store: Any, tmp_path: Path) -> None:
    fill(store)
    dataset = list_photos("hf://bucket/cats", tmp_path / "b")
    assert sorted(file.label for file in dataset.files) == ["cat"] * 3 + ["dog"] * 3
    assert {Path(file.path).read_bytes() for file in dataset.files} == {photo.data for photo in PHOTOS}
    assert len(store.reads) == 6
    again = list_photos("hf://bucket/cats", tmp_path / "b")
    assert again.files == dataset.files and len(store.reads) == 6


def test_an_archive_is_fetched_and_unpacked_once(store: Any, tmp_path: Path) -> None:
    store.pipe("/bucket/cats.zip", archive())
    store.reads.clear()
    dataset = list_photos("s3://bucket/cats.zip", tmp_path / "b")
    assert len(dataset.files) == 6 and store.reads == ["cats.zip"]
    assert list_photos("s3://bucket/cats.zip", tmp_path / "b").files == dataset.files and store.reads == ["cats.zip"]


def test_a_break_goes_on(store: Any, tmp_path: Path) -> None:
    body = archive_with(os.urandom(3_000_000))
    store.pipe("/bucket/cats.zip", body)

    class Break(Exception):
        pass

    def interrupt(done: int, total: int | None) -> None:
        if done > 1_000_000:
            raise Break

    from retrain.photos.remote import fetch_remote

    with pytest.raises(DownloadError, match="cannot be read"):
        fetch_remote("s3://bucket/cats.zip", tmp_path, interrupt)
    seen: list[int] = []
    place = fetch_remote("s3://bucket/cats.zip", tmp_path, lambda done, total: seen.append(done))
    assert place.read_bytes() == body and 1_000_000 < seen[0] < 2_000_000
    assert os.listdir(tmp_path) == ["cats.zip"]


def archive_with(data: bytes) -> bytes:
    import zipfile

    made = io.BytesIO(archive())
    with zipfile.ZipFile(made, "a") as file:
        file.writestr("cat/large.png", data)
    return made.getvalue()


@pytest.mark.parametrize("kind", ["lfs", "md5Hash"])
def test_a_checksum_that_the_store_knows_is_checked(kind: str, store: Any, tmp_path: Path) -> None:
    store.pipe("/bucket/cats.zip", archive())
    right = {"lfs": {"sha256": hashlib.sha256(archive()).hexdigest()}}
    wrong: dict[str, Any] = {"lfs": {"sha256": "0" * 64}}
    if kind == "md5Hash":
        right = {"md5Hash": base64.b64encode(hashlib.md5(archive()).digest()).decode()}  # type: ignore[dict-item]
        wrong = {"md5Hash": base64.b64encode(bytes(16)).decode()}
    store.more["cats.zip"] = wrong
    with pytest.raises(DownloadError, match="arrived with checksum"):
        list_photos("s3://bucket/cats.zip", tmp_path / "b")
    store.more["cats.zip"] = right
    assert len(list_photos("s3://bucket/cats.zip", tmp_path / "b").files) == 6
    store.more.clear()


def test_what_is_not_there_and_what_fails_is_a_sentence(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadError, match=r"There is nothing at s3://bucket/none\.zip"):
        list_photos("s3://bucket/none.zip", tmp_path / "b")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access\nDenied")

    monkeypatch.setattr(type(store), "info", refuse)
    with pytest.raises(DownloadError, match=r"cannot be read \(Access Denied\)"):
        list_photos("s3://bucket/cats.zip", tmp_path / "b")


def test_names_that_lead_out_are_refused(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    found = {"/bucket/cats/../../x.png": {"name": "/bucket/cats/../../x.png", "size": 1, "type": "file"}}
    monkeypatch.setattr(type(store), "find", lambda *_, **__: found)
    with pytest.raises(DatasetError, match="cannot have that name here"):
        list_photos("hf://bucket/cats", tmp_path / "b")


@pytest.mark.parametrize(
    ("address", "package"),
    [("s3://b/c.zip", "s3fs"), ("gs://b/c.zip", "gcsfs"), ("hf://datasets/x/y", "huggingface_hub")],
)
def test_a_missing_package_is_named(
    address: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_import = builtins.__import__

    def missing(name: str, *more: Any, **others: Any) -> Any:
        if name.partition(".")[0] in ("fsspec", "s3fs", "gcsfs", "huggingface_hub"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return true_import(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", missing)
    for name in [name for name in sys.modules if name.partition(".")[0] == "fsspec"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(DatasetError, match=rf"addresses need {package}, which is not installed: .*remote"):
        list_photos(address, tmp_path / "b")


def test_chains_of_addresses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="joins several addresses"):
        list_photos("s3://b/x.zip::file:///etc", tmp_path)


def test_only_these_stores() -> None:
    assert all(map(is_remote_address, ("s3://a", "gs://a", "hf://a", "S3://a")))
    assert not any(map(is_remote_address, ("file:///a", "memory://a", "ftp://a", "github://a", "/s3://", "s3:/a")))
