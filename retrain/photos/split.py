"""Which photos a head is trained on, and which it is judged by: k folds that take turns, or the sides of one split.

Where nothing else is asked for, every photo is a test photo: of five heads each is asked about the fifth that it has
not seen, and the head that is kept is trained on all. One split is made where the source gives one, where percentages
are asked for, and where photos are very many.

Photos of one content group (`retrain.photos.groups`) stay together. In a split, a group's side is a hash of the group,
so adding, renaming or mounting elsewhere moves nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from retrain.core.errors import OptionError
from retrain.core.typed import check_fields
from retrain.photos.dataset import Photo, Split
from retrain.photos.division import (
    TESTING_PERCENTAGE,
    VALIDATION_PERCENTAGE,
    digest_of_photos,
    numbered,
    some_of,
    untrained_remarks,
)
from retrain.photos.division import Division as Division
from retrain.photos.folds import FOLDS, Folds, deal_folds
from retrain.photos.groups import content_groups, positions_of

SMALLEST_CLASS = 3  # content groups that a class needs to have one on each side
FEWEST_GROUPS = 5  # of a class; with fewer, its heads lack a good part of what the one that is kept has seen
# With more photos, or more photos times classes, there is one split: 10 % are enough to tell, and five heads take long.
# The seconds of the CPU from bottlenecks to a measured head, by one split and by five folds (research/time_folds.py):
# 20,000 photos of 12 classes 4.2 and 7.8; 10,000 of 50 classes 4.3 and 12.7, and 5,000 of 100 classes 4.1 and 12.2,
# where the classes overlap (where weaker penalties are tried than one split has, 4.0 and 15); 20,000 of 100 classes
# 10.8 and 36; 8,189 of 102 classes, as many as the flowers of Oxford, 16.5 and 31.9 on a slower machine. So up to
# here it is about three times as long at most; beside it the look for near-copies takes 3.5 seconds for 10,000 photos,
# and 12 for 20,000.
MOST_PHOTOS = 20_000
MOST_ANSWERS = 1_000_000
FEW_OF_A_CLASS = 50  # on average; with fewer, one split has not five to test, and 20 % of them are missed in the head
MOST_ANSWERS_OF_FEW = 4_000_000
FEW_PHOTOS = 1000  # with fewer, another deal of the folds moves the accuracy by a point (research/judge_quotes.py)
DEALS_OF_FEW = 4


@dataclass(frozen=True)
class SplitConfig:
    """How photos are divided.

    The shares of the sides in percent, and what the hashes of the groups begin with. Or into how many `folds`, which
    take turns; 0: one split. Without folds and shares it is five folds, but one split for photos that are very many.
    A split that the source gives is kept, whatever is asked for, which is remarked. Raises OptionError for a negative
    seed, for shares that leave no photos for training, for fewer than 2 folds, and for folds beside shares.
    """

    testing_percentage: float | None = None
    validation_percentage: float | None = None
    seed: int = 0
    folds: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_split(*self._percentages, self.seed)
        if self.folds is not None and (self.folds < 0 or self.folds == 1):
            raise OptionError(f"`folds` {self.folds} must be at least 2, or 0 for one split.")
        if self.folds and self._has_shares:
            raise OptionError(
                "`folds` take turns, and `testing_percentage` and `validation_percentage` are of one split: leave one "
                "of the two out."
            )

    @property
    def one_split(self) -> "SplitConfig":
        """The same, but that no folds take turns."""
        return replace(self, folds=0)

    def takes_turns(self, photos: Sequence[Photo]) -> bool:
        """Whether these photos are dealt into folds."""
        return self._folds_of(photos) >= 2

    def divide(self, photos: Sequence[Photo], copies: Iterable[tuple[int, int]] = ()) -> Division:
        """Divide these photos; `copies`, pairs of positions, stay together. Raises OptionError for too many folds."""
        return replace(self._divided(photos, list(copies)), photos_digest=digest_of_photos(photos))

    def _divided(self, photos: Sequence[Photo], copies: Sequence[tuple[int, int]]) -> Division:
        folds, groups = self._folds_of(photos), content_groups(photos, copies)
        if len(set(groups)) < 2:  # one picture: its copies are all that there is to divide
            copies = ()
        if folds >= 2:
            if self.folds is None:
                folds = min(folds, len(set(groups)))
            if folds >= 2:
                return cross_validated(photos, groups, folds, self.seed)
        division = split_photos(photos, *self._percentages, self.seed, copies)
        return replace(division, remarks=(*division.remarks, *self._without_effect(photos, division)))

    def _without_effect(self, photos: Sequence[Photo], division: Division) -> list[str]:
        """What was asked for in vain, as the source gives sides."""
        if not any(photo.split for photo in photos):
            return []
        asked: list[tuple[str, float | None]] = [("folds", self.folds)]
        if division.given:  # else shares are of the sides that it lacks, or of the photos that are added
            asked += [
                ("testing_percentage", self.testing_percentage),
                ("validation_percentage", self.validation_percentage),
            ]
        vain = [f"`{name}` {value:g}" for name, value in asked if value]
        return [f"The source gives a split, which is kept: {', '.join(vain)} had no effect."] if vain else []

    def _folds_of(self, photos: Sequence[Photo]) -> int:
        """Into how many folds these photos are dealt; with fewer than 2 it is one split."""
        if any(photo.split for photo in photos):
            return 0
        if self.folds is not None:
            return self.folds
        folds = 0 if self._has_shares or too_many_to_cross_validate(photos) else FOLDS
        return min(folds, len({photo.sha256 for photo in photos}))

    @property
    def _has_shares(self) -> bool:
        return self.testing_percentage is not None or self.validation_percentage is not None

    @property
    def _percentages(self) -> tuple[float, float]:
        testing, validation = self.testing_percentage, self.validation_percentage
        return (
            TESTING_PERCENTAGE if testing is None else testing,
            VALIDATION_PERCENTAGE if validation is None else validation,
        )


def too_many_to_cross_validate(photos: Sequence[Photo]) -> bool:
    """Whether one split is made of photos, where nothing else is asked for."""
    classes = len({photo.label for photo in photos})
    few = len(photos) < FEW_OF_A_CLASS * classes
    return len(photos) > MOST_PHOTOS or len(photos) * classes > (MOST_ANSWERS_OF_FEW if few else MOST_ANSWERS)


def cross_validated(photos: Sequence[Photo], groups: Sequence[str], folds: int = FOLDS, seed: int = 0) -> Division:
    """Deal the groups of all photos into folds, several times where they are few. Raises OptionError for too few."""
    if len(set(groups)) < folds:
        raise OptionError(f"{len(set(groups))} different photos are too few for `folds` {folds}: add photos.")
    sides: list[Split] = ["training"] * len(photos)
    deals = DEALS_OF_FEW if len(photos) < FEW_PHOTOS else 1
    first, *further = (deal_folds(photos, groups, f"fold {seed}.{deal}", folds) for deal in range(deals))
    return Division(
        tuple(sides),
        first,
        tuple(_small_class_remarks(photos, groups)),
        0,
        0,
        seed,
        tuple(further),
        numbered(groups),
    )


def split_photos(
    photos: Sequence[Photo],
    testing_percentage: float = TESTING_PERCENTAGE,
    validation_percentage: float = VALIDATION_PERCENTAGE,
    seed: int = 0,
    copies: Sequence[tuple[int, int]] = (),
) -> Division:
    """Divide photos into training, validation and testing by content group; `copies` are pairs of positions.

    Percentages are in 0..100. Splits that the source gave are kept as they are, beside which photos of other sources
    are split as usual. A class with at least three groups gets one on every side that was asked for; if some class has
    fewer, `folds` says how to cross-validate.
    """
    groups = content_groups(photos, copies)
    if any(photo.split for photo in photos):
        return _complete_given_splits(photos, groups, copies, testing_percentage, validation_percentage, seed)
    positions = positions_of(groups, seed)
    sides: dict[str, Split] = {
        group: _side(position, testing_percentage, validation_percentage) for group, position in positions.items()
    }
    too_small = _cover_every_class(photos, groups, positions, sides, testing_percentage, validation_percentage)
    folds = None
    remarks: tuple[str, ...] = ()
    if too_small and testing_percentage > 0:
        folds = deal_folds(photos, groups, seed)
        remarks = (
            f"{len(too_small)} of the classes have fewer than {SMALLEST_CLASS} different photos "
            f"({some_of(too_small)}): accuracy is measured by {max(folds) + 1}-fold cross-validation over all photos.",
        )
    splits = tuple(sides[group] for group in groups)
    return Division(splits, folds, remarks, testing_percentage, validation_percentage, seed, groups=numbered(groups))


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


def testable(photos: Sequence[Photo], folds: Folds) -> list[bool]:
    """Whether each photo can be tested by folds: a head that has seen others of its class is needed for that."""
    folds_of: dict[str, set[int]] = defaultdict(set)
    for photo, fold in zip(photos, folds, strict=True):
        folds_of[photo.label].add(fold)
    return [len(folds_of[photo.label]) > 1 for photo in photos]


def _small_class_remarks(photos: Sequence[Photo], groups: Sequence[str]) -> list[str]:
    """What cannot be said, or only with care, of classes with very few different photos."""
    groups_of: dict[str, set[str]] = defaultdict(set)
    for photo, group in zip(photos, groups, strict=True):
        groups_of[photo.label].add(group)
    alone = sorted(label for label, members in groups_of.items() if len(members) == 1)
    few = sorted(label for label, members in groups_of.items() if 1 < len(members) < FEWEST_GROUPS)
    remarks = []
    if alone:
        remarks.append(f"Not tested, for want of a second photo that differs: {some_of(alone)}.")
    if few:
        remarks.append(
            f"Fewer than {FEWEST_GROUPS} different photos: {some_of(few)}. Their recall is a lower bound, since the "
            "heads that are tested have seen a good part less of them than the one that is kept."
        )
    return remarks


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
    copies: Sequence[tuple[int, int]],
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
        place_of = {index: place for place, index in enumerate(rest)}
        among = [(place_of[one], place_of[other]) for one, other in copies if one in place_of and other in place_of]
        for index, side in zip(rest, split_photos(plain, testing, validation, seed, among).splits, strict=True):
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
    shared = sum(len(sides_of[group]) > 1 for group in groups)
    if shared:
        remarks.append(
            f"{shared} photos have a copy on another side of the given split; its accuracies are too good to be true."
        )
    remarks += untrained_remarks(photos, splits) + _untested_remarks(photos, splits)
    return Division(
        tuple(splits),
        None,
        tuple(remarks),
        testing_percentage,
        validation_percentage,
        seed,
        groups=numbered(groups),
        given=not (testing or validation) and len(settled) == len(photos),
    )


def _untested_remarks(photos: Sequence[Photo], splits: Sequence[Split]) -> list[str]:
    """Which classes have no test photos, while others have some."""
    tested = {photo.label for photo, side in zip(photos, splits, strict=True) if side == "testing"}
    untested = sorted({photo.label for photo in photos} - tested)
    return [f"No test photos, so nothing is known of: {some_of(untested)}."] if tested and untested else []


def _sides_beside(
    photos: Sequence[Photo],
    groups: Sequence[str],
    settled: dict[str, Split],
    testing_percentage: float,
    validation_percentage: float,
    seed: int,
) -> Division:
    """The sides of photos that come beside others, of which those of the groups in `settled` stay."""
    positions = positions_of(groups, seed)
    sides: dict[str, Split] = {
        group: settled.get(group) or _side(position, testing_percentage, validation_percentage)
        for group, position in positions.items()
    }
    too_small = _cover_every_class(
        photos, groups, positions, sides, testing_percentage, validation_percentage, stay=settled
    )
    remarks: tuple[str, ...] = ()
    if too_small:
        remarks = (
            f"{len(too_small)} of the classes have too few added photos to be on each side ({some_of(too_small)}): "
            "they are for training, and nothing is measured on them.",
        )
    return Division(tuple(sides[group] for group in groups), None, remarks)
