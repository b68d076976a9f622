from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from retrain.photos.dataset import Photo
from retrain.photos.folds import FOLDS, deal_folds
from retrain.photos.groups import content_groups

photo_lists = st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), min_size=1, max_size=80, unique=True).map(
    lambda items: [Photo(f"{n}.jpg", label, f"{content:064x}") for n, (content, label) in enumerate(items)]
)


def photos_of(label: str, sizes: list[int]) -> list[Photo]:
    """A class with so many copies of each of its contents."""
    return [
        Photo(f"{label}{content}-{copy}.jpg", label, f"{label}{content}".encode().hex().rjust(64, "0"))
        for content, size in enumerate(sizes)
        for copy in range(size)
    ]


@given(photo_lists, st.integers(0, 3), st.integers(2, 6))
def test_groups_stay_together_and_classes_are_spread(photos: list[Photo], seed: int, folds: int) -> None:
    groups = content_groups(photos)
    dealt = deal_folds(photos, groups, seed, folds)
    fold_of = defaultdict(set)
    for group, fold in zip(groups, dealt, strict=True):
        fold_of[group].add(fold)
    assert all(len(found) == 1 for found in fold_of.values())
    assert set(dealt) <= set(range(folds))
    # A class that shares no group with another is as evenly spread as its largest group lets it be.
    labels_of = defaultdict(set)
    for photo, group in zip(photos, groups, strict=True):
        labels_of[group].add(photo.label)
    for label in "abc":
        own = [(group, fold) for photo, group, fold in zip(photos, groups, dealt, strict=True) if photo.label == label]
        if own and all(labels_of[group] == {label} for group, _ in own):
            in_fold = [sum(fold == place for _, fold in own) for place in range(folds)]
            assert max(in_fold) - min(in_fold) <= max(Counter(group for group, _ in own).values())


def test_a_large_group_has_a_fold_nearly_for_itself() -> None:
    photos = photos_of("burst", [20, *[1] * 40])
    dealt = deal_folds(photos, content_groups(photos), 0, 3)
    assert sorted(Counter(dealt).values()) == [20, 20, 20]


def test_tiny_classes_fill_all_folds() -> None:
    photos = [photo for number in range(10) for photo in photos_of(f"class {number}", [1, 1])]
    assert sorted(Counter(deal_folds(photos, content_groups(photos), 0)).values()) == [20 // FOLDS] * FOLDS


def test_another_seed_deals_anew_and_the_order_of_the_photos_changes_nothing() -> None:
    photos = photos_of("a", [1] * 40) + photos_of("b", [1] * 30)
    groups = content_groups(photos)
    dealt = deal_folds(photos, groups, 0)
    assert deal_folds(photos, groups, 1) != dealt
    assert deal_folds(photos[::-1], groups[::-1], 0) == dealt[::-1]
