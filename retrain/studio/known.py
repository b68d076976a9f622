"""What a studio knows at a moment, as values that are replaced and never changed: any thread may read them."""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from retrain.studio.guesses import Guess
from retrain.studio.listing import Listing
from retrain.studio.seeing import Seen
from retrain.training.trained import TrainedHead


@dataclass(frozen=True)
class Work:
    """What is being done: `done` of `total` where that is known, and the last sentence that was said of it."""

    kind: str
    what: str = ""
    done: int = 0
    total: int | None = None
    sentence: str = ""


@dataclass(frozen=True, eq=False)
class Training:
    """A head that was trained here, on photos as `taught` calls them; `more` is what more photos would bring."""

    trained: TrainedHead
    taught: str
    result: dict[str, Any]
    more: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Known:
    """`seen` has the bottlenecks of the photos, of an older listing while those of the new one are computed.

    `seeing` are how many photos of the listing have been seen. `guesses` belong to `training`, and to `seen`. `failure`
    is why the last work came to nothing.
    """

    listing: Listing
    seen: Seen | None = None
    seeing: int = 0
    training: Training | None = None
    guesses: tuple[Guess, ...] | None = None
    examination: Any = None
    examined: str = ""
    work: Work | None = None
    failure: str | None = None
    blind: str | None = None  # why photos cannot be seen

    @property
    def is_all_seen(self) -> bool:
        """Whether the bottlenecks are those of the photos that there are."""
        return self.seen is not None and self.seen.listing.version == self.listing.version


def taught_by(listing: Listing) -> str:
    """A name for the labelled photos of a listing, by which it is known whether a training is of these."""
    digest = sha256()
    for photo in listing.photos:
        if photo.label is not None:
            digest.update(f"{photo.name}\n{photo.file.size} {photo.file.mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def counts_of(listing: Listing) -> Counter[str | None]:
    """Photos by class; those that have none under None."""
    return Counter(photo.label for photo in listing.photos)
