"""Which side of the split each photo falls on: training, validation or testing.

The split is by content group: photos with the same bytes, or with the same name up to `_nohash_`
(a convention of the 2017 script for takes of one subject), stay together. A group's side is a
hash of the group, so adding, renaming or mounting elsewhere moves nothing.
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from retrain.core.errors import OptionError
from retrain.photos.dataset import Photo, Split

TESTING_PERCENTAGE = VALIDATION_PERCENTAGE = 10  # of the photos, where nothing else is asked for
SMALLEST_CLASS = 3  # content groups that a class needs to have one on each side


@dataclass(frozen=True)
class Division:
    """The sides of a split, aligned with the photos it was made for.

    `splits[i]` is the side of photo i. `fold[i]` is set (0..k-1) when some class is too small to
    have a content group on every side, and evaluation has to be by k-fold cross-validation. The percentages
    and the seed are those that it was made with.
    """

    splits: tuple[Split, ...]
    folds: tuple[int, ...] | None = None
    remarks: tuple[str, ...] = ()
    testing_percentage: float = TESTING_PERCENTAGE
    validation_percentage: float = VALIDATION_PERCENTAGE
    seed: int = 0


@dataclass(frozen=True)
class SplitConfig:
    """How photos are split: the shares of the sides in percent, and what the hashes of the groups begin with.

    Raises OptionError for a negative seed, and for shares that leave no photos for training.
    """

    testing_percentage: float = TESTING_PERCENTAGE
    validation_percentage: float = VALIDATION_PERCENTAGE
    seed: int = 0

    def __post_init__(self) -> None:
        check_split(self.testing_percentage, self.validation_percentage, self.seed)

    def divide(self, photos: Sequence[Photo]) -> Division:
        """The sides of these photos."""
        return split_photos(photos, self.testing_percentage, self.validation_percentage, self.seed)


def split_photos(
    photos: Sequence[Photo],
    testing_percentage: float = TESTING_PERCENTAGE,
    validation_percentage: float = VALIDATION_PERCENTAGE,
    seed: int = 0,
) -> Division:
    """Divide photos into training, validation and testing by content group.

    Percentages are in 0..100. Splits that the source gave are kept as they are, beside which photos of other sources
    are split as usual. A class with at
    least three groups gets one on every side that was asked for; if some class has fewer,
    `folds` says how to cross-validate.
    """
    groups = content_groups(photos)
    if any(photo.split for photo in photos):
        return _complete_given_splits(photos, groups, testing_percentage, validation_percentage, seed)
    positions = {group: _position(group, seed) for group in set(groups)}
    sides: dict[str, Split] = {
        group: _side(position, testing_percentage, validation_percentage) for group, position in positions.items()
    }
    too_small = _cover_every_class(photos, groups, positions, sides, testing_percentage, validation_percentage)
    folds = None
    remarks: tuple[str, ...] = ()
    if too_small and testing_percentage > 0:
        folds = cross_validation_folds(photos, groups, positions)
        names = ", ".join(too_small[:5]) + (" …" if len(too_small) > 5 else "")
        remarks = (
            f"{len(too_small)} of the classes have fewer than {SMALLEST_CLASS} different photos ({names}): "
            f"accuracy is measured by {max(folds) + 1}-fold cross-validation over all photos.",
        )
    splits = tuple(sides[group] for group in groups)
    return Division(splits, folds, remarks, testing_percentage, validation_percentage, seed)


def check_split(testing_percentage: float, validation_percentage: float, seed: int) -> None:
    """Refuse a negative seed, and shares (in percent) that leave no photos for training. Raises OptionError."""
    if seed < 0:
        raise OptionError(f"`seed` {seed} must be at least 0.")
    for side, percentage in (("testing", testing_percentage), ("validation", validation_percentage)):
        if not 0 <= percentage < 100:
            raise OptionError(f"`{side}_percentage` {percentage:g} must be at least 0 and less than 100.")
    if testing_percentage + validation_percentage >= 100:
        raise OptionError(
            "`testing_percentage` and `validation_percentage` must add up to less than 100, "
            "so that photos are left for training."
        )


def content_groups(photos: Sequence[Photo]) -> list[str]:
    """The group of each photo: photos that share bytes or a `_nohash_` name are in one group.

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

    for photo in photos:
        content = find(photo.sha256)
        subject = _subject(photo.path)
        if subject is not None:
            other = find(subject)
            low, high = sorted((content, other))
            parent[high] = low
    return [find(photo.sha256) for photo in photos]


def cross_validation_folds(
    photos: Sequence[Photo], groups: Sequence[str], positions: dict[str, float], folds: int = 5
) -> tuple[int, ...]:
    """Deal the groups of each class round the folds, in the order of their hashes."""
    class_of: dict[str, str] = {}
    for photo, group in zip(photos, groups, strict=True):
        class_of[group] = min(photo.label, class_of.get(group, photo.label))
    # One class after the other without starting over, so the folds of many tiny classes are equally full.
    order = sorted(class_of, key=lambda group: (class_of[group], positions[group], group))
    fold_of = {group: index % folds for index, group in enumerate(order)}
    return tuple(fold_of[group] for group in groups)


