"""Reads one small text from a zip of unknown origin: the end of a .tflite, or a file of arrays.

A zip promises sizes that its content need not keep, and its directory may be larger than memory. So the directory's
size is looked at before it is read, a member's before it is unpacked, and never more than was promised is unpacked.
"""

import contextlib
import errno
import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

from label_image.errors import ForeignFileError, ModelError, first_line
from label_image.files import reason_of
from label_image.foreign_text import LIMIT
from label_image.manifest import MANIFEST, Manifest, parse_manifest

END = b"PK\x05\x06"  # of the directory: 22 bytes, and a comment of 64 KiB at most
END64 = b"PK\x06\x07"
TAIL = 22 + 2**16 + 20
DIRECTORY = 2**20  # bytes; it takes some ten times as many in memory
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Python unpacks others in pieces of any size
ENCRYPTED = 1  # the flag


class NothingInside(ForeignFileError):
    """A file with no zip at its end, or a zip without what is looked for."""


def read_appended_manifest(path: Path) -> Manifest:
    """The manifest in the zip at the end of a .tflite. Raises ModelError."""
    try:
        return _manifest_inside(path)
    except NothingInside as error:
        raise _unusable(path, error) from None


def embedded_manifest(path: Path) -> Manifest | None:
    """The same; None for a .tflite that carries none. Raises ModelError for one that cannot be read."""
    try:
        return _manifest_inside(path)
    except NothingInside:
        return None


def _manifest_inside(path: Path) -> Manifest:
    """Raises NothingInside, ModelError."""
    try:
        with opened_zip(path) as archive:
            data = read_member(archive, MANIFEST)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {reason_of(error)}.") from None
    except NothingInside:
        raise
    except ForeignFileError as error:
        raise _unusable(path, error) from None
    return parse_manifest(data, path)


def _unusable(path: Path, error: ForeignFileError) -> ModelError:
    return ModelError(f"{path} {error}: it was not made by retrain, or it is damaged.")


@contextlib.contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip whose directory is small, open for reading. Raises ForeignFileError, also for what is raised inside."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            _check_end(file.read())
            with zipfile.ZipFile(file) as archive:
                yield archive
    except OSError as error:
        if error.errno != errno.EINVAL:  # that of a place before the beginning of the file
            raise
        raise ForeignFileError("holds a zip that is damaged (a part is said to lie before its beginning)") from None
    except ForeignFileError:
        raise
    except Exception as error:  # zipfile, zlib and struct raise half a dozen types for damaged files
        raise ForeignFileError(f"holds a zip that is damaged ({first_line(error)})") from None


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """One member as a whole. Raises ForeignFileError if it is not there, encrypted, or too large."""
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise NothingInside(f"carries no {name}") from None
    check_member(member, LIMIT)
    with archive.open(member) as file:
        return file.read(member.file_size + 1)  # without a number it unpacks everything first


def check_member(member: zipfile.ZipInfo, limit: int) -> None:
    """Raise ForeignFileError unless a member can be unpacked in at most `limit` bytes."""
    if member.flag_bits & ENCRYPTED:
        raise ForeignFileError(f"has its {member.filename} encrypted")
    if member.compress_type not in METHODS:
        raise ForeignFileError(f"has its {member.filename} packed in a way that is not used here")
    if member.file_size > limit:
        raise ForeignFileError(f"has a {member.filename} of {member.file_size} bytes; it may have {limit}")


def _check_end(tail: bytes) -> None:
    """Wherever Python may find the end of the directory: what it says of the directory must be small."""
    if END64 in tail:
        raise ForeignFileError("holds a zip of more than 4 GiB, which is not used here")
    place = tail.find(END)
    if place < 0:
        raise NothingInside("holds no zip")
    while place >= 0:
        if place + 22 <= len(tail) and struct.unpack_from("<L", tail, place + 12)[0] > DIRECTORY:
            raise ForeignFileError("holds a zip with too many files")
        place = tail.find(END, place + 1)
