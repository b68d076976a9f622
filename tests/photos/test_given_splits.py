"""Splits that the source gives are kept, and completed where sides are missing."""

from dataclasses import replace

import pytest

from label_image.files import sha256_of_bytes
from retrain.photos.dataset import Photo, Split
from retrain.photos.split import SplitConfig, split_photos


def photo(content: object, label: str, split: Split | None) -> Photo:
    return Photo(f"/photos/{label}/{content}.jpg", label, sha256_of_bytes(str(content).encode()), split)


def given_splits(*counts: tuple[Split, int]) -> list[Photo]:
    return [
        photo(f"{split} {label} {number}", label, split)
        for label in ("cat", "dog")
        for split, count in counts
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("config", "vain"),
    [
        (SplitConfig(folds=5), "`folds` 5"),
        (SplitConfig(30, 12.5), "`testing_percentage` 30, `validation_percentage` 12.5"),
        (SplitConfig(seed=7), ""),
        (SplitConfig(folds=0), ""),
    ],
)
def test_what_a_given_split_leaves_without_effect_is_remarked(config: SplitConfig, vain: str) -> None:
    whole = given_splits(("training", 5), ("validation", 2), ("testing", 1))
    remarks = [f"The source gives a split, which is kept: {vain} had no effect."] if vain else []
    assert list(config.divide(whole).remarks) == remarks
    without_test = given_splits(("training", 50), ("validation", 20))
    said = " ".join(config.divide(without_test).remarks)
    assert ("had no effect" in said) == bool(config.folds) and "gives no test photos" in said


def test_given_splits_are_kept() -> None:
    photos = given_splits(("training", 5), ("validation", 2), ("testing", 1))
    division = split_photos(photos, 50, 50)
    assert division.splits == tuple(item.split for item in photos)
    assert division.folds is None and division.remarks == ()


@pytest.mark.parametrize(
    ("given_side", "carved", "word"), [("validation", "testing", "test"), ("testing", "validation", "validation")]
)
def test_the_missing_side_is_carved_out_of_training(given_side: Split, carved: Split, word: str) -> None:
    photos = given_splits(("training", 300), (given_side, 50))
    division = split_photos(photos, 20, 20)
    for item, side in zip(photos, division.splits, strict=True):
        assert side == given_side if item.split == given_side else side in ("training", carved)
    assert division.splits.count(carved) / 600 == pytest.approx(0.2, abs=0.05)
    assert division.remarks == (f"The source gives no {word} photos: taken from its training photos.",)


def test_training_alone_gives_both_sides() -> None:
    division = split_photos(given_splits(("training", 100)))
    assert set(division.splits) == {"training", "validation", "testing"}


def test_with_percentages_of_zero_nothing_is_carved() -> None:
    division = split_photos(given_splits(("training", 50), ("validation", 10)), 0, 0)
    assert division.splits.count("testing") == 0 and division.remarks == ()


def test_a_class_without_training_photos_on_given_sides_is_remarked() -> None:
    photos = [photo(number, "cat", split="training" if number < 6 else "testing") for number in range(9)]
    photos += [photo(number, "Cat", split="testing") for number in range(9, 12)]
    remarks = split_photos(photos, 10, 0).remarks
    assert "There is no training photo of Cat: validation photos alone can teach what that is." in remarks
    assert not any("training photo of" in one for one in split_photos(photos[:9], 10, 0).remarks)


def test_duplicates_across_given_sides_are_remarked() -> None:
    photos = given_splits(("training", 5), ("validation", 5), ("testing", 5))
    photos.append(replace(photos[0], split="testing"))
    division = split_photos(photos)
    assert division.splits == tuple(item.split for item in photos)
    (remark,) = division.remarks
    assert remark.startswith("2 photos have a copy on another side")
