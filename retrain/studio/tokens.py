"""The tokens of a folder's studio, kept in it for its owner alone: an address that was opened is the same tomorrow.

They count in the folder that they were made for, and in no copy of it: a folder that comes from somebody else may bring
tokens which that person knows.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

import msgspec


class Tokens(msgspec.Struct, frozen=True):
    """For who opens the page, and for phones; `device` and `inode` are those of the folder."""

    page: str
    phones: str
    device: int
    inode: int


def tokens_of(folder: Path) -> Tokens:
    """Those that are kept in the folder; else new ones, which are kept where that is possible."""
    place = folder / ".studio" / "tokens.json"
    status = os.stat(folder)
    with suppress(OSError, msgspec.DecodeError):
        found = msgspec.json.decode(place.read_bytes(), type=Tokens)
        is_of_this = (found.device, found.inode) == (status.st_dev, status.st_ino)
        if is_of_this and min(len(found.page), len(found.phones)) >= 10:
            return found
    made = Tokens(secrets.token_urlsafe(16), secrets.token_urlsafe(8), status.st_dev, status.st_ino)
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(made))
    return made
