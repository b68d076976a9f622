"""Accents that are composed in one way in a name and in another on the disk, as after a Mac: é, or e and ´."""

import unicodedata
from collections.abc import Iterator
from itertools import product
from typing import Literal

FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def ways_to_compose(name: str) -> Iterator[str]:
    """A path as it is written, and then with its accents composed (NFC) and decomposed (NFD).

    The folders and the last name may differ in it: a folder was made here, the photos in it came from a Mac.
    """
    yield name
    if name.isascii():
        return
    folders, slash, last = name.rpartition("/")
    ways = (
        unicodedata.normalize(outer, folders) + slash + unicodedata.normalize(inner, last)
        for outer, inner in product(FORMS, FORMS)
    )
    yield from (way for way in dict.fromkeys(ways) if way != name)
