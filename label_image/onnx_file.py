"""Checks an ONNX file before onnxruntime opens it: it must not take content from other files.

A tensor of a model may lie in another file, anywhere (`location: ../../etc/passwd`). Models of this project hold all
their tensors, so one that does not is refused. The file is a protocol buffer, walked here along the fields that lead to
tensors; a package that knows all of them (onnx) would be the largest of what `label_image` needs.
"""

from collections.abc import Iterator
from pathlib import Path

from label_image.errors import ForeignFileError, ModelError
from label_image.files import reason_of

# Of each message the fields that lead on, by their numbers in onnx.proto3.
LEADING = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # how a field is written


def check_onnx(path: Path) -> None:
    """Raise ModelError for a file that is no ONNX model, or takes tensors from other files."""
    try:
        data = memoryview(path.read_bytes())
        messages = [("model", data)]
        while messages:
            kind, message = messages.pop()
            leading = LEADING[kind]
            for number, content in _fields(message):
                if kind == "tensor" and number in (EXTERNAL_DATA, DATA_LOCATION) and content != 0:
                    raise ModelError(
                        f"{path} was not run: it takes some of its numbers from other files. "
                        "Save it with all of them inside."
                    )
                if number in leading:
                    if isinstance(content, int):
                        raise ForeignFileError("a field is of another type")
                    messages.append((leading[number], content))
    except OSError as error:
        raise ModelError(f"{path} cannot be loaded: {reason_of(error)}.") from None
    except (ForeignFileError, IndexError) as error:
        raise ModelError(f"{path} cannot be loaded: it is not an ONNX model ({error}).") from None


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Numbers of fields with their content: bytes, or a number. Raises ForeignFileError, IndexError."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        if key >= 1 << 32:  # some readers would drop the bits that are too many
            raise ForeignFileError("a field has no number")
        number, form = key >> 3, key & 7
        if form == VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if form == BYTES:
            length, place = _varint(message, place)
        elif form in (FIXED64, FIXED32):
            length = 8 if form == FIXED64 else 4
        else:
            raise ForeignFileError("a field is written in a way that is not used")
        if length > len(message) - place:
            raise ForeignFileError("it is cut off")
        if form == BYTES:
            yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ForeignFileError("a number is too long")
