"""Addresses: https://…/cats.zip; and s3://, gs:// and hf:// through fsspec. Fetched once, and read as what they are.

    tf_files/sources/downloads/<name>-<digest of the address>/
        cats.zip            what is there; once it is unpacked it may be deleted
        address.json        that it is complete, since when, and its SHA-256

What was fetched is not asked for again: whoever wants it anew deletes that folder.
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from label_image.files import reason_of, sha256_of, sha256_of_bytes, write_in_one_step
from label_image.not_paths import is_web_address
from label_image.web_address import refuse_user, with_checksum
from retrain.core.download import download
from retrain.core.errors import DatasetError
from retrain.photos.archives.kinds import is_meant_as_archive
from retrain.photos.dataset import Dataset, Root
from retrain.photos.remote import fetch_remote, is_remote_address
from retrain.photos.sources.archives import read_unpacked, unpacked, unpacked_before
from retrain.photos.sources.base import Source, Unpacking
from retrain.photos.sources.unpack import readable

RECORD = "address.json"
DOWNLOADS = "downloads"


@dataclass(frozen=True)
class Fetched:
    """What is known of what was fetched: the name of its file or folder, and of a file its SHA-256."""

    address: str
    name: str
    sha256: str
    date: str


def is_address(source: str) -> bool:
    """Whether a source is an address, by its beginning."""
    return is_web_address(source) or is_remote_address(source)


def read_address(source: str, unpacking: Unpacking) -> Dataset:
    """The photos of an address. Raises DownloadError, and DatasetError."""
    if is_web_address(source):
        refuse_user(source)  # before it is said, and kept
    folder = unpacking.sources / DOWNLOADS / f"{readable(_name(source))}-{sha256_of_bytes(source.encode())[:16]}"
    record = _record(folder)
    if record is not None:
        before = unpacked_before(record.sha256, unpacking) if record.sha256 else None
        place = folder / record.name
        if before or place.exists():
            unpacking.progress.say(f"{source} was fetched on {record.date}; to fetch it again, delete {folder}.")
            return read_unpacked(before, unpacking) if before else _read(place, record.sha256, unpacking)
    try:
        place = _fetch(source, folder, unpacking)
        sha256 = sha256_of(place) if place.is_file() else ""
        _check(source, place, sha256)
        found = Fetched(source, place.name, sha256, time.strftime("%Y-%m-%d"))
        write_in_one_step(folder / RECORD, json.dumps(asdict(found), indent=1).encode(), sync=True)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written: {reason_of(error)}; choose another `source_dir`.") from None
    return _read(place, sha256, unpacking)


def _fetch(address: str, folder: Path, unpacking: Unpacking) -> Path:
    """Get what is at an address into a folder: a file, or a folder of files."""
    if not is_web_address(address):
        unpacking.progress.say(f"{address} is fetched to {folder}, once.")
        return fetch_remote(address, folder, unpacking.progress.downloading)
    place = folder / _name(address)
    if not place.exists():  # it may have been put there by hand
        unpacking.progress.say(f"{address} is downloaded to {place}, once.")
        download(address, place, progress=unpacking.progress.downloading)
    return place


def _check(address: str, place: Path, sha256: str) -> None:
    """Raise DatasetError if a file that was put there by hand has another checksum than the address says."""
    promised = with_checksum(address)[1] if is_web_address(address) else None
    if promised and promised != sha256:
        raise DatasetError(f"{place} has the SHA-256 {sha256} instead of {promised}: delete it.")


def _read(place: Path, sha256: str, unpacking: Unpacking) -> Dataset:
    if place.is_file() and is_meant_as_archive(place):
        return read_unpacked(unpacked(place, sha256, unpacking), unpacking)
    dataset = unpacking.read(str(place), unpacking)
    return replace(dataset, roots=(Root(str(place)), *dataset.roots)) if place.is_dir() else dataset


def _name(address: str) -> str:
    """A harmless name for the file at an address, with the end of its own: `cats.zip`."""
    try:
        own = PurePosixPath(unquote(urlsplit(address).path)).name
    except ValueError:  # no address, which the download says
        own = ""
    dotted = [readable(part) for part in own.split(".") if part]
    name = ".".join(dotted)[-100:].lstrip(".")
    return "download" if name in ("", RECORD) else name


def _record(folder: Path) -> Fetched | None:
    try:
        return Fetched(**json.loads((folder / RECORD).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


ADDRESSES = Source("addresses", is_address, read_address, holds_others=True)
