"""Objects of a storage: a real server on loopback, which also fails, and a folder in the place of other storages."""

import builtins
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from failing_proxy import failing_proxy
from object_server import PAGE, ObjectServer, environment_for

from label_image import object_storage
from label_image.errors import CredentialsError, PhotoError, StorageError
from label_image.find_photos import find_photos
from label_image.object_storage import (
    Object,
    is_object_address,
    list_objects,
    object_at,
    objects_at,
    put_object,
    read_object,
    remove_object,
)
from label_image.photo_files import reading
from label_image.photo_files.reading import photo_bytes

ODD = "s3://photos/cats/a b#?%41&+é'\".jpg"


def _is_third_part_or_whole(method: str, path: str) -> bool:
    return method == "PUT" and ("partNumber" not in path or "partNumber=3" in path)


def addresses(folder: str) -> list[str]:
    return [found.address for found in list_objects(folder)]


def test_only_these_storages() -> None:
    assert all(map(is_object_address, ("s3://a", "gs://a/b", "hdfs://a", "hdfs:///a", "S3://a")))
    assert not any(map(is_object_address, ("hf://a", "https://a", "/s3://", "s3:/a", "s3a://b", "")))


def test_what_is_put_is_there_whole(storage: ObjectServer) -> None:
    put_object(ODD, b"0123456789")
    assert read_object(ODD, 100) == b"0123456789" and read_object(ODD, 3) == b"012"
    (found,) = list_objects("s3://photos/cats")
    assert found == object_at(ODD) and (found.address, found.size) == (ODD, 10)
    assert found.mtime_ns % 10**9 == 0
    put_object(ODD, b"other")
    assert read_object(ODD, 100) == b"other"
    remove_object(ODD)
    assert object_at(ODD) is None and addresses("s3://photos") == []


def test_a_large_object(storage: ObjectServer) -> None:
    data = bytes(range(256)) * 2**16 * 2
    put_object("s3://photos/large", data)
    assert read_object("s3://photos/large", len(data) + 1) == data


def test_all_pages_are_listed_in_the_order_of_keys(storage: ObjectServer) -> None:
    names = [f"cats/{number % 3}/{number}.jpg" for number in range(3 * PAGE + 1)]
    for name in names:
        storage.put(name, b"1")
    storage.put("cats-and-dogs/1.jpg", b"1")
    assert addresses("s3://photos/cats/") == [f"s3://photos/{name}" for name in sorted(names)]
    assert addresses("S3://photos/cats") == addresses("s3://photos/cats/")
    assert len(addresses("s3://photos")) == len(names) + 1


def test_what_only_marks_a_folder_is_passed_over(storage: ObjectServer) -> None:
    storage.put("cats/", b"")
    storage.put("cats/1.jpg", b"1")
    assert addresses("s3://photos/cats") == ["s3://photos/cats/1.jpg"]
    storage.put("dogs/", b"")
    assert addresses("s3://photos/dogs") == []  # it is there, and empty


def test_several_are_asked_for_at_once(storage: ObjectServer) -> None:
    put_object("s3://photos/1", b"1")
    put_object("s3://photos/3", b"333")
    found = objects_at([f"s3://photos/{name}" for name in (3, 2, 1)])
    assert [one and one.size for one in found] == [3, None, 1]
    assert objects_at([]) == []
    found = objects_at(["s3://photos/a//1", "s3://photos/1", "s3://photos/1", "s3://photos//1"])
    assert [one and one.size for one in found] == [None, 1, 1, None]
    assert object_at("s3://photos//1") is None


@pytest.mark.parametrize("address", ["s3://photos/none", "s3://no-such-bucket/none"])
def test_what_is_not_there(address: str, storage: ObjectServer) -> None:
    for ask in (lambda: read_object(address, 1), lambda: addresses(address)):
        with pytest.raises(FileNotFoundError) as raised:
            ask()
        assert raised.value.filename == address
    assert object_at(address) is None


