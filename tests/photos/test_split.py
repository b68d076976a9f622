import hashlib
import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrain.core.errors import OptionError
from retrain.photos.dataset import Photo, Split
from retrain.photos.groups import content_groups
from retrain.photos.split import SMALLEST_CLASS, Division, SplitConfig, check_split, split_photos


def sha(content: object) -> str:
    return hashlib.sha256(str(content).encode()).hexdigest()


def photo(content: object, label: str = "cat", name: str | None = None, split: Split | None = None) -> Photo:
    return Photo(f"/photos/{label}/{name or f'{content}.jpg'}", label, sha(content), split)


def many(label: str, count: int, start: int = 0) -> list[Photo]:
    return [photo(f"{label}{number}", label) for number in range(start, start + count)]


# Few contents, so that duplicates are common; a few takes of few subjects.
photo_lists = st.lists(
    st.builds(
        photo,
        st.integers(0, 60),
        st.sampled_from(["cat", "dog", "猫"]),
        st.none() | st.builds("s{}_nohash_{}.jpg".format, st.integers(0, 8), st.integers(0, 3)),
    ),
    min_size=1,
    max_size=80,
)
unnamed_lists = st.lists(st.builds(photo, st.integers(0, 60), st.sampled_from(["cat", "dog", "猫"])), min_size=1)
percentages = st.sampled_from([0, 5, 10, 30, 50])


def sides_of(photos: list[Photo], division: Division) -> dict[str, set[str]]:
    sides = defaultdict(set)
    for group, side in zip(content_groups(photos), division.splits, strict=True):
        sides[group].add(side)
    return sides


@given(photo_lists)
def test_groups_are_the_photos_that_share_content_or_subject(photos: list[Photo]) -> None:
    groups = content_groups(photos)
    keys = [{p.sha256, *([Path(p.path).name.split("_nohash_")[0]] if "_nohash_" in p.path else [])} for p in photos]
    for start in range(len(photos)):
        reached, before = keys[start], set()
        while reached != before:
            before, reached = reached, reached.union(*(key for key in keys if key & reached))
        assert [group == groups[start] for group in groups] == [bool(key & reached) for key in keys]


@given(photo_lists, percentages, percentages, st.integers(0, 5))
def test_groups_lie_on_one_side_and_classes_on_every(
    photos: list[Photo], testing: float, validation: float, seed: int
) -> None:
    division = split_photos(photos, testing, validation, seed)
    assert len(division.splits) == len(photos)
    assert all(len(sides) == 1 for sides in sides_of(photos, division).values())
    wanted = {"training", *(["validation"] if validation else []), *(["testing"] if testing else [])}
    assert set(division.splits) <= wanted
    groups = content_groups(photos)
    classes_of, groups_of, covered = defaultdict(set), defaultdict(set), defaultdict(set)
    for item, group, side in zip(photos, groups, division.splits, strict=True):
        classes_of[group].add(item.label)
        groups_of[item.label].add(group)
        covered[item.label].add(side)
    large = {
        label
        for label, members in groups_of.items()
        if sum(len(classes_of[group]) == 1 for group in members) >= SMALLEST_CLASS
    }
    assert all(covered[label] == wanted for label in large)
    if testing:
        assert division.folds is None or len(large) < len(groups_of)
        assert division.folds is not None or all(sides == wanted for sides in covered.values())


def test_no_group_is_on_two_sides_of_thousands_of_random_data_sets() -> None:
    """Any sizes of classes, any share of copies within and across classes, any percentages; folds as well."""
    chance = random.Random(0)
    folded = 0
    for _ in range(3000):
        contents, labels = chance.randint(1, 60), [f"class {number}" for number in range(chance.randint(1, 6))]
        photos = [
            photo(
                f"{chance.randrange(contents)}",
                chance.choice(labels),
                f"s{chance.randrange(9)}_nohash_{number}.jpg" if chance.random() < 0.2 else None,
            )
            for number in range(chance.randint(1, 60))
        ]
        testing, validation = chance.choice([0, 5, 10, 20, 45]), chance.choice([0, 5, 10, 20, 45])
        division = split_photos(photos, testing, validation, chance.randrange(100))
        assert all(len(sides) == 1 for sides in sides_of(photos, division).values())
        if division.folds is not None:
            folded += 1
            fold_of = dict(zip(content_groups(photos), division.folds, strict=True))
            assert [fold_of[group] for group in content_groups(photos)] == list(division.folds)
    assert 100 < folded < 2900


@given(photo_lists, st.randoms(use_true_random=False), percentages, st.integers(0, 3))
def test_t4_the_split_depends_on_no_order_and_no_folder(
    photos: list[Photo], order: random.Random, testing: float, seed: int
) -> None:
    moved = [replace(item, path=f"/mnt/{number}/{Path(item.path).name}") for number, item in enumerate(photos)]
    pairs = list(zip(photos, moved, strict=True))
    order.shuffle(pairs)
    before, after = (split_photos(side, testing, 10, seed) for side in (photos, [pair[1] for pair in pairs]))
    expected = {
        id(item): (side, fold)
        for item, side, fold in zip(photos, before.splits, before.folds or [None] * len(photos), strict=True)
    }
    got = zip(after.splits, after.folds or [None] * len(photos), strict=True)
    assert [expected[id(pair[0])] for pair in pairs] == list(got)
    assert before.remarks == after.remarks


