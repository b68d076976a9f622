"""A PyTorch checkpoint of named tensors (a state dict) as arrays: without PyTorch, and without running anything.

PyTorch has two formats. Since 2020 a checkpoint is a zip file, not compressed, of a pickle that describes the tensors
and one member for the numbers of each storage. Before, it was five pickles (a magic number, a version, the machine, the
description, the order of the storages) with the storages behind them.

`retrain.backbones.torch_pickle` reads the pickles and executes none. What a file says of its sizes is compared with
its size before memory is taken, and numbers are read one tensor at a time.
"""

import math
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from label_image.files import reason_of
from retrain.backbones.torch_pickle import Allowance, CheckpointFormatError, Storage, Tensor, read_pickle, shown
from retrain.core.errors import BackboneError

ZIP_BEGINS, PICKLE_BEGINS = b"PK\3\4", b"\x80"
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MAX_DIRECTORY = 2**19  # bytes of a zip file's table of contents: 4,000 storages and more

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Checkpoint(Mapping[str, Array]):
    """The tensors of a checkpoint by name; each is read from the file when it is asked for, with its own strides.

    Raises BackboneError when one is asked for and the file has changed.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    places: Mapping[str, int] = field(repr=False)  # where the numbers of each storage begin in the file

    def __getitem__(self, name: str) -> Array:
        tensor = self.tensors[name]
        with _opened(self.path) as file:
            return _numbers(file, tensor, self.places[tensor.storage.key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading its numbers."""
        return self.tensors[name].shape


def read_checkpoint(path: Path) -> Checkpoint:
    """The tensors of a checkpoint, in either format. Raises BackboneError."""
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        beginning = file.read(4)
        file.seek(0)
        content, places = _read_zip(file, size) if beginning == ZIP_BEGINS else _read_legacy(file, beginning, size)
        tensors = _state_dict(content)
        for name, tensor in tensors.items():
            _check(name, tensor, places, size)
        return Checkpoint(path, tensors, places)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file that is read; what goes wrong with it is one sentence."""
    try:
        with open(path, "rb") as file:
            yield file
    except CheckpointFormatError as error:
        raise BackboneError(
            f"{path} is not a PyTorch checkpoint that can be used, because {error}. Get the file again; of a model of "
            "your own save its state_dict() alone, on the CPU."
        ) from None
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {reason_of(error)}.") from None


def _read_legacy(file: BinaryIO, beginning: bytes, size: int) -> tuple[object, dict[str, int]]:
    """What the pickle describes, and where each storage begins."""
    allowance = Allowance()
    magic = read_pickle(file, allowance) if beginning[:1] == PICKLE_BEGINS else None
    if type(magic) is not int or magic != MAGIC:
        raise CheckpointFormatError("it does not begin as one")
    version = read_pickle(file, allowance)
    if type(version) is not int or version != VERSION:
        raise CheckpointFormatError("it is of another version than PyTorch writes")
    machine = read_pickle(file, allowance)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise CheckpointFormatError("its numbers are not in the order of bytes that is read here")
    content = read_pickle(file, allowance)
    keys = read_pickle(file, allowance)
    if not isinstance(keys, list) or not all(type(key) is str for key in keys) or len(set(keys)) < len(keys):
        raise CheckpointFormatError("it does not list its storages")
    storages = {tensor.storage.key: tensor.storage for tensor in _state_dict(content).values()}
    places = {}
    for key in keys:
        storage = storages.get(key)
        if storage is None:
            raise CheckpointFormatError("it lists a storage that no tensor uses")
        count = file.read(8)
        if len(count) < 8 or struct.unpack("<q", count) != (storage.length,):
            raise CheckpointFormatError("a storage has another length than is said of it, or the file breaks off")
        places[key] = file.tell()
        end = places[key] + storage.length * _itemsize(storage)
        if end > size:
            raise CheckpointFormatError("it breaks off before the end of its numbers")
        file.seek(end)
    return content, places


class _Sparing:
    """A file that refuses to be read in one large piece: Python reads a zip file's table of contents whole."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, MAX_DIRECTORY + 1) if size >= 0 else MAX_DIRECTORY + 1)
        if len(data) > MAX_DIRECTORY:
            raise CheckpointFormatError("its table of contents is larger than that of any list of weights")
        return data


