"""NumPy's files from anywhere, `.npy` and `.npz`: an array takes memory only after its file was seen to hold it.

A header of 100 bytes may promise a terabyte, and a zip of megabytes may unpack to gigabytes. So a header is compared
with the bytes that follow it, and what a zip promises with a limit. No pickle is ever read.
"""

import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from label_image.appended_zip import check_member, opened_zip
from label_image.errors import ForeignFileError

Array = npt.NDArray[Any]
CHUNK = 2**20


def read_npy(path: Path) -> Array:
    """The array of a `.npy` file. Raises ForeignFileError, OSError."""
    with open(path, "rb") as file:
        return _read_array(file, os.fstat(file.fileno()).st_size)


def read_npz(path: Path, limit: int) -> dict[str, Array]:
    """The arrays of a `.npz` by their names, as long as they take at most `limit` bytes together.

    Raises ForeignFileError, OSError.
    """
    arrays = {}
    with opened_zip(path) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        for name, member in members.items():
            check_member(member, limit)
            limit -= member.file_size
            with archive.open(member) as file:
                arrays[name] = _read_array(file, member.file_size)
    return arrays


def _read_bytes(file: IO[bytes], size: int) -> Array:
    """The next bytes of a file. Raises ForeignFileError if there are fewer."""
    data = np.empty(size, np.uint8)
    rest = data.data
    while rest:
        count = file.readinto(rest[:CHUNK])  # type: ignore[attr-defined]
        if not count:
            raise ForeignFileError("is damaged: it is cut off")
        rest = rest[count:]
    return data


def _read_array(file: IO[bytes], size: int) -> Array:
    """The array in a file of `size` bytes, which are exactly its own. Raises ForeignFileError, OSError."""
    try:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read_header(file)
        count = 1
        for side in shape:
            count *= int(side)
        start = file.tell()
        if version not in ((1, 0), (2, 0)) or dtype.hasobject or min(shape, default=0) < 0:
            raise ForeignFileError("is damaged: it is not an array of numbers or text")
        if count * dtype.itemsize != size - start:
            raise ForeignFileError("is damaged: its array is not as long as it says")
        array: Array = _read_bytes(file, size - start).view(dtype)
        return array.reshape(shape, order="F" if fortran_order else "C")
    except (ForeignFileError, OSError):
        raise
    except Exception as error:  # a header is Python's text of a dictionary: it fails in many ways
        raise ForeignFileError(f"is damaged: it is not an array ({type(error).__name__})") from None
