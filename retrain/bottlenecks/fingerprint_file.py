"""`<fingerprint>.json` beside a folder of bottlenecks: what its fingerprint covers; checked when it is opened.

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
from retrain.bottlenecks.beside import INSIDE, description_name
from retrain.core.errors import StoreError, UnwritableStoreError
from retrain.core.places import Place
from retrain.core.sealed import put_in_one_step

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


def read_description(store: Place, name: str) -> Description | None:
    """What a store says of the fingerprint `name`; None where it says nothing, or what does not fit.

    Raises StoreError where it cannot be read.
    """
    for place, file in ((store, description_name(name)), (store.below(name), INSIDE)):
        try:
            found = parse_json(_read(place, file) or b"", dict[str, Any])
            description = Description(found["covers"], found["dim"], found["dtype"])
            if isinstance(description.dim, int) and fingerprint(description.covers) == name:
                return description if description.dtype in ("float32", "float16") else None
        except OSError as error:
            raise cannot_open(place, error) from error
        except (ForeignFileError, KeyError, TypeError, ValueError):
            continue
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


def open_folder(store: Place, name: str, description: Mapping[str, object], holds_others: Callable[[], bool]) -> None:
    """Make the folder of the fingerprint `name` with its description, or check that it was made for the same thing.

    `holds_others` says whether its shards are of another kind than described. Raises StoreError if they are, and
    where the folder cannot be read or made. One that can only be read may lack its description.
    """
    folder = store.below(name)
    place, file = store, description_name(name)
    try:
        folder.make()
        found = _read(place, file)
        if found is None:
            place, file = folder, INSIDE
            found = _read(place, file)
    except OSError as error:
        raise cannot_open(folder, error) from error
    if found is not None:
        same = _is(found, description)
        if same and place is store:
            return
        if not same and holds_others():
            raise StoreError(
                f"{place.at(file)} does not describe the bottlenecks that are asked for "
                f"({description['dtype']}[{description['dim']}]), and those in its folder are others, although it "
                "has their name: it was edited or renamed. Move the folder away, and the bottlenecks are "
                "computed again."
            )
        if not same:
            _put_aside(place, file, store)
    text = json.dumps(description, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        put_in_one_step(store, description_name(name), text.encode())
    except UnwritableStoreError:
        log.debug("%s cannot be written: the bottlenecks there are read without it.", store.at(description_name(name)))


def _read(place: Place, file: str) -> bytes | None:
    """The bytes of a description, none if there is no file; empty if they cannot be those of one. Raises OSError."""
    try:
        return place.read_beginning(file, LARGEST)
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


def _put_aside(place: Place, file: str, store: Place) -> None:
    path = place.at(file)
    try:
        kept = place.set_aside(file, store)
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
