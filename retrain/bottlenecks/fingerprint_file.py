"""`fingerprint.json` in a folder of bottlenecks: what its fingerprint covers, for people; checked when it is opened.

The folder's name is the fingerprint, and each shard carries it too. So nothing is lost with this file: one that
is damaged is set aside by name and written anew, unless the shards themselves are of another kind.
"""

import errno
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from label_image.errors import ForeignFileError
from label_image.files import sha256_of_bytes
from label_image.foreign_text import parse_json
from retrain.core.errors import StoreError, UnwritableStoreError
from retrain.core.places import Place
from retrain.core.sealed import put_in_one_step

NAME = "fingerprint.json"
LARGEST = 1 << 20  # bytes; a description has a thousand
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Description:
    """What a folder of bottlenecks was made for: what its fingerprint covers, and what its vectors are."""

    covers: Mapping[str, object]
    dim: int
    dtype: str


def fingerprint(covers: Mapping[str, object]) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON of everything that changes a vector."""
    return sha256_of_bytes(canonical_json(covers).encode())


def read_description(folder: Place, name: str) -> Description | None:
    """What the file in a folder says; None where there is none, or one that does not fit the fingerprint `name`.

    Raises StoreError where it cannot be read.
    """
    try:
        found = parse_json(_read(folder) or b"", dict[str, Any])
        description = Description(found["covers"], found["dim"], found["dtype"])
        fits = isinstance(description.dim, int) and fingerprint(description.covers) == name
        return description if fits and description.dtype in ("float32", "float16") else None
    except OSError as error:
        raise cannot_open(folder, error) from error
    except (ForeignFileError, KeyError, TypeError, ValueError):
        return None


def canonical_json(value: object) -> str:
    """One text for equal values. Raises TypeError or ValueError for what JSON cannot hold."""
    return json.dumps(
        dict(value) if isinstance(value, Mapping) else value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def open_folder(folder: Place, description: Mapping[str, object], holds_others: Callable[[], bool]) -> None:
    """Make the folder with its description, or check that it was made for the same thing.

    `holds_others` says whether its shards are of another kind than described. Raises StoreError if they are, and
    where the folder cannot be read or made. One that can only be read may lack its description.
    """
    try:
        folder.make()
        found = _read(folder)
    except OSError as error:
        raise cannot_open(folder, error) from error
    if found is not None:
        if _is(found, description):
            return
        if holds_others():
            raise StoreError(
                f"{folder.at(NAME)} does not describe the bottlenecks that are asked for "
                f"({description['dtype']}[{description['dim']}]), and those in its folder are others, although it "
                "has their name: it was edited or renamed. Move the folder away, and the bottlenecks are "
                "computed again."
            )
        _put_aside(folder)
    text = json.dumps(description, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        put_in_one_step(folder, NAME, text.encode())
    except UnwritableStoreError:
        log.debug("%s cannot be written: the bottlenecks there are read without it.", folder.at(NAME))


def _read(folder: Place) -> bytes | None:
    """The bytes of a description, none if there is no file; empty if they cannot be those of one. Raises OSError."""
    try:
        return folder.read_beginning(NAME, LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.EIO, errno.ELOOP):
            return b""
        raise


def _is(found: bytes, description: Mapping[str, object]) -> bool:
    try:
        return canonical_json(json.loads(found)) == canonical_json(description)
    except (ValueError, RecursionError):
        return False


def _put_aside(folder: Place) -> None:
    path = folder.at(NAME)
    try:
        kept = folder.set_aside(NAME)
    except (OSError, StoreError) as error:
        log.warning("%s is damaged (it cannot be mended: %s); its bottlenecks are used all the same.", path, error)
    else:
        log.warning("%s was damaged: it is now %s, and written anew.", path, kept)


def cannot_open(folder: Place, error: OSError, held: str = "bottlenecks") -> StoreError:
    """The error for a folder of bottlenecks, or of something else, that the system refuses to open or make."""
    kind = UnwritableStoreError if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) else StoreError
    return kind(
        f"The {held} in {folder} cannot be opened ({error}): "
        "give this user the right to read and write there, or choose another `bottleneck_dir`."
    )
