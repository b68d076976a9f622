"""Text and JSON of unknown origin: read up to a limit, and checked against a type."""

import os
from pathlib import Path
from typing import Any, TypeVar, overload

import msgspec

from label_image.errors import ForeignFileError

LIMIT = 16 * 2**20  # bytes of a text that is read as a whole
T = TypeVar("T")


def read_limited(path: str | os.PathLike[str]) -> bytes:
    """The content of a small file. Raises ForeignFileError if it is larger than such a file may be, OSError."""
    with open(path, "rb") as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise ForeignFileError(f"has more than the {LIMIT >> 20} MiB that such a file may have")
    return data


@overload
def parse_json(data: bytes, *, limit: int = LIMIT) -> Any: ...
@overload
def parse_json(data: bytes, kind: type[T], limit: int = LIMIT) -> T: ...
def parse_json(data: bytes, kind: Any = Any, limit: int = LIMIT) -> Any:
    """JSON in UTF-8 as a value of a type: numbers are finite, strings are text, nesting is bounded.

    Raises ForeignFileError.
    """
    if len(data) > limit:
        raise ForeignFileError(f"has more than {limit >> 20} MiB of JSON")
    try:
        text = data.decode("utf-8-sig")
        return msgspec.json.decode(text, type=kind)
    except UnicodeDecodeError:
        raise ForeignFileError("is not UTF-8") from None
    except RecursionError:
        raise ForeignFileError("is not JSON that can be read (it is nested too deeply)") from None
    except msgspec.ValidationError as error:
        raise ForeignFileError(f"does not hold what it should ({error})") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise ForeignFileError(f"is not JSON ({error})") from None


def convert(value: Any, kind: type[T]) -> T:
    """A parsed value as one of a type. Raises ForeignFileError that says what is wrong, and where."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ForeignFileError(f"does not hold what it should ({error})") from None


def is_text(text: str) -> bool:
    """Whether UTF-8 has all of it: a file name that is not UTF-8 holds bytes that are no characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a small text file in UTF-8, without their ends. Raises ForeignFileError, OSError."""
    try:
        lines = read_limited(path).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise ForeignFileError("is not UTF-8") from None
    return tuple(line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines))
