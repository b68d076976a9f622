"""What exports are compared with."""

from itertools import pairwise
from types import SimpleNamespace

import pytest

from retrain.exports.proof.reference import parity_photos, proof_rows
from retrain.training.as_exported import compared

PHOTOS = [SimpleNamespace(gone=False)] * 1000


def test_a_run_has_computed_in_float32_already_what_its_export_is_compared_with() -> None:
    taking_turns = SimpleNamespace(splits=["testing"] * 1000)
    groups = proof_rows(SimpleNamespace(photos=PHOTOS), taking_turns)
    for rows, apart in zip(groups, (66, 50), strict=True):
        assert rows == sorted(rows) and max(after - before for before, after in pairwise(rows)) < apart
    rows = [row for group in groups for row in group]
    assert [len(group) for group in groups] == [16, 32] and len(set(rows)) == 48
    assert set(rows) <= set(compared(range(1000)))


@pytest.mark.parametrize(("photos", "groups"), [(0, [0]), (1, [1]), (16, [16]), (17, [16, 1]), (47, [16, 31])])
def test_few_photos_are_all_taken(photos: int, groups: list[int]) -> None:
    one_split = SimpleNamespace(splits=["testing"] * photos)
    found = proof_rows(SimpleNamespace(photos=PHOTOS[:photos]), one_split)
    assert [len(rows) for rows in found] == groups
    assert sorted(row for rows in found for row in rows) == list(range(photos))


def test_test_photos_come_first() -> None:
    one_split = SimpleNamespace(splits=["training", "testing"] * 500)
    rows = parity_photos(SimpleNamespace(photos=PHOTOS), one_split, 48)
    assert len(rows) == 48 and all(row % 2 for row in rows)


def test_photos_that_are_gone_are_never_asked_for() -> None:
    photos = [SimpleNamespace(gone=row >= 10) for row in range(1000)]
    one_split = SimpleNamespace(splits=["testing"] * 4 + ["training"] * 996)
    rows = parity_photos(SimpleNamespace(photos=photos), one_split, 48)
    assert rows[:4] == [0, 1, 2, 3] and sorted(rows) == list(range(10))
