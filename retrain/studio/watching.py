"""When it is worth to list the folder again: nobody should hear a fan because a page is open."""

import os
import time

from retrain.studio.listing import Listing, list_folder

SHARE = 100  # of the time that goes by, a listing takes at most one part in so many


class Watched:
    """A folder that is listed again and again. By one thread.

    The dates of its folders say at once that a file came, went, or has another name. One that was written anew under
    its name, or came into a folder without photos, is found when it is listed after all: at 1,000 photos each second.
    """

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._folders = _folders_of(listing)
        self._dates: list[int] = []
        self._due = float("-inf")

    def is_due(self) -> bool:
        """Whether something has changed, or it is time to look whether it has."""
        return time.monotonic() >= self._due or self._dates_now() != self._dates

    def look(self) -> Listing:
        """The folder as it is now. Raises StudioError."""
        dates, began = self._dates_now(), time.thread_time()
        listing = list_folder(self._listing.folder)
        self._due = time.monotonic() + SHARE * (time.thread_time() - began)
        if listing.version != self._listing.version:
            self._listing, self._folders = listing, _folders_of(listing)
            dates = self._dates_now()
        self._dates = dates
        return listing

    def _dates_now(self) -> list[int]:
        return [_date_of(folder) for folder in self._folders]


def _folders_of(listing: Listing) -> list[str]:
    """The folders in which something of a listing lies."""
    root = str(listing.folder)
    classes = (os.path.join(root, name) for name in listing.classes)
    return sorted({root, *classes, *(os.path.dirname(photo.file.path) for photo in listing.photos)})


def _date_of(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return -1
