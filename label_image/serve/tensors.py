"""Tensors of the Open Inference Protocol: in JSON, or as bytes behind it (the binary tensor data extension).

In bytes: little-endian, row by row; an element of BYTES is its length, in four bytes, and itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from label_image.serve.refused import Refused
from label_image.serve.tf_serving import photo_of_base64

NUMBERS: Mapping[str, type] = {"FP32": np.float32, "UINT8": np.uint8}
LENGTH = 4


@dataclass(frozen=True)
class Tensor:
    """An input as it came, or an output. `values` is an array, or a list of elements of BYTES."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Any

    @classmethod
    def of_numbers(cls, name: str, datatype: str, values: npt.NDArray[Any]) -> "Tensor":
        return cls(name, datatype, values.shape, values)

    @classmethod
    def of_texts(cls, name: str, shape: tuple[int, ...], texts: Sequence[str]) -> "Tensor":
        return cls(name, "BYTES", shape, [text.encode() for text in texts])

    def described(self, size: int | None) -> Mapping[str, Any]:
        """As JSON has it: with its data, or with the `size` of those that follow as bytes."""
        data = {"data": self.as_json()} if size is None else {"parameters": {"binary_data_size": size}}
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape), **data}

    def as_json(self) -> list[Any]:
        """Its elements, flat."""
        if self.datatype == "BYTES":
            return [element.decode() for element in self.values]
        flat: list[Any] = self.values.reshape(-1).tolist()
        return flat

    def as_bytes(self) -> bytes:
        if self.datatype == "BYTES":
            return b"".join(len(element).to_bytes(LENGTH, "little") + element for element in self.values)
        if self.datatype == "BOOL":
            return bytes(self.values.astype(np.uint8).tobytes())
        return bytes(self.values.astype("<f4").tobytes())


def read_tensor(header: Any, binary: bytes | None) -> Tensor:
    """An input, by what JSON says of it; its data are `binary`, or in the JSON. Raises Refused."""
    if not isinstance(header, dict) or not isinstance(header.get("name"), str):
        raise Refused(400, 'Each of the "inputs" is an object with name, shape, datatype and data.')
    name: str = header["name"]
    datatype: Any = header.get("datatype")
    shape: Any = header.get("shape")
    if not isinstance(datatype, str) or (datatype != "BYTES" and datatype not in NUMBERS):
        raise Refused(400, f"The datatype of the input {name!r} must be BYTES, FP32 or UINT8.")
    if not _is_shape(shape):
        raise Refused(400, f"The shape of the input {name!r} is a list of sizes, such as [1].")
    count = math.prod(shape)
    if binary is None:
        values = _from_json(name, datatype, header.get("data"))
    else:
        values = _elements(name, binary) if datatype == "BYTES" else _numbers(name, binary, NUMBERS[datatype])
    if len(values) != count:
        raise Refused(400, f"The input {name!r} has {len(values)} elements; its shape says {count}.")
    return Tensor(name, datatype, tuple(shape), values if datatype == "BYTES" else values.reshape(shape))


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, list)
        and 1 <= len(shape) <= 8
        and all(isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**31 for size in shape)
    )


def _from_json(name: str, datatype: str, data: Any) -> Any:
    if not isinstance(data, list):
        raise Refused(400, f"The input {name!r} has no data: give them as a list, or as bytes behind the JSON.")
    if datatype == "BYTES":
        # A photo is no text. In JSON it is base64, alone or as TensorFlow Serving has it.
        return [photo_of_base64(item["b64"] if _is_b64(item) else item) for item in data]
    try:
        numbers = np.asarray(data)
    except ValueError:  # rows of different lengths
        numbers = np.empty(0, object)
    if numbers.dtype.kind not in "fiu":
        raise Refused(400, f"The data of the input {name!r} are not numbers.")
    return numbers.reshape(-1)


def _is_b64(item: Any) -> bool:
    return isinstance(item, dict) and set(item) == {"b64"}


def _elements(name: str, data: bytes) -> list[bytes]:
    found, start = [], 0
    while start < len(data):
        end = start + LENGTH + int.from_bytes(data[start : start + LENGTH], "little")
        if start + LENGTH > len(data) or end > len(data):
            raise Refused(400, f"The data of the input {name!r} end within an element: each is its length and itself.")
        found.append(data[start + LENGTH : end])
        start = end
    return found


def _numbers(name: str, data: bytes, kind: type) -> npt.NDArray[Any]:
    dtype = np.dtype(kind).newbyteorder("<")
    if len(data) % dtype.itemsize:
        raise Refused(400, f"The data of the input {name!r} end within a number.")
    return np.frombuffer(data, dtype)