def test_what_goes_between_the_look_at_it_and_the_reading_is_not_there(
    storage: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("merged", bytes(10_000))

    def remove(method: str, path: str) -> None:
        if method == "GET":
            storage.client().delete_object(Bucket="photos", Key="merged")

    with failing_proxy(storage.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        object_storage.forget_connections()
        proxy.before = remove
        with pytest.raises(FileNotFoundError):
            read_object("s3://photos/merged")
    object_storage.forget_connections()


@pytest.mark.parametrize("code", ["NO_SUCH_KEY", "RESOURCE_NOT_FOUND"])
def test_servers_have_two_words_for_what_went_meanwhile(code: str) -> None:
    with pytest.raises(FileNotFoundError), object_storage._as_sentence("s3://photos/a", "cannot be read"):
        raise OSError(f"AWS Error {code} during GetObject operation: .")


def test_errors_are_sentences(storage: ObjectServer) -> None:
    with pytest.raises(StorageError, match=r"^s3://no-such-bucket/a cannot be written: .*bucket.*[^.]\.$"):
        put_object("s3://no-such-bucket/a", b"1")
    with pytest.raises(StorageError, match=r"names no bucket: write s3://bucket/folder\.$"):
        addresses("s3://")


def test_of_an_object_that_cannot_be_written_to_its_end_nothing_appears(
    storage: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("torn", b"as it was")
    with failing_proxy(storage.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        object_storage.forget_connections()
        proxy.fault = lambda method, path: "refused" if _is_third_part_or_whole(method, path) else None
        with pytest.raises(StorageError, match="AccessDenied"):
            put_object("s3://photos/torn", bytes(40 << 20))
    assert storage.client().get_object(Bucket="photos", Key="torn")["Body"].read() == b"as it was"
    object_storage.forget_connections()


def test_credentials_in_an_address_are_refused_and_not_shown() -> None:
    for ask in (addresses, object_at, lambda address: put_object(address, b"1")):
        with pytest.raises(StorageError, match="holds credentials") as raised:
            ask("s3://AKIAX:verysecret@photos/cats")
        assert "verysecret" not in str(raised.value)


TO_SET = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile of ~/.aws, "
    "to credentials that may do this."
)


def test_without_credentials_it_is_said_what_to_set(storage: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put("cats/1.jpg", b"1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    object_storage.forget_connections()
    for ask in (addresses, lambda address: put_object(address, b"1"), object_at):
        with pytest.raises(CredentialsError) as raised:
            ask("s3://photos/cats/1.jpg")
        assert str(raised.value).endswith(f". {TO_SET}")
    with pytest.raises(PhotoError, match="ACCESS_DENIED"), photo_bytes("s3://photos/cats/1.jpg"):
        pass
    monkeypatch.setenv("AWS_PROFILE", "nobody's")
    object_storage.forget_connections()
    with pytest.raises(CredentialsError, match=r"profile .* could not be found"):
        addresses("s3://photos/cats")
    object_storage.forget_connections()


def test_where_they_are_refused_too(storage: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with failing_proxy(storage.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        object_storage.forget_connections()
        proxy.fault = lambda method, path: "refused"
        for ask in (addresses, object_at, read_object, lambda address: put_object(address, b"1"), remove_object):
            with pytest.raises(CredentialsError) as raised:
                ask("s3://photos/cats")
            assert str(raised.value).endswith(f". {TO_SET}")
    object_storage.forget_connections()


@pytest.mark.parametrize(
    ("said", "is_refusal"),
    [
        ("An error occurred (InvalidAccessKeyId) when calling the ListObjectsV2 operation: …", True),
        ("An error occurred (ExpiredToken) when calling the PutObject operation: …", True),
        ("AWS Error SIGNATURE_DOES_NOT_MATCH during HeadObject operation: …", True),
        ("google::cloud::Status(PERMISSION_DENIED: Permanent error …)", True),
        ("Status(UNAVAILABLE: Could not create a OAuth2 access token: Could not resolve hostname)", True),
        ("AWS Error ACCOUNT_PROBLEM during ListObjectsV2 operation: No response body.", True),
        ("An error occurred (Unauthorized) when calling the ListObjectsV2 operation: …", True),
        ("AWS Error NETWORK_CONNECTION during GetObject of it's forbidden/credentials/x", False),
        ("Could not resolve host: nonsense-forbidden", False),
        ("When listing a/b with forbidden name: connection reset", False),
        ("When reading key 'Forbidden/AccessDenied.jpg' in bucket 'a': AWS Error NETWORK_CONNECTION", False),
        ("An error occurred (SlowDown) when calling the ListObjectsV2 operation: Please slow down", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["s3", "gs", "hdfs"])
def test_refusals_are_known_by_their_words(said: str, is_refusal: bool, scheme: str) -> None:
    address = f"{scheme}://a/b with forbidden name"
    with pytest.raises(StorageError) as raised, object_storage._as_sentence(address, "cannot be read"):
        raise OSError(said)
    assert isinstance(raised.value, CredentialsError) == is_refusal
    to_do = {"s3": "AWS_PROFILE", "gs": "Set GOOGLE_APPLICATION_CREDENTIALS to", "hdfs": "Ask for the right"}[scheme]
    assert (to_do in str(raised.value)) == is_refusal


def test_what_arrow_raises_is_a_sentence_too() -> None:
    said = "Unknown error: google::cloud::Status(UNKNOWN: Cannot open credentials file /nowhere/key.json)"
    cannot_be_listed = object_storage._as_sentence("gs://a/b", "cannot be listed")
    with pytest.raises(CredentialsError, match="Set GOOGLE_APPLICATION_CREDENTIALS"), cannot_be_listed:
        raise pyarrow.lib.ArrowException(said)


@pytest.mark.parametrize("fault", ["slow down", "reset", "reset after", "cut"])
def test_a_storage_that_fails_is_asked_again(
    fault: str, storage: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("cats/1.jpg", b"1" * 100_000)
    with failing_proxy(storage.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        object_storage.forget_connections()
        requests = count()
        proxy.fault = lambda method, path: fault if next(requests) % 3 == 0 else None
        assert addresses("s3://photos") == ["s3://photos/cats/1.jpg"]
        assert read_object("s3://photos/cats/1.jpg", 2**20) == b"1" * 100_000
        put_object("s3://photos/cats/2.jpg", b"2" * 100)
        with photo_bytes("s3://photos/cats/2.jpg") as data:
            assert data == b"2" * 100
        assert fault in proxy.done
    object_storage.forget_connections()


def test_one_that_only_fails_is_said(storage: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_storage, "ATTEMPTS", 2)
    with failing_proxy(storage.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        object_storage.forget_connections()
        proxy.fault = lambda method, path: "slow down"
        with pytest.raises(StorageError, match=r"^s3://photos/a cannot be written: .*\.$"):
            put_object("s3://photos/a", b"1")
        with pytest.raises(StorageError, match=r"^s3://photos cannot be listed: .*reduce your request rate.*\.$"):
            addresses("s3://photos")
        with pytest.raises(PhotoError, match=r"^cannot be read: "), photo_bytes("s3://photos/a"):
            pass
    object_storage.forget_connections()


def test_nobody_listens(storage: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_storage, "ATTEMPTS", 1)
    for name, value in environment_for("http://me:secret@127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    object_storage.forget_connections()
    with pytest.raises(StorageError, match=r"^s3://photos cannot be listed: Could not connect") as raised:
        addresses("s3://photos")
    assert "secret" not in str(raised.value)
    object_storage.forget_connections()


def test_photos_are_read_as_files_are(storage: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put("1.jpg", b"12345")
    with photo_bytes("s3://photos/1.jpg") as data:
        assert data == b"12345"
    with pytest.raises(PhotoError, match="cannot be read: there is nothing of this name"), photo_bytes("s3://photos/2"):
        pass
    monkeypatch.setattr(reading, "MAX_BYTES", 4)
    with pytest.raises(PhotoError, match="has 5 bytes; the limit is 4"), photo_bytes("s3://photos/1.jpg"):
        pass


def test_label_image_takes_folders_and_photos_of_a_storage(storage: ObjectServer) -> None:
    for name in ("new/1.jpg", "new/a/2.jpg", "new/clip.mp4", "new/.x/3.jpg"):
        storage.put(name, b"1")
    photos = ["s3://photos/new/1.jpg", "s3://photos/new/a/2.jpg"]
    assert [one for one in find_photos(["s3://photos/new/"]) if isinstance(one, str)] == photos
    assert list(find_photos(["s3://photos/none.jpg"])) == ["s3://photos/none.jpg"]  # reading it says what is wrong
    assert list(find_photos(["s3://photos/none"])) == ["s3://photos/none"]


def test_what_is_done_with_the_bytes_raises_its_own(storage: ObjectServer) -> None:
    storage.put("1.jpg", b"1")
    with pytest.raises(OSError, match="of the caller"), photo_bytes("s3://photos/1.jpg"):
        raise OSError("of the caller")


@pytest.mark.parametrize(
    ("missing", "ask"), [("pyarrow", lambda: read_object("gs://b/c", 1)), ("boto3", lambda: addresses("s3://b/c"))]
)
def test_a_missing_package_is_named(missing: str, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    true_import = builtins.__import__

    def without(name: str, *more: Any, **others: Any) -> Any:
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return true_import(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", without)
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    object_storage.forget_connections()
    with pytest.raises(StorageError, match=rf"{missing}: (run|use|it is)"):
        ask()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a storage that is a folder of this machine, at hdfs://node."""
    fs = pytest.importorskip("pyarrow.fs")
    monkeypatch.setattr(
        object_storage, "_file_system", lambda *_: fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    )
    return tmp_path


def test_other_storages_are_listed_folder_by_folder(folder: Path) -> None:
    for name in ("cats/b/2.jpg", "cats/b/c/3.jpg", "cats/a.jpg", "cats/d/1.jpg", "dogs/1.jpg"):
        put_object(f"hdfs://node/{name}", name.encode())
    found = list(list_objects("hdfs://node/cats/"))
    names = ["a.jpg", "b/2.jpg", "b/c/3.jpg", "d/1.jpg"]
    assert [one.address for one in found] == [f"hdfs://node/cats/{name}" for name in names]
    assert found[0] == Object("hdfs://node/cats/a.jpg", 10, found[0].mtime_ns) == object_at("hdfs://node/cats/a.jpg")
    with pytest.raises(FileNotFoundError):
        list(list_objects("hdfs://node/none"))


def test_a_file_that_shows_while_it_is_written_is_moved_to_its_place(folder: Path) -> None:
    put_object("hdfs://node/a/1", b"1")
    put_object("hdfs://node/a/1", b"22")
    assert (folder / "a" / "1").read_bytes() == b"22"
    assert [path.name for path in (folder / "a").iterdir()] == ["1"]


def test_writers_of_one_file_have_names_of_their_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class System:
        def __getattr__(self, name: str) -> Any:
            return getattr(system, name)

        def open_output_stream(self, path: str) -> Any:
            opened.append(path)
            return system.open_output_stream(path)

        def move(self, source: str, target: str) -> None:
            raise OSError("the name node is gone")

    system, _ = object_storage.file_system_of("hdfs://node/a")
    monkeypatch.setattr(object_storage, "_file_system", lambda *_: System())
    for _ in range(2):
        with pytest.raises(StorageError, match="name node"):
            put_object("hdfs://node/a/1", b"1")
    assert len(set(opened)) == 2
    assert list((folder / "a").iterdir()) == []
