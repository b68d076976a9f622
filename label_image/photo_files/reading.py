"""The bytes of a photo, from a regular file of sensible size, or from such an object of a storage."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from label_image.errors import PhotoError, StorageError
from label_image.files import reason_of
from label_image.not_paths import is_object_address, scheme_of
from label_image.photo_files.budget import ByteBudget

MAX_BYTES = 256 * 2**20
ORDINARY_BYTES = 16 * 2**20

READING = ByteBudget(MAX_BYTES, ORDINARY_BYTES)


@contextmanager
def photo_bytes(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The bytes of a photo, for as long as the block runs: large files wait until there is room for them.

    Raises PhotoError for anything but a regular file of sensible size.
    """
    with (
        _photo_object(str(path)) if is_object_address(path) else _photo_file(path) as (file, size),
        READING.reserved(size),
    ):
        yield _all_of(file, size)


def read_photo(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a photo, for one who reads one after the other. Raises as `photo_bytes` does."""
    with photo_bytes(path) as data:
        return data


@contextmanager
def _photo_object(address: str) -> Iterator[tuple[BinaryIO, int]]:
    """An object that is open for reading, and its size."""
    from label_image.object_storage import open_object  # here, and not above: few photos lie there

    try:
        file, size = open_object(address)
    except OSError as error:
        raise PhotoError(f"cannot be read: {reason_of(error)}") from None
    except StorageError as error:
        raise PhotoError(
            f"cannot be read: {str(error).removeprefix(f'{address} cannot be read: ').rstrip('.')}"
        ) from None
    with file:
        _check_size(size)
        yield file, size


@contextmanager
def _photo_file(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, int]]:
    """A file that is open for reading, and its size."""
    try:
        # Unbuffered, as it is read in one go; what the caller raises is not ours.
        file = open(path, "rb", buffering=0, opener=_open_without_waiting)  # noqa: SIM115
    except OSError as error:
        if isinstance(error, FileNotFoundError) and os.path.islink(path):
            raise PhotoError("is a link to nothing") from None
        if isinstance(error, FileNotFoundError) and (scheme := scheme_of(path)) is not None:
            raise PhotoError(
                f"is not a file, and addresses of {scheme} are not read: name a file, or use https://"
            ) from None
        raise PhotoError(f"cannot be read: {reason_of(error)}") from None
    except ValueError as error:  # a NUL in the path
        raise PhotoError(f"cannot be read: {error}") from None
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PhotoError("is not a regular file")
        _check_size(status.st_size)
        yield file, status.st_size


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise PhotoError(f"has {size} bytes; the limit is {MAX_BYTES}")


def _all_of(file: BinaryIO, size: int) -> bytes:
    try:
        data = file.read(size + 1)
        while len(data) <= size and (rest := file.read(size + 1 - len(data))):  # one reading may give less
            data += rest
    except OSError as error:
        raise PhotoError(f"cannot be read: {reason_of(error)}") from None
    if len(data) > size:
        raise PhotoError("grew while it was being read")
    return data


def _open_without_waiting(path: str, flags: int) -> int:
    # Opening a FIFO without O_NONBLOCK would wait for a writer for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
