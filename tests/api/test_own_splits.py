"""A split of one's own, and one of other photos: neither passes in silence."""

import shutil
from pathlib import Path

import pytest
from painting import paint_classes

from retrain import Backbone, Bottlenecks, Dataset, Division, ExtractionConfig, SplitConfig, evaluate, extract, fit_head
from retrain.core.errors import OptionError
from retrain.exports.manifest import manifest
from retrain.photos.record import METADATA, NAME, write_record


def of(folder: Path) -> Bottlenecks:
    return extract(Dataset.open(folder), Backbone.find("fake"), ExtractionConfig(folder.parent / "kept"))


def test_a_division_of_as_many_other_photos_is_refused(bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    others = of(paint_classes(tmp_path / "others", {name: name for name in ("red", "green", "blue")}, range(20, 34)))
    with pytest.raises(OptionError, match="`division` is one of 42 other photos"):
        fit_head(bottlenecks, others.split())
    with pytest.raises(OptionError, match="`division` is one of 42 other photos"):
        fit_head(others, bottlenecks.split(SplitConfig(folds=0)))


def test_one_division_is_for_the_same_photos_by_another_backbone(bottlenecks: Bottlenecks, photos: Path) -> None:
    larger = extract(
        Dataset.open(photos), Backbone.find("fake", image_size=16), ExtractionConfig(photos.parent / "kept")
    )
    division = bottlenecks.split(SplitConfig(folds=0))
    assert fit_head(larger, division).division == division


SIDES = ("train", "train", "Val", "test", "TRAINING", "testing", "valid")


def test_sides_are_called_as_folders_are(bottlenecks: Bottlenecks) -> None:
    names = [SIDES[row % 7] for row in range(42)]
    division = Division.of_sides(bottlenecks.photos, names)
    assert set(division.splits) == {"training", "validation", "testing"}
    assert division.mask("val").sum() == 12 and division.mask("training").sum() == 18
    assert repr(division) == "<Division of 42 photos: 18 training, 12 validation, 12 testing>"
    trained = fit_head(bottlenecks, Division(tuple(names)))  # type: ignore[arg-type]
    assert (evaluate(trained).n, trained.validation.n) == (12, 12)
    assert trained.division == division
    with pytest.raises(OptionError, match="`splits` holds 'tset', which is not a side: write training, validation or"):
        Division.of_sides(bottlenecks.photos, ["tset"] * 42)
    with pytest.raises(OptionError, match=r"`sides` names no side for .*: it needs the path of every photo"):
        Division.of_sides(bottlenecks.photos, dict.fromkeys(bottlenecks.paths[1:], "train"))
    more = Division.of_sides(bottlenecks.photos, {**dict.fromkeys(bottlenecks.paths, "train"), "typo.png": "test"})
    assert more.remarks == ("`sides` names 1 paths of no photo here, as typo.png: they are passed over.",)
    lacking = Division.of_sides(bottlenecks.photos, ["test" if label == "red" else "train" for label in bottlenecks.y])
    assert lacking.remarks == ("There is no training photo of red: validation photos alone can teach what that is.",)
    with pytest.raises(OptionError, match="The division is one of 3 photos, the bottlenecks are those of 42"):
        Division.of_sides(bottlenecks.photos, ["train"] * 3)


def test_sides_by_path_need_no_order(bottlenecks: Bottlenecks) -> None:
    sides = ["test" if row % 3 == 0 else "train" for row in range(len(bottlenecks))]
    by_path = dict(reversed(list(zip(bottlenecks.paths, sides, strict=True))))
    of = [Division.of_sides(bottlenecks.photos, said, keep_copies=True) for said in (sides, by_path)]
    assert of[0] == of[1]


def test_copies_on_several_sides_are_refused_or_said(tmp_path: Path) -> None:
    folder = paint_classes(tmp_path / "photos", {"red": "red", "blue": "blue"}, range(6))
    shutil.copy(folder / "red/0.png", folder / "red/6.png")
    bottlenecks = of(folder)
    sides = ["test" if photo.path.endswith(("5.png", "6.png")) else "train" for photo in bottlenecks.photos]
    with pytest.raises(OptionError, match=r"1 photos have copies on several sides, as .*0\.png and .*6\.png") as caught:
        fit_head(bottlenecks, Division(tuple(sides)))  # type: ignore[arg-type]
    assert "keep_copies=True" in str(caught.value)
    kept = Division.of_sides(bottlenecks.photos, sides, keep_copies=True)
    assert "too good to be true" in kept.remarks[0]
    assert evaluate(fit_head(bottlenecks, kept)).n == 3


def test_the_manifest_says_that_a_split_was_given_and_which(bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    def provenance(division: Division) -> dict[str, object]:
        found = manifest(fit_head(bottlenecks, division), ["tflite"])["provenance"]
        assert isinstance(found, dict)
        return found

    one, other = (
        Division.of_sides(bottlenecks.photos, [SIDES[(row + shift) % 7] for row in range(42)]) for shift in range(2)
    )
    said = provenance(one)
    assert said["split"] == "given" and not {"seed", "testing_percentage", "validation_percentage"} & set(said)
    assert said["split_digest"] != provenance(other)["split_digest"]
    made = provenance(bottlenecks.split())
    assert made["seed"] == 0 and not {"split", "split_digest"} & set(made)
    write_record(tmp_path, bottlenecks.photos, one, "")
    assert b'"split": {"split": "given", "folds": null}' in pq.read_schema(tmp_path / NAME).metadata[METADATA]


def test_a_split_of_the_source_that_lacks_no_side_is_given(tmp_path: Path) -> None:
    for side in ("train", "val", "test"):
        paint_classes(tmp_path / "photos" / side, {"red": "red", "blue": "blue"}, range(len(side), len(side) + 1))
    paint_classes(tmp_path / "photos/train", {"red": "red", "blue": "blue"}, range(10, 14))
    paint_classes(tmp_path / "photos/val", {"red": "red", "blue": "blue"}, range(20, 22))
    assert of(tmp_path / "photos").split().given
    shutil.rmtree(tmp_path / "photos/val")
    assert not of(tmp_path / "photos").split().given
