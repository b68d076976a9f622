"""What a studio knows at a moment, as values that are replaced and never changed: any thread may read them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from retrain.photos.dataset import PhotoFile
from retrain.studio.examining import Examination
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
    """A head that was trained here, and what pages show of it; `more` is what more photos would bring."""

    trained: TrainedHead
    result: dict[str, Any]
    more: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Known:
    """`seen` has the bottlenecks of the photos, of an older listing while those of the new one are computed.

    `seeing` are how many photos of the listing have been seen. `guessed` belong to `training`, and to `seen`;
    `examined` are the photos of the `examination`. `failure` is why the last work came to nothing.
    """

    listing: Listing
    seen: Seen | None = None
    seeing: int = 0
    training: Training | None = None
    guessed: tuple[Guess, ...] | None = None
    examination: Examination | None = None
    examined: tuple[PhotoFile, ...] = ()
    work: Work | None = None
    failure: str | None = None
    blind: str | None = None  # why photos cannot be seen

    @property
    def guesses(self) -> tuple[Guess, ...] | None:
        """What was guessed, but for classes that were renamed or removed since: no guess may bring one back."""
        if self.guessed is None:
            return None
        classes = set(self.listing.classes)
        return tuple(guess for guess in self.guessed if guess.label in classes)

    @property
    def is_all_seen(self) -> bool:
        """Whether the bottlenecks are those of the photos that there are."""
        return self.seen is not None and self.seen.listing.version == self.listing.version

    @property
    def is_empty(self) -> bool:
        """Whether there never was a photo to look at."""
        return self.seen is None and not self.listing.photos

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to look at before the folder changes."""
        return self.blind is None and (self.is_all_seen or self.is_empty)


def labelled_files(listing: Listing) -> tuple[PhotoFile, ...]:
    """The photos that have a class: what is trained on, and examined."""
    return tuple(photo.file for photo in listing.photos if photo.label is not None)


def counts_of(listing: Listing) -> Counter[str | None]:
    """Photos by class; those that have none under None."""
    return Counter(photo.label for photo in listing.photos)