def _read_zip(file: BinaryIO, size: int) -> tuple[object, dict[str, int]]:
    """What the pickle describes, and where each storage begins."""
    try:
        archive = zipfile.ZipFile(cast(BinaryIO, _Sparing(file)))
    except CheckpointFormatError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error):
        raise CheckpointFormatError("its table of contents is damaged") from None
    members = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1 or len(members) < len(archive.infolist()):
        raise CheckpointFormatError("it is a zip file of something else")
    folder = pickles[0].removesuffix("data.pkl")
    begin = {name: _place(file, info, size) for name, info in members.items()}
    if f"{folder}byteorder" in members:
        file.seek(begin[f"{folder}byteorder"])
        if file.read(min(members[f"{folder}byteorder"].file_size, 6)) != b"little":
            raise CheckpointFormatError("its numbers are not in the order of bytes that is read here")
    file.seek(begin[pickles[0]])
    content = read_pickle(file, Allowance())
    if file.tell() > begin[pickles[0]] + members[pickles[0]].file_size:
        raise CheckpointFormatError("its pickle is longer than the file says")
    places = {}
    for tensor in _state_dict(content).values():
        member = members.get(f"{folder}data/{tensor.storage.key}")
        if member is None or member.file_size != tensor.storage.length * _itemsize(tensor.storage):
            raise CheckpointFormatError("a storage is missing, or has another length than is said of it")
        places[tensor.storage.key] = begin[member.filename]
    return content, places


def _place(file: BinaryIO, info: zipfile.ZipInfo, size: int) -> int:
    """Where the bytes of a member begin."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.compress_size != info.file_size:
        raise CheckpointFormatError("it is compressed or encrypted, which PyTorch does not do")
    if not 0 <= info.header_offset < size:
        raise CheckpointFormatError("its table of contents is damaged")
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != ZIP_BEGINS:
        raise CheckpointFormatError("its table of contents is damaged")
    name, extra = struct.unpack("<HH", header[26:])
    return info.header_offset + 30 + int(name) + int(extra)


def _state_dict(content: object) -> dict[str, Tensor]:
    """What a pickle describes, if it is tensors by name: one storage has one length and one kind."""
    if not isinstance(content, dict) or not content:
        raise CheckpointFormatError("it holds no tensors with names")
    storages: dict[str, Storage] = {}
    for name, tensor in content.items():
        if type(tensor) is not Tensor:
            raise CheckpointFormatError(f"it holds more than tensors with names: {shown(name)}")
        if storages.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise CheckpointFormatError(f"it says two things of the storage of {shown(name)}")
    return content


def _check(name: str, tensor: Tensor, places: Mapping[str, int], size: int) -> None:
    """Raises CheckpointFormatError unless the numbers of a tensor lie in its storage, and that in the file."""
    storage = tensor.storage
    begin = places.get(storage.key)
    if begin is None or begin + storage.length * _itemsize(storage) > size:
        raise CheckpointFormatError(f"it breaks off before the end of {shown(name)}")
    if math.prod(tensor.shape) > storage.length or tensor.offset + _extent(tensor) > storage.length:
        raise CheckpointFormatError(f"{shown(name)} is larger than its storage")


def _extent(tensor: Tensor) -> int:
    """How many numbers there are from a tensor's first to its last in the storage."""
    if 0 in tensor.shape:
        return 0
    return 1 + sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True))


def _numbers(file: BinaryIO, tensor: Tensor, begin: int) -> Array:
    """The array of a tensor that was checked: a view with its strides of what was read."""
    itemsize = _itemsize(tensor.storage)
    file.seek(begin + tensor.offset * itemsize)
    data = file.read(_extent(tensor) * itemsize)
    if len(data) < _extent(tensor) * itemsize:
        raise CheckpointFormatError("it breaks off")
    strides = tuple(stride * itemsize for stride in tensor.strides)
    if 0 in tensor.shape:
        return np.empty(tensor.shape, tensor.storage.kind.dtype)
    return np.ndarray(tensor.shape, tensor.storage.kind.dtype, data, 0, strides)


def _itemsize(storage: Storage) -> int:
    return np.dtype(storage.kind.dtype).itemsize
