"""Files at s3://, gs:// and hdfs:// addresses: listed, read and written through pyarrow's file systems.

Credentials, regions and endpoints are those of the environment, as the tools of each storage take them (`AWS_*` with
`AWS_ENDPOINT_URL`, `~/.aws`; `GOOGLE_APPLICATION_CREDENTIALS`; `HADOOP_HOME`, `CLASSPATH`); none is an option of ours.
An address is taken literally: what follows the bucket is the key, with its spaces, `#`, `?` and `%`.

Answers of a storage that has too much to do (503 SlowDown, 5xx) and connections that break are tried again with
back-off by the software development kit of each, `ATTEMPTS` times on S3 and for `RETRY_SECONDS` on Google's.
"""

import errno
import os
import posixpath
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from label_image.errors import CredentialsError, StorageError, first_line
from label_image.installing import how_to_install
from label_image.not_paths import is_object_address as is_object_address

ATTEMPTS = 10  # of the software of AWS, the waits between them growing to 20 s
RETRY_SECONDS = 120
CONNECT_SECONDS = 10
ANSWER_SECONDS = 60

# What servers and their libraries say where credentials are missing, wrong, out of date, or not for this.
_REFUSALS = re.compile(
    r"credentials|config profile|access ?(denied|disabled|token)|permission ?denied|forbidden|unauthori[sz]ed|"
    r"account ?problem|invalid ?(access ?key|client|token)|signature ?does ?not ?match|expired ?token|token .*expired|"
    r"unrecognized ?client|sso session",
    re.IGNORECASE,
)
_NAMES = re.compile(r"'[^']*'|\"[^\"]*\"|\S+[-./]\S+")  # in messages: what is quoted, hosts, paths
_TO_SET = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile of ~/.aws, to credentials that "
    "may do this.",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS to the key file of an account that may do this.",
    "hdfs": "Ask for the right to do this there.",
}


class Object(NamedTuple):
    """A file of a storage. The time of its last change is in whole seconds, as the protocols give it everywhere."""

    address: str
    size: int
    mtime_ns: int


def split_address(address: str) -> tuple[str, str, str]:
    """An address as (scheme, bucket or host, key without a slash before it). Raises StorageError."""
    scheme, _, rest = address.partition("://")
    place, _, key = rest.partition("/")
    if "@" in place and scheme.lower() != "hdfs":
        raise StorageError(
            f"An address {scheme.lower()}://…@bucket holds credentials, which would be shown and kept: "
            f"write {scheme.lower()}://bucket/folder, and put them into the environment."
        )
    if not is_object_address(address) or (not place and scheme.lower() != "hdfs"):
        raise StorageError(f"{address} names no bucket: write {scheme.lower()}://bucket/folder.")
    return scheme.lower(), place, key


def file_system_of(address: str) -> tuple[Any, str]:
    """The pyarrow file system of an address, one for each bucket and process, and the path there.

    Raises StorageError where pyarrow is not installed, or the file system cannot be opened.
    """
    scheme, place, key = split_address(address)
    with _as_sentence(address, "cannot be opened"):
        system = _file_system(scheme, place)
    return system, f"/{key}" if scheme == "hdfs" else f"{place}/{key}".rstrip("/")


def read_object(address: str, most: int | None = None) -> bytes:
    """The bytes of an object, all or the first `most` of them. Raises FileNotFoundError, and StorageError."""
    system, path = file_system_of(address)
    if most is None:
        with _as_sentence(address, "cannot be read"), system.open_input_file(path) as file:
            whole: bytes = file.read()
        return whole
    with _as_sentence(address, "cannot be read"), system.open_input_stream(path) as stream:
        data: bytes = stream.read(most)
    return data


def open_object(address: str) -> tuple[BinaryIO, int]:
    """An object, open for reading, and its size. Raises FileNotFoundError, and StorageError; reading raises OSError."""
    system, path = file_system_of(address)
    with _as_sentence(address, "cannot be read"):
        file = system.open_input_file(path)
        return file, file.size()


def put_object(address: str, data: bytes | memoryview) -> None:
    """Write an object, which appears whole or not at all and is durable on return; one of that name is replaced.

    Raises StorageError.
    """
    scheme, place, key = split_address(address)
    try:
        with _as_sentence(address, "cannot be written"):
            if scheme == "s3":
                _put_at_once(place, key, data)
            elif scheme == "hdfs":
                _put_by_moving(*file_system_of(address), data)
            else:
                system, path = file_system_of(address)
                with system.open_output_stream(path) as stream:
                    stream.write(data)
    except FileNotFoundError:
        raise StorageError(f"{address} cannot be written: there is no bucket {place!r}.") from None