@given(unnamed_lists, percentages)
def test_renaming_moves_nothing(photos: list[Photo], testing: float) -> None:
    renamed = [replace(item, path=f"{number}.png") for number, item in enumerate(photos)]
    assert split_photos(photos, testing) == split_photos(renamed, testing)


@settings(max_examples=200)
@given(unnamed_lists, unnamed_lists, percentages, percentages)
def test_adding_photos_moves_nothing_of_a_class_that_covers_every_side_by_itself(
    photos: list[Photo], added: list[Photo], testing: float, validation: float
) -> None:
    wanted = {"training", *(["validation"] if validation else []), *(["testing"] if testing else [])}
    # One photo that the rule for small classes cannot touch shows where its hash alone puts a group.
    natural = {}
    for item in photos:
        pair = [item, replace(item, label="another")]
        natural[item.sha256] = split_photos(pair, testing, validation).splits[0]
    covered = defaultdict(set)
    for item in photos:
        covered[item.label].add(natural[item.sha256])
    owners = Counter(content for content, _ in {(item.sha256, item.label) for item in photos})
    for division in (split_photos(photos, testing, validation), split_photos(photos + added, testing, validation)):
        for item, side in zip(photos, division.splits, strict=False):
            if covered[item.label] == wanted or owners[item.sha256] > 1:
                assert side == natural[item.sha256]


def test_another_take_of_a_subject_moves_nothing() -> None:
    filler = many("cat", 100) + many("dog", 100)
    takes = [photo(f"take {number}", "cat", f"tom_nohash_{number}.jpg") for number in range(40)]
    sides = {split_photos(takes[:count] + filler, 30, 30).splits[0] for count in range(1, 40)}
    assert len(sides) == 1


def test_duplicates_under_two_labels_stay_together() -> None:
    photos = many("cat", 50) + many("dog", 50)
    both = [replace(item, label="dog") for item in photos[:50]]
    division = split_photos(photos + both, 30, 30)
    assert division.splits[:50] == division.splits[100:]


def test_classes_that_share_all_their_photos_are_not_small() -> None:
    photos = [photo(number, label) for number in range(100) for label in ("cat", "animal")]
    division = split_photos(photos)
    assert division.folds is None and division.remarks == ()
    assert set(division.splits) == {"training", "validation", "testing"}


@pytest.mark.parametrize(("testing", "validation"), [(10, 10), (20, 5), (0, 30), (25, 0), (0, 0), (50, 50)])
def test_the_shares_are_the_percentages(testing: float, validation: float) -> None:
    photos = many("cat", 4000) + many("dog", 4000)
    shares = Counter(split_photos(photos, testing, validation).splits)
    assert shares["testing"] / 80 == pytest.approx(testing, abs=1.5)
    assert shares["validation"] / 80 == pytest.approx(validation, abs=1.5)
    assert shares["training"] > 0
    assert (shares["testing"] == 0) == (testing == 0) and (shares["validation"] == 0) == (validation == 0)


def test_the_seed_makes_the_split() -> None:
    photos = many("cat", 200) + many("dog", 200)
    assert split_photos(photos, seed=3) == split_photos(photos, seed=3)
    assert len({split_photos(photos, seed=seed).splits for seed in range(20)}) == 20


def test_a_class_of_three_has_one_on_every_side() -> None:
    for number in range(50):
        photos = [photo(f"{number} {take}", "cat") for take in range(3)] + many("dog", 50)
        division = split_photos(photos)
        assert set(division.splits[:3]) == {"training", "validation", "testing"}
        assert division.folds is None


@pytest.mark.parametrize("count", [1, 2])
def test_t9_a_class_too_small_for_the_sides_is_cross_validated(count: int) -> None:
    photos = many("cat", count) + many("dog", 40)
    division = split_photos(photos)
    assert division.folds is not None and len(division.folds) == len(photos)
    assert set(division.folds) == set(range(5))
    assert set(division.splits[count:]) == {"training", "validation", "testing"}
    (remark,) = division.remarks
    assert "(cat)" in remark and "5-fold" in remark


def test_a_class_too_small_for_the_sides_is_trained_on() -> None:
    for number in range(20):
        division = split_photos([photo(number), *many("dog", 40)], 40, 40)
        assert division.splits[0] == "training"


def test_without_a_test_side_there_is_nothing_to_cross_validate() -> None:
    assert split_photos(many("cat", 1) + many("dog", 40), testing_percentage=0).folds is None


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_tiny_classes_fill_more_than_one_fold(classes: int) -> None:
    photos = [photo(f"only {number}", f"class {number}") for number in range(classes)]
    division = split_photos(photos)
    assert set(division.folds) == set(range(min(5, classes)))
    assert f"{min(5, classes)}-fold" in division.remarks[0]


