"""Cross-validation: every photo is tested once, by a head that has seen neither it nor another of its group."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from retrain.photos.dataset import Photo
from retrain.photos.groups import positions_of

Folds = tuple[int, ...]  # the fold of each photo, 0..k-1

FOLDS = 5


def deal_folds(photos: Sequence[Photo], groups: Sequence[str], seed: int | str, folds: int = FOLDS) -> Folds:
    """Deal groups into folds so that each has a like share of every class, and of all photos.

    The largest group of a class comes first, and goes where the class has the fewest photos; of equal places to the
    one with the fewest in all. Groups of one size come in the order of their hashes, which the seed changes.
    """
    positions = positions_of(groups, seed)
    sizes = Counter(groups)
    # Classes are told apart by their photos: other names for them deal no other folds.
    first_of: dict[str, float] = {}
    for photo, group in zip(photos, groups, strict=True):
        first_of[photo.label] = min(positions[group], first_of.get(photo.label, positions[group]))
    class_of: dict[str, tuple[float, str]] = {}
    for photo, group in zip(photos, groups, strict=True):
        own = (first_of[photo.label], photo.label)
        class_of[group] = min(own, class_of.get(group, own))
    photos_in = [0] * folds
    of_class: dict[tuple[float, str], list[int]] = defaultdict(lambda: [0] * folds)
    fold_of: dict[str, int] = {}
    for group in sorted(class_of, key=lambda group: (class_of[group], -sizes[group], positions[group], group)):
        in_class = of_class[class_of[group]]
        fold = min(range(folds), key=lambda fold: (in_class[fold], photos_in[fold], fold))
        fold_of[group] = fold
        in_class[fold] += sizes[group]
        photos_in[fold] += sizes[group]
    return tuple(fold_of[group] for group in groups)
