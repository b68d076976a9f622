"""The tokens of a folder's studio, kept in it for its owner alone: an address that was opened is the same tomorrow."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

import msgspec


class Tokens(msgspec.Struct, frozen=True):
    """For who opens the page, and for phones."""

    page: str
    phones: str


def tokens_of(folder: Path) -> Tokens:
    """Those that are kept in the folder; else new ones, which are kept where that is possible."""
    place = folder / ".studio" / "tokens.json"
    with suppress(OSError, msgspec.DecodeError):
        found = msgspec.json.decode(place.read_bytes(), type=Tokens)
        if min(len(found.page), len(found.phones)) >= 10:  # not one that somebody has made short
            return found
    made = Tokens(secrets.token_urlsafe(16), secrets.token_urlsafe(8))
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(made))
    return made
