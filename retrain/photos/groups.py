"""Photos that belong together: whatever divides photos keeps those of one group on one side.

Photos with the same bytes, or with the same name up to `_nohash_` (a convention of the 2017 script for takes of one
subject), are one group; so are those that show the same picture in other bytes, where somebody has looked.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence

from retrain.photos.dataset import Photo


def content_groups(photos: Sequence[Photo], copies: Iterable[tuple[int, int]] = ()) -> list[str]:
    """The group of each photo: photos that share bytes or a `_nohash_` name are in one group, and so are `copies`.

    These are pairs of positions.

    A group is named by the smallest of its members' keys, so it does not depend on order. Subjects
    sort before contents, so another take of a subject does not rename its group.
    """
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    def unite(one: str, other: str) -> None:
        low, high = sorted((find(one), find(other)))
        if low != high:
            parent[high] = low

    for photo in photos:
        subject = _subject(photo.path)
        unite(photo.sha256, photo.sha256 if subject is None else subject)
    for one, other in copies:
        unite(photos[one].sha256, photos[other].sha256)
    return [find(photo.sha256) for photo in photos]


def positions_of(groups: Iterable[str], seed: int | str) -> dict[str, float]:
    """Where each group falls in 0..100, by a hash of its name: in one place, whatever other groups there are."""
    return {group: _position(group, seed) for group in set(groups)}


def _subject(path: str) -> str | None:
    name = os.path.basename(path)
    return "/" + name.partition("_nohash_")[0] if "_nohash_" in name else None


def _position(group: str, seed: int | str) -> float:
    digest = hashlib.sha256(f"{seed}:{group}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") * 100 / 2**64
