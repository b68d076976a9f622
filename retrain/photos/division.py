"""How photos are divided: by whom, into what, and for which photos.

A division that `SplitConfig` makes carries the digest of its photos. One that a user writes down, by the names of sides
or of their folders, is checked against the photos that it is used for, and carries their digest from then on.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import numpy.typing as npt

from retrain.core.errors import OptionError
from retrain.core.typed import check_kind
from retrain.photos.dataset import Photo, Split, digest_of_lines, side_called
from retrain.photos.folds import Folds
from retrain.photos.groups import content_groups

TESTING_PERCENTAGE = VALIDATION_PERCENTAGE = 10  # of the photos, where a split is made
SIDES = frozenset(get_args(Split))


@dataclass(frozen=True)
class Division:
    """How photos are divided, aligned with the photos it was made for.

    `splits[i]` is the side of photo i: "training", "validation" or "testing", or what folders of them are called, as
    "train", "val" and "test". Where folds take turns, `folds[i]` (0..k-1) is its fold, `further_folds` are other deals
    of the same groups, and all photos are on the training side. `groups[i]` numbers its content group. The percentages
    and the seed are those that it was made with; one that is `given` was made by somebody else. `photos_digest` says
    of which photos it is.
    """

    splits: tuple[Split, ...]
    folds: Folds | None = None
    remarks: tuple[str, ...] = ()
    testing_percentage: float = TESTING_PERCENTAGE
    validation_percentage: float = VALIDATION_PERCENTAGE
    seed: int = 0
    further_folds: tuple[Folds, ...] = ()
    groups: tuple[int, ...] = ()
    given: bool = False
    photos_digest: str = ""

    def __post_init__(self) -> None:
        if not set(self.splits) <= SIDES:
            object.__setattr__(self, "splits", tuple(map(side_called, self.splits)))

    def __repr__(self) -> str:
        if self.folds is not None:
            return f"<Division of {len(self.splits)} photos into {self.number_of_folds} folds>"
        counts = ", ".join(f"{self.splits.count(side)} {side}" for side in get_args(Split))
        return f"<Division of {len(self.splits)} photos: {counts}>"

    @classmethod
    def of_sides(
        cls,
        photos: Sequence[Photo],
        sides: Iterable[str] | Mapping[str, str],
        seed: int = 0,
        keep_copies: bool = False,
    ) -> "Division":
        """A split of one's own: the side of each photo in their order, or by its path; named as itself or its folder.

        `seed` is that of mini-batches. Raises OptionError for another number of sides than photos, a path without one,
        names that are none, and for copies of one photo on several sides; with `keep_copies` these are a remark.
        """
        check_kind(sides, Iterable, "sides", "a list with the side of each photo")
        remarks: tuple[str, ...] = ()
        if isinstance(sides, Mapping):
            others = sorted(set(sides) - {photo.path for photo in photos})
            if others:
                remarks = (
                    f"`sides` names {len(others)} paths of no photo here, as {others[0]}: they are passed over.",
                )
            sides = [_side_at(photo.path, sides) for photo in photos]
        return given_for(cls(tuple(map(side_called, sides)), remarks=remarks, seed=seed), photos, keep_copies)

    @property
    def deals(self) -> tuple[Folds, ...]:
        """All deals of the folds; none where there is one split."""
        return () if self.folds is None else (self.folds, *self.further_folds)

    def groups_of(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> npt.NDArray[np.intp] | None:
        """The numbers of the content groups of some photos; None for a division that does not say them."""
        return np.array(self.groups, np.intp)[rows] if self.groups else None

    @property
    def number_of_folds(self) -> int | None:
        """How many folds take turns; None where there is one split."""
        return None if self.folds is None else max(self.folds) + 1

    def mask(self, side: str) -> npt.NDArray[np.bool_]:
        """Which photos are on a side, (n,). Raises OptionError for a name that is none."""
        wanted = side_called(side)
        return np.array([found == wanted for found in self.splits], np.bool_)

    def plain(self) -> dict[str, object]:
        """As the manifest says how it was made, when the digest of a given one stands beside it."""
        if self.given:
            return {"split": "given"}
        return {
            "testing_percentage": self.testing_percentage,
            "validation_percentage": self.validation_percentage,
            "seed": self.seed,
        }


def division_for(division: Division, photos: Sequence[Photo]) -> Division:
    """The division, if it is one of these photos; one that does not say so is checked, and is given from then on.

    Raises OptionError.
    """
    if not division.photos_digest:
        return given_for(division, photos)
    _check_length(division, photos)
    if division.photos_digest != digest_of_photos(photos):
        raise OptionError(
            f"The `division` is one of {len(photos)} other photos, or of these in another order: use "
            "`bottlenecks.split()` of these bottlenecks.",
        )
    return division


def given_for(division: Division, photos: Sequence[Photo], keep_copies: bool = False) -> Division:
    """A division by somebody else, checked for these photos. Raises OptionError."""
    _check_length(division, photos)
    groups = content_groups(photos)
    places_of: dict[str, set[str | int]] = defaultdict(set)
    places: Sequence[str | int] = division.splits if division.folds is None else division.folds
    for group, place in zip(groups, places, strict=True):
        places_of[group].add(place)
    apart = [group for group, found in places_of.items() if len(found) > 1]
    remarks = division.remarks
    if apart:
        example = [photo.path for photo, group in zip(photos, groups, strict=True) if group == apart[0]]
        said = f"{len(apart)} photos have copies on several sides, as {example[0]} and {example[-1]}"
        if not keep_copies:
            raise OptionError(
                f"The `division` cannot be judged by: {said}, and a head knows what it was trained on. Put copies on "
                "one side, or say Division.of_sides(…, keep_copies=True)."
            )
        remarks = (*remarks, f"{said}: its accuracies are too good to be true.")
    remarks = (*remarks, *untrained_remarks(photos, division.splits))
    return replace(
        division, remarks=remarks, groups=numbered(groups), given=True, photos_digest=digest_of_photos(photos)
    )


def untrained_remarks(photos: Sequence[Photo], splits: Sequence[Split]) -> list[str]:
    """Which classes have photos, and none for training."""
    trained = {photo.label for photo, side in zip(photos, splits, strict=True) if side == "training"}
    lacking = sorted({photo.label for photo in photos} - trained)
    return (
        [f"There is no training photo of {some_of(lacking)}: validation photos alone can teach what that is."]
        if lacking
        else []
    )


def some_of(names: Sequence[str]) -> str:
    """The first few names, and how many there are where these are not all."""
    return ", ".join(names[:5]) + (f" … ({len(names)} classes)" if len(names) > 5 else "")


def digest_of_photos(photos: Sequence[Photo]) -> str:
    """SHA-256 of the contents of photos in their order."""
    return hashlib.sha256("".join(photo.sha256 for photo in photos).encode()).hexdigest()


def division_digest(photos: Sequence[Photo], division: Division) -> str:
    """SHA-256 over the sides and folds of the photos, whatever their order."""

    def line(row: int) -> str:
        fold = "" if division.folds is None else division.folds[row]
        return f"{photos[row].sha256} {photos[row].label} {division.splits[row]} {fold}\n"

    return digest_of_lines(photos, line)


def numbered(groups: Sequence[str]) -> tuple[int, ...]:
    """The groups as numbers, in the order in which they come first."""
    numbers: dict[str, int] = {}
    return tuple(numbers.setdefault(group, len(numbers)) for group in groups)


def group_numbers(photos: Sequence[Photo]) -> npt.NDArray[np.intp]:
    """The numbers of the content groups of photos that no division is known of, (n,)."""
    return np.array(numbered(content_groups(photos)), np.intp)


def _check_length(division: Division, photos: Sequence[Photo]) -> None:
    if len(division.splits) != len(photos):
        raise OptionError(
            f"The division is one of {len(division.splits)} photos, the bottlenecks are those of {len(photos)}: "
            "use `bottlenecks.split()`."
        )


def _side_at(path: str, sides: Mapping[str, str]) -> str:
    if path not in sides:
        raise OptionError(f"`sides` names no side for {path}: it needs the path of every photo, as `paths` has it.")
    return sides[path]