def _subject(path: str) -> str | None:
    name = os.path.basename(path)
    return "/" + name.partition("_nohash_")[0] if "_nohash_" in name else None


def _position(group: str, seed: int) -> float:
    """Where a group falls in 0..100, from a hash of its name."""
    digest = hashlib.sha256(f"{seed}:{group}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") * 100 / 2**64


def _side(position: float, testing_percentage: float, validation_percentage: float) -> Split:
    if position < validation_percentage:
        return "validation"
    if position < validation_percentage + testing_percentage:
        return "testing"
    return "training"


def _cover_every_class(
    photos: Sequence[Photo],
    groups: Sequence[str],
    positions: dict[str, float],
    sides: dict[str, Split],
    testing_percentage: float,
    validation_percentage: float,
    stay: Collection[str] = (),
) -> list[str]:
    """Give each class at least one group on every side; returns the classes too small for that.

    A side that a class misses takes the group whose hash is lowest among those that the class
    can spare, so the choice depends on content alone. A group that several classes share stays
    where its hash put it: moving it for one class could uncover another. So do the groups of `stay`.
    """
    wanted: list[Split] = ["training"]
    if validation_percentage > 0:
        wanted.append("validation")
    if testing_percentage > 0:
        wanted.append("testing")
    groups_of: dict[str, set[str]] = defaultdict(set)
    for photo, group in zip(photos, groups, strict=True):
        groups_of[photo.label].add(group)
    classes_with = Counter(group for members in groups_of.values() for group in members)
    too_small = []
    for label in sorted(groups_of):
        own = sorted(
            (group for group in groups_of[label] if classes_with[group] == 1 and group not in stay),
            key=lambda group: (positions[group], group),
        )
        missing = [side for side in wanted if all(sides[group] != side for group in groups_of[label])]
        if missing and len(own) < len(wanted):
            too_small.append(label)
            sides.update({group: "training" for group in own})
            continue
        for side in missing:
            counts = Counter(sides[group] for group in own)
            sides[next(group for group in own if counts[sides[group]] > 1)] = side
    return too_small


def _complete_given_splits(
    photos: Sequence[Photo],
    groups: Sequence[str],
    testing_percentage: float,
    validation_percentage: float,
    seed: int,
) -> Division:
    """Keep the splits of the sources; carve the sides that they lack out of their training photos.

    The photos of added sources that give no side are split as usual.
    """
    with_sides = {photo.part for photo in photos if photo.split}
    given = {photo.split for photo in photos if photo.split}
    testing = 0.0 if "testing" in given else testing_percentage
    validation = 0.0 if "validation" in given else validation_percentage
    remarks = []
    if testing or validation:
        missing = " and ".join(name for name, share in (("test", testing), ("validation", validation)) if share)
        remarks.append(f"The source gives no {missing} photos: taken from its training photos.")
    settled = [index for index, photo in enumerate(photos) if photo.part in with_sides]
    rest = [index for index in settled if photos[index].split in (None, "training")]
    splits: list[Split] = [photo.split or "training" for photo in photos]
    if rest and (testing or validation):
        plain = [Photo(photos[index].path, photos[index].label, photos[index].sha256) for index in rest]
        for index, side in zip(rest, split_photos(plain, testing, validation, seed).splits, strict=True):
            splits[index] = side
    if len(settled) < len(photos):
        side_of = {groups[index]: splits[index] for index in reversed(settled)}
        more = _sides_beside(photos, groups, side_of, testing_percentage, validation_percentage, seed)
        for index, photo in enumerate(photos):
            if photo.part not in with_sides:
                splits[index] = more.splits[index]
        remarks += more.remarks
    sides_of: dict[str, set[Split]] = defaultdict(set)
    for group, side in zip(groups, splits, strict=True):
        sides_of[group].add(side)
    shared = sum(len(sides) > 1 for sides in sides_of.values())
    if shared:
        remarks.append(
            f"{shared} photos lie on more than one side of the given split; its accuracies are too good to be true."
        )
    return Division(tuple(splits), None, tuple(remarks), testing_percentage, validation_percentage, seed)


def _sides_beside(
    photos: Sequence[Photo],
    groups: Sequence[str],
    settled: dict[str, Split],
    testing_percentage: float,
    validation_percentage: float,
    seed: int,
) -> Division:
    """The sides of photos that come beside others, of which those of the groups in `settled` stay."""
    positions = {group: _position(group, seed) for group in set(groups)}
    sides: dict[str, Split] = {
        group: settled.get(group) or _side(position, testing_percentage, validation_percentage)
        for group, position in positions.items()
    }
    too_small = _cover_every_class(
        photos, groups, positions, sides, testing_percentage, validation_percentage, stay=settled
    )
    remarks: tuple[str, ...] = ()
    if too_small:
        names = ", ".join(too_small[:5]) + (" …" if len(too_small) > 5 else "")
        remarks = (
            f"{len(too_small)} of the classes have too few added photos to be on each side ({names}): "
            "they are for training, and nothing is measured on them.",
        )
    return Division(tuple(sides[group] for group in groups), None, remarks)
