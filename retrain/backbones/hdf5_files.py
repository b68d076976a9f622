"""Checks an HDF5 file of weights before Keras reads it.

Such a file can take its numbers from any other file (external links, external storage, virtual datasets), and promise
terabytes in a few bytes (compressed, or never written). Weights need neither.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from label_image.errors import ForeignFileError

MOST_OBJECTS = 100_000


def check_hdf5(path: Path, limit: int) -> None:
    """Refuse a file that reaches for others, holds more than `limit` bytes of numbers, or anything but numbers.

    Raises ForeignFileError, also where it is no HDF5 file.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            for dataset in _datasets(file):
                limit -= _bytes_of(dataset)
                if limit < 0:
                    raise ForeignFileError("holds more numbers than the network takes")
    except ForeignFileError:
        raise
    except Exception as error:  # h5py raises half a dozen types for damaged files
        raise ForeignFileError(f"is not a readable HDF5 file ({type(error).__name__})") from None


def _datasets(file: Any) -> Iterator[Any]:
    """Each dataset of a file, once. Raises ForeignFileError for a link to elsewhere."""
    import h5py

    groups = [file]
    seen: set[Any] = set()  # a group may hold itself
    while groups:
        group = groups.pop()
        for name in group:
            if type(group.get(name, getlink=True)) is not h5py.HardLink:
                raise ForeignFileError("takes some of its content from elsewhere")
            member = group[name]
            address = h5py.h5o.get_info(member.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > MOST_OBJECTS:
                raise ForeignFileError("holds too many objects")
            if isinstance(member, h5py.Group):
                groups.append(member)
            elif isinstance(member, h5py.Dataset):
                yield member


def _bytes_of(dataset: Any) -> int:
    if dataset.is_virtual or dataset.external:
        raise ForeignFileError("takes some of its content from elsewhere")
    if dataset.dtype.kind not in "fiu":
        raise ForeignFileError(f"holds {dataset.dtype} instead of numbers")
    return int(dataset.size or 0) * max(int(dataset.dtype.itemsize), 4)