def remove_object(address: str) -> None:
    """Remove an object. Raises StorageError, and FileNotFoundError where the storage tells that there is none."""
    scheme, place, key = split_address(address)
    with _as_sentence(address, "cannot be removed"):
        if scheme == "s3":  # one request; pyarrow asks before, and writes an object for the folder afterwards
            _s3_client().delete_object(Bucket=place, Key=key)
        else:
            system, path = file_system_of(address)
            system.delete_file(path)


def object_at(address: str) -> Object | None:
    """What is known of the object at an address; None where there is none. Raises StorageError."""
    return objects_at([address])[0]


def objects_at(addresses: list[str]) -> list[Object | None]:
    """`object_at` for several addresses of one bucket, which are asked for at once.

    A key with two slashes side by side is none that pyarrow takes: nothing is there.
    """
    asked = [address for address in addresses if "" not in split_address(address)[2].split("/")]
    if not asked:
        return [None] * len(addresses)
    system, _ = file_system_of(asked[0])
    with _as_sentence(asked[0], "cannot be asked for"):
        infos = system.get_file_info([file_system_of(address)[1] for address in asked])
    found = {
        address: Object(address, info.size, _whole_seconds(info.mtime_ns))
        for address, info in zip(asked, infos, strict=True)
        if info.is_file
    }
    return [found.get(address) for address in addresses]


def list_objects(address: str) -> Iterator[Object]:
    """All objects below a folder, in a stable order, each listed once; what only marks a folder is passed over.

    From S3 they come by pages of 1,000 in the order of their keys, and no more than a page is held. From others one
    folder after the other, whose entries are held. Raises FileNotFoundError where there is no such folder, and
    StorageError.
    """
    scheme, place, key = split_address(address)
    if scheme == "s3":
        yield from _pages_of_s3(address, place, key)
    else:
        yield from _folder_by_folder(f"{scheme}://{place}/{key}".rstrip("/"))


def entries_of(address: str) -> tuple[list[tuple[str, int]], list[str]]:
    """What is directly in a folder: names of objects with their sizes, and names of folders; both are held.

    Nothing of a folder that is not there. Raises StorageError.
    """
    from pyarrow.fs import FileSelector

    system, path = file_system_of(address)
    with _as_sentence(address, "cannot be listed"):
        entries = system.get_file_info(FileSelector(path, allow_not_found=True, recursive=False))
    files = [(entry.base_name, entry.size) for entry in entries if entry.is_file and entry.base_name]
    return files, [entry.base_name for entry in entries if not entry.is_file]


def forget_connections() -> None:
    """Read the environment again: what was opened by what it said before is not used any more."""
    _file_system.cache_clear()
    _s3_client.cache_clear()


def _pages_of_s3(address: str, bucket: str, key: str) -> Iterator[Object]:
    prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
    head = f"s3://{bucket}/"
    with _as_sentence(address, "cannot be listed"):
        pages = iter(_s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
    anything = False
    while True:
        with _as_sentence(address, "cannot be listed"):
            page = next(pages, None)
        if page is None:
            break
        for item in page.get("Contents", ()):
            anything = True
            if not item["Key"].endswith("/"):
                yield Object(head + item["Key"], item["Size"], item["LastModified"] * 10**9)
    if not anything and prefix:
        raise _missing(address)


def _folder_by_folder(address: str) -> Iterator[Object]:
    from pyarrow.fs import FileSelector

    folders = [address]
    while folders:
        folder = folders.pop()
        system, path = file_system_of(folder)
        with _as_sentence(folder, "cannot be listed"):
            entries = system.get_file_info(FileSelector(path, recursive=False))
        entries.sort(key=lambda entry: entry.base_name)
        for entry in entries:
            if entry.is_file and entry.base_name:
                yield Object(f"{folder}/{entry.base_name}", entry.size, _whole_seconds(entry.mtime_ns))
        folders.extend(f"{folder}/{entry.base_name}" for entry in reversed(entries) if not entry.is_file)


def _put_at_once(bucket: str, key: str, data: bytes | memoryview) -> None:
    """One request: pyarrow sends parts, and completes what it has of them where one of them fails."""
    client = _s3_client()
    from pyarrow import BufferReader, py_buffer

    client.put_object(Bucket=bucket, Key=key, Body=BufferReader(py_buffer(data)))


def _put_by_moving(system: Any, path: str, data: bytes | memoryview) -> None:
    """Hadoop shows a file while it is written; moving it is one step, which replaces nothing.

    The other name is nobody else's: writers of one file may have the same process id, on machines of their own.
    """
    aside = f"{path}.{secrets.token_hex(8)}.part"
    system.create_dir(posixpath.dirname(path), recursive=True)
    try:
        with system.open_output_stream(aside) as stream:
            stream.write(data)
        if system.get_file_info(path).is_file:
            system.delete_file(path)
        system.move(aside, path)
    except BaseException:
        with suppress(OSError):
            system.delete_file(aside)
        raise


def _whole_seconds(nanoseconds: int | None) -> int:
    return (nanoseconds or 0) // 10**9 * 10**9


@lru_cache(maxsize=64)
def _file_system(scheme: str, place: str) -> Any:
    try:
        from pyarrow import fs
    except ModuleNotFoundError:
        raise StorageError(f"{scheme}:// addresses need pyarrow: {how_to_install('storage')}.") from None
    if scheme == "gs":
        return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=RETRY_SECONDS))
    if scheme == "hdfs":
        return fs.HadoopFileSystem.from_uri(f"hdfs://{place or 'default'}")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    own_server = {}
    if endpoint:
        protocol, _, host = endpoint.rpartition("://")
        own_server = {"scheme": protocol or "https", "endpoint_override": host.rstrip("/")}
    return fs.S3FileSystem(
        region=_region(fs, place, asks=not endpoint),
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=ANSWER_SECONDS,
        background_writes=False,
        allow_delayed_open=True,  # a small object in one request, not in three
        **own_server,
    )


