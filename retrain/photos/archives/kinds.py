"""What kind of archive a file is: by its first bytes, and by its name where it is to be recognised without a look."""

import re
from pathlib import Path
from typing import Literal

from retrain.core.errors import DatasetError

Kind = Literal["zip", "tar", "gz", "bz2", "xz"]

NAMES = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
MAGIC: dict[bytes, Kind] = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # an empty one
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
}
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
LOOK = 512  # bytes from the beginning
# What people also pack photos into, and cannot be read here.
OTHERS = {b"Rar!": "a RAR archive", b"7z\xbc\xaf": "a 7-Zip archive", b"(\xb5/\xfd": "compressed by zstd"}
OTHER_NAMES = re.compile(r"\.(rar|7z|zst)$", re.IGNORECASE)


def is_named_archive(name: str) -> bool:
    """Whether a file is called as archives are."""
    return NAMES.search(name) is not None


def without_suffix(name: str) -> str:
    """`cats` for `cats.tar.gz`."""
    return NAMES.sub("", name) or name


def beginning(path: Path) -> bytes:
    """The first bytes of a file; none where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(LOOK)
    except (OSError, ValueError):
        return b""


def kind_of_archive(path: Path) -> Kind | None:
    """What its first bytes say; None for anything else."""
    first = beginning(path)
    for magic, kind in MAGIC.items():
        if first.startswith(magic):
            return kind
    if first[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
        return "tar"
    return None


def is_meant_as_archive(path: Path) -> bool:
    """Whether a file is to be read as an archive: it is one, or is called so."""
    return is_named_archive(path.name) or OTHER_NAMES.search(path.name) is not None or kind_of_archive(path) is not None


def require_kind(path: Path) -> Kind:
    """The kind of an archive. Raises DatasetError that says what the file is instead."""
    kind = kind_of_archive(path)
    if kind:
        return kind
    first = beginning(path)
    if path.name.lower().endswith(".tar") and first:
        return "tar"  # one of the time before there were magic bytes
    for magic, what in OTHERS.items():
        if first.startswith(magic):
            raise DatasetError(f"{path} is {what}, which cannot be read: unpack it, and pass the folder.")
    if not first:
        raise DatasetError(f"{path} is empty: get it again.")
    if re.match(rb"\s*<(!doctype|html|\?xml|head)", first, re.IGNORECASE):
        raise DatasetError(
            f"{path} is a web page and no archive: its address may want a login. Get the archive with a browser, and "
            "pass that file."
        )
    raise DatasetError(f"{path} is not an archive (.zip, .tar, .tar.gz, .tar.bz2, .tar.xz), whatever its name says.")
