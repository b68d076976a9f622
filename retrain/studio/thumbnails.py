"""Photos as browsers show them: small ones, from a cache that may be deleted at any time, and one at a larger size.

    .studio/thumbnails/31/2f0a31-18a1c3e4f-9c40.jpg

The name says inode, time of writing and size, so a photo that is moved keeps its own. Such a file is the SHA-256 of a
JPEG, and the JPEG: a damaged one is made again.
"""

import hashlib
import io
import os
import threading
from contextlib import suppress
from pathlib import Path

from PIL import Image

from label_image.files import remove_leftovers, write_in_one_step
from retrain.core.errors import StudioError
from retrain.photos.thumbnails import small_photo
from retrain.studio.listing import Listing, StudioPhoto, list_folder

LONGER_SIDE, VIEW_SIDE = 256, 1600
QUALITY, VIEW_QUALITY = 80, 88  # of JPEG
DIGEST = 32  # bytes
TOO_MANY = 2000  # that may be left of photos that are gone, before they are removed


class Thumbnails:
    """The small pictures of one folder. Any number of threads may ask at once."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self._folder = folder / ".studio" / "thumbnails"
        self._lock = threading.Lock()
        self._made = 0

    def thumbnail(self, photo: StudioPhoto) -> bytes:
        """A JPEG, upright, its longer side at most 256 pixels. Raises PhotoError."""
        place = self._place(photo)
        with suppress(OSError):
            kept = place.read_bytes()
            if hashlib.sha256(kept[DIGEST:]).digest() == kept[:DIGEST]:
                return kept[DIGEST:]
        made = _jpeg(small_photo(photo.file.path, LONGER_SIDE), QUALITY)
        self._count_one()
        with suppress(OSError):  # a full disk: it is only a cache
            write_in_one_step(place, hashlib.sha256(made).digest() + made)
        return made

    def _count_one(self) -> None:
        """With the first one that is made, and now and then, look for those that nobody will ask for any more."""
        with self._lock:
            is_time = self._made % TOO_MANY == 0
            self._made += 1
        if is_time:
            with suppress(StudioError):
                self.forget_others(list_folder(self._root))

    def forget_others(self, listing: Listing) -> int:
        """Remove what was kept of photos that are no more in a listing; how many."""
        wanted = {self._place(photo).name for photo in listing.photos}
        removed = 0
        for shard in self._folder.glob("*"):
            remove_leftovers(shard)
            for place in shard.glob("*.jpg"):
                if place.name not in wanted:
                    with suppress(OSError):
                        place.unlink()
                        removed += 1
        return removed

    def _place(self, photo: StudioPhoto) -> Path:
        file = photo.file
        who = f"{file.inode:x}" if file.inode else photo.id  # some network file systems number nothing
        return self._folder / _shard(who) / f"{who}-{file.mtime_ns:x}-{file.size:x}.jpg"


def viewable(path: Path) -> bytes:
    """Any photo that is read, as a JPEG that browsers show: upright, without what its file says beside. PhotoError."""
    return _jpeg(small_photo(os.fspath(path), VIEW_SIDE), VIEW_QUALITY)


def _shard(who: str) -> str:
    """One of 256 folders, so that none gets too full."""
    return who[-2:].zfill(2)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()