def _region(fs: Any, bucket: str, asks: bool) -> str | None:
    """The region of a bucket: the environment's, else the one that the storage tells where it `asks`."""
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if named or not asks:
        return named
    try:
        return str(fs.resolve_s3_region(bucket))
    except OSError:  # what is wrong there is said by the first request for what was asked for
        return None


@lru_cache(maxsize=1)
def _s3_client() -> Any:
    try:
        import boto3
        import botocore.session
        from botocore.config import Config
    except ModuleNotFoundError:
        raise StorageError(f"Listing a bucket needs boto3: {how_to_install('storage')}.") from None
    config = Config(
        retries={"mode": "standard", "max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
    )
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_seconds)
    return boto3.session.Session(botocore_session=core).client("s3", config=config)


def _seconds(time: str) -> int:
    """Seconds since 1970, of a time such as 2026-01-31T12:00:00.000Z: botocore takes two thirds of a listing for it."""
    try:
        return int(datetime.fromisoformat(f"{time[:19]}+00:00").timestamp())
    except ValueError:
        from botocore.utils import parse_timestamp

        return int(parse_timestamp(time).timestamp())


@contextmanager
def _as_sentence(address: str, what: str) -> Iterator[None]:
    """What the libraries raise as a StorageError; where a file is missing, as FileNotFoundError."""
    try:
        yield
    except StorageError:
        raise
    except FileNotFoundError:
        raise _missing(address) from None
    except Exception as error:
        if not _is_of_a_storage(error):
            raise
        if _is_missing(error):
            raise _missing(address) from None
        sentence = f"{address} {what}: {_reason(error)}."
        if _is_refusal(error, address):
            raise CredentialsError(f"{sentence} {_TO_SET[split_address(address)[0]]}") from None
        raise StorageError(sentence) from None


def _missing(address: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "there is nothing of this name", address)


def _is_of_a_storage(error: Exception) -> bool:
    """Whether an error is one of pyarrow's, or of boto3's, which share no base."""
    module = type(error).__module__
    return isinstance(error, (OSError, ValueError)) or module.startswith(("botocore", "boto3", "pyarrow"))


def _is_missing(error: Exception) -> bool:
    # pyarrow: it was there when it was opened, and gone when read.
    if any(f"{code} during GetObject" in str(error) for code in ("NO_SUCH_KEY", "RESOURCE_NOT_FOUND")):
        return True
    return getattr(error, "response", {}).get("Error", {}).get("Code") in ("NoSuchKey", "NoSuchBucket", "404")


def _is_refusal(error: Exception, address: str) -> bool:
    """Whether credentials are the reason, by the words of the message without the address and other names in it."""
    words = str(error).replace(address.partition("://")[2], "")
    return _REFUSALS.search(_NAMES.sub("", words).replace("_", " ")) is not None


def _reason(error: Exception) -> str:
    """The first line of a message that may be long, without its full stop and what an endpoint says of credentials."""
    line = first_line(error).rstrip(". :")
    return re.sub(r"//[^/@\s]+@", "//…@", line)


if hasattr(os, "register_at_fork"):  # a forked child must not use the connections of its parent
    os.register_at_fork(after_in_child=forget_connections)
