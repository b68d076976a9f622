"""Copies are found whatever was done to them, and photos that only look alike are not copies."""

from pathlib import Path

import numpy as np
import pytest
from same_pictures import bottlenecks, same_pictures

from retrain.insight.doctor.duplicates import copy_findings, find_copies
from retrain.insight.doctor.findings import Copies
from retrain.insight.doctor.looks import look_at
from retrain.insight.doctor.out_of_fold import groups_with_copies
from retrain.photos.dataset import Photo
from retrain.photos.folds import deal_folds


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    return same_pictures(tmp_path)


def test_copies_are_found_and_grouped(photos: list[Photo]) -> None:
    copies = find_copies(photos, bottlenecks({10: 0, 11: 1, 12: 2, 14: 13}), look_at(photos))
    assert {frozenset(group.rows): group.similarity == 1 for group in copies} == {
        frozenset({0, 10}): False,
        frozenset({1, 11}): False,
        frozenset({2, 12}): True,
    }
    (resized,) = (group for group in copies if 11 in group.rows)
    assert resized.rows == (1, 11)  # the larger one first
    assert 0.95 <= resized.similarity < 1


def test_bottlenecks_alone_make_no_copies(photos: list[Photo]) -> None:
    looks = look_at(photos)
    alike = bottlenecks({row: 0 for row in range(1, 10)})
    assert not any(len(set(group.rows) & set(range(10))) > 1 for group in find_copies(photos, alike, looks))


def test_thumbnails_alone_make_no_copies(photos: list[Photo]) -> None:
    different = np.eye(15, dtype=np.float32)
    assert [group.similarity == 1 for group in find_copies(photos, different, look_at(photos))] == [True]


def test_what_is_said_of_copies(photos: list[Photo]) -> None:
    copies = find_copies(photos, bottlenecks({10: 0, 11: 1, 12: 2}), look_at(photos))
    sides = ["training"] * 15
    sides[10] = "testing"
    own = np.full(15, 0.5, np.float32)
    own[11] = 0.9  # its class is believed more than that of 1
    findings = {finding.row: finding for finding in copy_findings(photos, sides, copies, own)}
    assert {row: finding.kind for row, finding in findings.items()} == {
        1: "copy_across_classes",
        max(findings.keys() & {0, 10}): "copy_across_split",
        max(findings.keys() & {2, 12}): "copy",
    }
    assert all(finding.suggestion == "remove" for finding in findings.values())
    assert "11.jpg, which is b" in findings[1].sentence


def test_the_sides_of_the_two_photos_count_not_those_of_their_group(photos: list[Photo]) -> None:
    group = Copies((0, 3, 4, 5), 0.99)
    sides = ["training"] * 15
    sides[4] = "testing"
    found = {finding.row: finding for finding in copy_findings(photos, sides, (group,), None)}
    assert {row: finding.kind for row, finding in found.items()} == {3: "copy", 4: "copy_across_split", 5: "copy"}
    assert [row for row, finding in found.items() if "one of them is a test photo" in finding.sentence] == [4]


def test_without_sides_no_copy_is_across_the_split(photos: list[Photo]) -> None:
    """Every photo is tested where accuracy is cross-validated."""
    findings = copy_findings(photos, None, (Copies((0, 3), 0.99),), None)
    assert [finding.kind for finding in findings] == ["copy"]
    assert "test photo" not in findings[0].sentence


def test_copies_are_in_one_fold(photos: list[Photo]) -> None:
    copies = find_copies(photos, bottlenecks({10: 0, 11: 1, 12: 2}), look_at(photos))
    for seed in range(20):
        folds = np.array(deal_folds(photos, groups_with_copies(photos, copies), seed))
        assert folds[0] == folds[10] and folds[1] == folds[11] and folds[2] == folds[12]


def test_a_photo_that_is_gone(photos: list[Photo]) -> None:
    Path(photos[3].path).unlink()
    looks = look_at(photos)
    assert not looks.readable[3] and looks.readable.sum() == 14
    assert len(find_copies(photos, bottlenecks({10: 0}), looks)) == 2
