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
    class_of: dict[str, str] = {}
    for photo, group in zip(photos, groups, strict=True):
        class_of[group] = min(photo.label, class_of.get(group, photo.label))
    photos_in = [0] * folds
    of_class: dict[str, list[int]] = defaultdict(lambda: [0] * folds)
    fold_of: dict[str, int] = {}
    for group in sorted(class_of, key=lambda group: (class_of[group], -sizes[group], positions[group], group)):
        own = of_class[class_of[group]]
        fold = min(range(folds), key=lambda fold: (own[fold], photos_in[fold], fold))
        fold_of[group] = fold
        own[fold] += sizes[group]
        photos_in[fold] += sizes[group]
    return tuple(fold_of[group] for group in groups)