@pytest.mark.parametrize("given", [None, "training"])
def test_division_says_how_it_was_made(given: Split | None) -> None:
    photos = [photo(number, "cat" if number % 2 else "dog", split=given) for number in range(40)]
    division = split_photos(photos, 25, 15, 7)
    assert (division.testing_percentage, division.validation_percentage, division.seed) == (25, 15, 7)


@pytest.mark.parametrize(
    ("testing", "validation", "seed", "sentence"),
    [
        (60, 40, 0, "must add up to less than 100"),
        (100, 0, 0, "`testing_percentage` 100 must be"),
        (10, -1, 0, "`validation_percentage` -1 must be"),
        (float("nan"), 10, 0, "`testing_percentage` nan must be"),
        (10, 10, -1, "`seed` -1 must be"),
    ],
)
def test_splits_that_cannot_be_are_refused(testing: float, validation: float, seed: int, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        check_split(testing, validation, seed)
    check_split(0, 99, 0)


# Photos that are added to a split that was kept


def kept(label: str, count: int) -> list[Photo]:
    """Photos of an earlier run, with the sides that they had."""
    photos = many(label, count)
    return [replace(one, split=side) for one, side in zip(photos, split_photos(photos).splits, strict=True)]


def added(photos: list[Photo]) -> list[Photo]:
    return [replace(one, part=1) for one in photos]


@given(st.integers(3, 40), st.integers(1, 40), percentages, percentages, st.integers(0, 3))
def test_added_photos_are_split_as_usual_and_the_others_stay(
    old: int, new: int, testing: int, validation: int, seed: int
) -> None:
    if testing + validation >= 100:
        return
    before = [*kept("cat", old), *kept("dog", old)]
    more = added([*many("fox", new), *many("cat", new, start=old)])
    division = split_photos([*before, *more], testing, validation, seed)
    assert division.splits[: len(before)] == tuple(one.split for one in before)
    assert division.folds is None
    sides = {side for side, one in zip(division.splits, [*before, *more], strict=True) if one.label == "fox"}
    wanted = {"training", *(["testing"] if testing else []), *(["validation"] if validation else [])}
    small = new < len(wanted)
    assert sides == ({"training"} if small else wanted)
    assert ("too few added photos" in " ".join(division.remarks)) == small


def test_a_large_class_is_split_by_its_hashes_alone() -> None:
    more = many("fox", 300)
    beside = split_photos([*kept("cat", 30), *added(more)])
    assert beside.splits[30:] == split_photos([*more, *many("cat", 30)]).splits[:300]


def test_a_copy_and_another_take_of_a_photo_stay_on_its_side() -> None:
    before = [replace(photo(f"{n}", name=f"s{n}_nohash_0.jpg"), split="testing") for n in range(30)]
    before += [replace(photo("x"), split="training")]
    more = added([*(photo(f"new {n}", name=f"s{n}_nohash_1.jpg") for n in range(30)), photo("0", name="copy.jpg")])
    assert set(split_photos([*before, *more], 0, 0).splits[31:]) == {"testing"}


def test_added_sides_are_kept_and_the_first_source_is_split_as_usual() -> None:
    cats = many("cat", 60)
    more = [replace(one, part=1, split="training") for one in many("fox", 5)]
    division = split_photos([*cats, *more])
    assert division.splits[:60] == split_photos(cats).splits
    assert division.splits[60:].count("training") < 5  # sides that it lacks are taken from it, as ever


def test_by_default_there_are_not_more_folds_than_pictures() -> None:
    """Copies in other bytes are one picture; asked for more folds, it is a sentence."""
    photos = [Photo(f"{n}.jpg", "ab"[n % 2], f"{n:064x}") for n in range(6)]
    copies = [(0, 2), (1, 3)]
    assert SplitConfig().divide(photos, copies).number_of_folds == 4
    assert SplitConfig().divide(photos).number_of_folds == 5
    assert SplitConfig().divide(photos, [(0, n) for n in range(1, 6)]).folds != (0,) * 6
    with pytest.raises(OptionError, match="4 different photos are too few for `folds` 5"):
        SplitConfig(folds=5).divide(photos, copies)


@pytest.mark.parametrize(
    ("classes", "each", "turns"),
    [
        (2, 10_000, True),
        (2, 10_001, False),  # so many photos
        (102, 80, True),  # the flowers of Oxford
        (102, 100, False),  # photos times classes
        (1_000, 3, True),  # but of small classes every photo counts
        (400, 26, False),
    ],
)
def test_very_many_photos_get_one_split(classes: int, each: int, turns: bool) -> None:
    photos = [Photo(f"{n}.jpg", f"{n % classes}", f"{n:064x}") for n in range(classes * each)]
    assert SplitConfig().takes_turns(photos) == turns
    assert SplitConfig(folds=5).takes_turns(photos)
