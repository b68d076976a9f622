"""What once gave a wrong answer without an error."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from retrain import (
    Augmentation,
    Backbone,
    Bottlenecks,
    Dataset,
    ExtractionConfig,
    HeadConfig,
    PhotoClassifier,
    SplitConfig,
    TrainedHead,
    ViewsConfig,
    extract,
    fit_head,
)
from retrain.core.errors import DatasetError, ExportError, OptionError, RetrainError, Stopped

FAKE = Backbone.find("fake")
NAN = float("nan")


@pytest.fixture(scope="module")
def trained(bottlenecks: Bottlenecks) -> TrainedHead:
    return fit_head(bottlenecks, bottlenecks.split(SplitConfig(folds=0, testing_percentage=30)))


@pytest.fixture(scope="module")
def classifier(bottlenecks: Bottlenecks) -> PhotoClassifier:
    return PhotoClassifier("fake", bottleneck_dir=bottlenecks.config.local_dir).fit(bottlenecks.paths, bottlenecks.y)


def refused(calls: list[tuple[Callable[[], Any], str]], error: type[RetrainError] = OptionError) -> None:
    for call, why in calls:
        with pytest.raises(error, match=why):
            call()


def test_sides_that_are_no_texts_are_not_taken_for_none(bottlenecks: Bottlenecks) -> None:
    table: dict[str, list[Any]] = {"path": list(bottlenecks.paths), "label": list(bottlenecks.y)}
    refused([(lambda: Dataset.from_frame({**table, "side": [0, 1] * 21}, split="side"), "`splits` holds 0")])
    some = Dataset.from_frame({**table, "side": [NAN, "train", None] * 14}, split="side")
    assert {file.split for file in some} == {None, "training"}
    relative = [Path(path).relative_to("/") for path in bottlenecks.paths]
    assert Dataset.from_frame({**table, "path": relative}, folder="/").files == Dataset.from_frame(table).files
    refused([(lambda: Dataset.from_lists(bottlenecks.paths[:3], "red"), "`labels` are the class of each photo")])


def test_photos_with_and_without_classes_are_not_put_together(bottlenecks: Bottlenecks) -> None:
    unlabelled = Dataset.unlabelled(bottlenecks.paths[:3])
    with pytest.raises(DatasetError, match="empty name"):
        Dataset.from_lists(bottlenecks.paths, bottlenecks.y) + unlabelled
    refused([(lambda: bottlenecks + extract(unlabelled, FAKE, bottlenecks.config), "has no classes, the other has")])


def test_numbers_that_are_not_finite_have_no_class_and_no_neighbours(
    trained: TrainedHead, bottlenecks: Bottlenecks
) -> None:
    nan, infinite = np.full((1, 3), NAN, np.float32), np.full((1, 3), np.inf, np.float32)
    refused([
        (lambda: trained.predict(nan), "not finite"),
        (lambda: trained.predict(infinite), "not finite"),
        (lambda: bottlenecks.nearest(nan), "not finite"),
        (lambda: bottlenecks.nearest(infinite), "not finite"),
    ])  # fmt: skip
    assert bottlenecks.nearest(bottlenecks.X[:2].tolist(), 1).rows.shape == (2, 1)  # type: ignore[arg-type]


def test_what_cannot_be_compared_is_not_scored(
    trained: TrainedHead, classifier: PhotoClassifier, bottlenecks: Bottlenecks
) -> None:
    paths = list(bottlenecks.paths[:3])
    nameless = extract(Dataset.unlabelled(paths), FAKE, bottlenecks.config)
    refused([(lambda: trained.score(nameless), "`labels` are needed")])
    scores: tuple[tuple[Callable[..., float], str], ...] = ((trained.score, "labels"), (classifier.score, "y"))
    for score, name in scores:
        refused([
            (partial(score, paths, ["blue"]), f"`{name}` are of 1 photos, and there are 3"),
            (partial(score, paths, "red"), f"`{name}` takes a list"),
            (partial(score, paths, [1, 2, 3]), f"`{name}` are int64, and the classes <U5"),
            (partial(score, [], []), "no photos to score"),
        ])  # fmt: skip


def test_labels_are_of_one_kind_and_none_is_missing(classifier: PhotoClassifier, bottlenecks: Bottlenecks) -> None:
    fit, paths = classifier.__class__("fake", bottleneck_dir=classifier.bottleneck_dir).fit, list(bottlenecks.paths)
    refused([
        (lambda: fit(paths, ["1"] * 14 + [1] * 28), "`y` has texts and numbers"),
        (lambda: fit(paths, [1.0] * 14 + [NAN] * 28), r"`y` has 28 missing labels \(NaN\)"),
        (lambda: fit(paths, ["a"] * 14 + [None] * 28), "`y` takes a list"),
        (lambda: fit(paths, np.zeros((42, 1))), "`y` takes a list"),
        (lambda: fit(bottlenecks.dataset, ["a", "b"] * 21), "leave `y` out"),
    ])  # fmt: skip
    thirds = np.repeat(np.array([0.1, 0.2, 0.3], np.float32), 14)
    assert fit(paths, thirds).score(paths, thirds) > 0.9


def test_going_on_keeps_the_kind_of_labels_and_a_new_label_counts(
    classifier: PhotoClassifier, bottlenecks: Bottlenecks
) -> None:
    paths = list(bottlenecks.paths)
    numbers = PhotoClassifier("fake", bottleneck_dir=classifier.bottleneck_dir).fit(paths[:28], [1] * 14 + [2] * 14)
    refused([(lambda: numbers.fit_more(paths[28:], ["red"] * 14), "`y` has texts and numbers")])
    numbers.fit_more(paths[14:], [4] * 14 + [3] * 14)
    assert numbers.classes_.tolist() == [1, 3, 4] and len(numbers.trained_.bottlenecks) == 42
    assert numbers.predict([paths[20], paths[40]]).tolist() == [4, 3]


def test_a_table_that_was_changed_is_read_as_it_is_or_refused(bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    views = ViewsConfig(Augmentation(flip_left_right=True), 2)
    extract(bottlenecks.dataset, FAKE, bottlenecks.config, views).to_parquet(tmp_path / "views.parquet")
    bottlenecks.to_parquet(tmp_path / "one.parquet")

    def read(name: str, change: Callable[[pa.Table], pa.Table]) -> Bottlenecks:
        pq.write_table(change(pq.read_table(tmp_path / name)), tmp_path / "changed.parquet")
        return Bottlenecks.read(tmp_path / "changed.parquet")

    def but_red(table: pa.Table) -> pa.Table:
        return table.filter(pc.not_equal(table["label"], "red"))

    for name in ("one.parquet", "views.parquet"):
        some = read(name, but_red)
        assert (some.labels, len(some), len(some.views)) == (("blue", "green"), 28, 28 * len(some.view_ids))
    renamed = read("one.parquet", lambda table: table.set_column(2, "label", pa.array(["x", "y"] * 21)))
    assert renamed.labels == ("x", "y") and set(renamed.classes) == {0, 1}
    holes = pa.array([None, *np.zeros((41, 3), np.float32).tolist()], pa.list_(pa.float32(), 3))
    refused([
        (lambda: read("views.parquet", lambda table: table.filter(pc.equal(table["view"], "original"))), "was changed"),
        (lambda: read("views.parquet", lambda table: table.sort_by("sha256")), "was changed"),
        (lambda: read("one.parquet", lambda table: table.set_column(5, "bottleneck", holes)), "was changed"),
        (lambda: read("one.parquet", lambda table: table.drop_columns(["label"])), "has no column label"),
    ], DatasetError)  # fmt: skip


def test_files_of_two_savings_are_no_head(bottlenecks: Bottlenecks, trained: TrainedHead, tmp_path: Path) -> None:
    trained.save(tmp_path / "one")
    fit_head(bottlenecks, trained.division, HeadConfig(l2=1.0)).save(tmp_path / "two")
    (one,), (two,) = ((tmp_path / name).glob("head-*.npz") for name in ("one", "two"))
    shutil.copy(two, one)
    refused([(lambda: TrainedHead.load(tmp_path / "one"), "are of several savings")], ExportError)


def test_a_classifier_with_the_head_of_another_is_refused(
    classifier: PhotoClassifier, bottlenecks: Bottlenecks, tmp_path: Path
) -> None:
    classifier.save(tmp_path)
    fit_head(bottlenecks, bottlenecks.split(), HeadConfig(l2=1.0)).save(tmp_path)
    refused([(lambda: PhotoClassifier.load(tmp_path), "holds no saved PhotoClassifier")], ExportError)


def test_false_of_numpy_ends_a_step_too(bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        extract(bottlenecks.dataset, FAKE, ExtractionConfig(tmp_path), observe=lambda done, total: np.bool_(False))
