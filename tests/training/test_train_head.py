from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from stand_ins import bottlenecks_of

from retrain.bottlenecks.extraction import Extraction
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Photo
from retrain.photos.split import Division
from retrain.training.fitting.convergence import L2_WITHOUT_VALIDATION
from retrain.training.head import Progress
from retrain.training.metrics import effect_on_accuracy, wilson_interval
from retrain.training.recipe import HeadConfig
from retrain.training.train_head import train_head
from retrain.training.trained import TrainedHead

LABELS = ("cat", "dog")


def extraction(n: int, spread: float = 1.0, matrix: np.ndarray | None = None) -> Extraction:
    """Photos of cats and dogs in turn, a little apart."""
    if matrix is None:
        points = np.random.default_rng(0).normal(size=(n, 8)) * spread
        matrix = (points + np.where(np.arange(n) % 2, 0.5, -0.5)[:, None]).astype(np.float32)
    photos = tuple(Photo(f"{index}.jpg", LABELS[index % 2], f"{index:064x}") for index in range(n))
    return Extraction(photos, matrix, (), n, 0, 0, "", {})


def train(
    bottlenecks: Extraction, division: Division, seen: list[Progress] | None = None, **options: Any
) -> TrainedHead:
    points = [] if seen is None else seen
    return train_head(bottlenecks_of(bottlenecks, LABELS), division, HeadConfig(**options), observe=points.append)


def sides(n: int) -> tuple[Any, ...]:
    return tuple((["training"] * 6 + ["validation", "testing"])[index // 2 % 8] for index in range(n))


def test_each_side_is_measured_on_its_own_photos() -> None:
    bottlenecks, seen = extraction(160), list[Progress]()
    trained = train(bottlenecks, Division(sides(160)), seen)
    assert trained.test_rows.tolist() == [row for row, side in enumerate(sides(160)) if side == "testing"]
    expected = trained.fit.head.probabilities(bottlenecks.matrix[trained.test_rows])
    assert np.allclose(trained.test_probabilities, expected, atol=1e-6)
    assert (trained.validation.n, trained.test.n) == (20, 20)
    assert trained.validation.cross_entropy == pytest.approx(
        min(point.validation_cross_entropy or 9 for point in trained.fit.curve), abs=1e-5
    )
    assert tuple(seen) == trained.fit.curve


def test_test_photos_teach_nothing() -> None:
    bottlenecks, division = extraction(160), Division(sides(160))
    kernel = train(bottlenecks, division).fit.head.kernel
    changed = bottlenecks.matrix.copy()
    changed[[side == "testing" for side in division.splits]] *= -100
    assert np.array_equal(train(extraction(160, matrix=changed), division).fit.head.kernel, kernel)


def test_cross_validation_tests_each_photo_once_and_keeps_the_strength_that_it_found() -> None:
    division = Division(("training",) * 60, tuple(index // 2 % 5 for index in range(60)))
    weak, strong = (train(extraction(60, spread), division).fit.description["l2"] for spread in (0.1, 10.0))
    # Strengths of the folds; without them both would be what is taken for want of validation photos.
    assert isinstance(weak, float)
    assert isinstance(strong, float)
    assert weak < L2_WITHOUT_VALIDATION < strong
    trained = train(extraction(60), division)
    assert (trained.test.n, trained.validation.n) == (60, 0)
    assert trained.test_rows.tolist() == list(range(60))
    # The head that is kept is the one of all photos.
    alone = train(extraction(60), Division(("training",) * 60), l2=trained.fit.description["l2"])
    np.testing.assert_allclose(trained.fit.head.kernel, alone.fit.head.kernel, atol=5e-3)


def test_mini_batches_in_folds_validate_on_the_next_one() -> None:
    division = Division(("training",) * 60, tuple(index // 2 % 5 for index in range(60)))
    trained = train(extraction(60), division, epochs=2)
    assert trained.test.n == trained.validation.n == 60


def test_answers_of_heads_that_share_photos_are_worth_fewer() -> None:
    """By mini-batches, too: the interval is that of n / 1.5 photos, and of fewer where takes are wrong together."""
    division = Division(("training",) * 60, tuple(index // 2 % 5 for index in range(60)), groups=tuple(range(60)))
    trained = train(extraction(60), division, epochs=2)
    for one in (trained.test, trained.validation):
        assert one.accuracy is not None and 0 < one.accuracy < 1
        assert one.interval == pytest.approx(wilson_interval(one.accuracy * 40, 40))
    right = trained.test_probabilities.argmax(axis=1) == trained.bottlenecks.classes
    groups = np.where(right, np.arange(60), 60)
    of_takes = train(extraction(60), replace(division, groups=tuple(groups.tolist())), epochs=2).test
    worth = 40 / effect_on_accuracy(right.astype(float), groups)
    assert of_takes.accuracy == right.mean() and worth < 20
    assert of_takes.interval == pytest.approx(wilson_interval(right.mean() * worth, worth))


@pytest.mark.parametrize("options", [{}, {"epochs": 2}])
def test_a_photo_without_another_of_its_class_is_not_tested(options: dict[str, Any]) -> None:
    trained = train(extraction(5), Division(("training",) * 5, (0, 1, 0, 2, 0)), **options)
    assert trained.test_rows.tolist() == [1, 3]
    assert [one.support for one in trained.test.classes] == [0, 2]
    assert trained.validation.n == (2 if options else 0)
    assert trained.validation_rows.tolist() == ([1, 3] if options else [])


def test_mini_batches_in_folds_may_have_nothing_to_test() -> None:
    trained = train(extraction(2), Division(("training",) * 2, (0, 1)), epochs=1)
    assert (trained.test.n, trained.validation.n, len(trained.test_rows)) == (0, 0, 0)


def test_steps_select_mini_batches() -> None:
    options = {"how_many_training_steps": 20, "train_batch_size": 8, "eval_step_interval": 5, "test_batch_size": 7}
    trained = train(extraction(160), Division(sides(160)), **options)
    assert trained.fit.description["optimizer"] == "sgd"
    assert [point.step for point in trained.fit.curve] == [0, 5, 10, 15, 19]
    assert trained.test.n == 20


def test_no_photo_to_train_on_is_a_sentence() -> None:
    nobody: Sequence[Any] = ("testing",) * 8
    with pytest.raises(DatasetError, match="pets leaves no photos for training"):
        train(extraction(8), Division(tuple(nobody)))


def views_of_two_photos_each(count: int, n: int = 160) -> tuple[Extraction, np.ndarray]:
    """Photos that say nothing, and views of them that tell the classes apart."""
    silent = extraction(n, matrix=np.random.default_rng(1).normal(size=(n, 8)).astype(np.float32))
    telling = np.where(np.arange(n) % 2, 3.0, -3.0)[:, None] + np.random.default_rng(2).normal(size=(n, 8))
    return silent, np.concatenate([silent.matrix, *[telling] * (count - 1)]).astype(np.float32)


@pytest.mark.parametrize("tta", [False, True])
def test_views_are_trained_on_and_photos_judged_by_themselves_unless_all_views_are_asked(tta: bool) -> None:
    bottlenecks, views = views_of_two_photos_each(3)
    division = Division(sides(160), None, ())
    trained = train_head(bottlenecks_of(bottlenecks, LABELS, views), division, tta=tta)
    assert trained.test.n == sum(side == "testing" for side in division.splits)
    # Two of three views give each photo away, the photo itself does not.
    assert (trained.test.accuracy == 1.0) == tta
    np.testing.assert_allclose(trained.test_probabilities.sum(axis=1), 1, atol=1e-5)


def test_no_view_of_a_held_out_photo_is_trained_on() -> None:
    bottlenecks, views = views_of_two_photos_each(2)
    division = Division(sides(160), None, ())
    known, config = bottlenecks_of(bottlenecks, LABELS, views), HeadConfig(l2=0.01)
    expected = train_head(known, division, config)
    for side, head_of in (("testing", lambda trained: trained.fit.head), ("validation", lambda t: t.validated_head)):
        held_out = np.tile(np.array(division.splits) == side, 2)
        views[held_out] = 1e3 * np.random.default_rng(3).normal(size=(held_out.sum(), 8))
        again = train_head(known, division, config)
        np.testing.assert_array_equal(head_of(again).kernel, head_of(expected).kernel)


def test_the_head_is_refitted_to_validation_photos_which_are_judged_by_the_one_before() -> None:
    bottlenecks, division = extraction(160), Division(sides(160))
    trained = train(bottlenecks, division)
    assert trained.fit.description["trained_on"] == "training and validation photos"
    assert trained.validated_head is not None
    assert not np.array_equal(trained.validated_head.kernel, trained.fit.head.kernel)
    assert trained.validation_rows.tolist() == [row for row, s in enumerate(division.splits) if s == "validation"]
    before = trained.validated_head.probabilities(bottlenecks.matrix[trained.validation_rows])
    np.testing.assert_allclose(trained.validation_probabilities, before, atol=1e-6)
    # The refit is the fit to all of these photos at the same strength.
    used = tuple("training" if side == "validation" else side for side in division.splits)
    whole = train(bottlenecks, Division(used), l2=trained.fit.description["l2"])
    assert "trained_on" not in whole.fit.description
    np.testing.assert_allclose(
        trained.test_probabilities, whole.test_probabilities, atol=0.02
    )  # both ended within a tolerance of the optimum, on slightly different scales


def test_where_photos_are_many_the_head_that_was_validated_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    bottlenecks, division = extraction(160), Division(sides(160))
    refitted = train(bottlenecks, division)
    monkeypatch.setattr("retrain.training.fitting.convergence.FEW_PHOTOS", 10)
    kept = train(bottlenecks, division)
    assert "trained_on" not in kept.fit.description
    assert kept.validated_head is kept.fit.head
    assert refitted.validated_head is not None
    np.testing.assert_array_equal(kept.fit.head.kernel, refitted.validated_head.kernel)


def test_mini_batches_are_not_refitted() -> None:
    options = {"how_many_training_steps": 20, "train_batch_size": 8, "eval_step_interval": 5}
    trained = train(extraction(160), Division(sides(160)), **options)
    assert trained.validated_head is trained.fit.head
    assert "trained_on" not in trained.fit.description


def test_views_are_cross_validated_together() -> None:
    bottlenecks, views = views_of_two_photos_each(2, 40)
    folds = tuple(index // 2 % 5 for index in range(40))
    trained = train_head(bottlenecks_of(bottlenecks, LABELS, views), Division(("training",) * 40, folds, ()), tta=True)
    assert trained.test.n == 40
    assert trained.test.accuracy is not None and trained.test.accuracy > 0.9


# Several backbones


@pytest.mark.parametrize(
    ("count", "options"),
    [
        (160, {}),
        (2000, {"l2": 0.1}),  # too many to be refitted
        (160, {"epochs": 3, "hidden_units": (4,), "train_batch_size": 20}),
        (160, {"class_weight": "balanced"}),
        (160, {"folds": 5}),
    ],
)
def test_no_backbone_counts_for_more_because_its_numbers_are_larger(count: int, options: dict[str, Any]) -> None:
    """The head takes what the network gives, in its own scale."""
    folds = options.pop("folds", None)
    division = Division(sides(count)) if folds is None else Division(
        ("training",) * count, tuple(index // 2 % folds for index in range(count))
    )  # fmt: skip
    small = extraction(count)
    large = replace(small, matrix=small.matrix * np.float32([1] * 3 + [1000] * 5))
    one, other, alone = (
        train(bottlenecks, division, **options)
        for bottlenecks in (replace(small, widths=(3, 5)), replace(large, widths=(3, 5)), large)
    )
    assert np.allclose(one.test_probabilities, other.test_probabilities, atol=2e-3)
    assert not np.allclose(one.test_probabilities, alone.test_probabilities, atol=2e-3)
    assert np.allclose(other.fit.head.probabilities(large.matrix), one.fit.head.probabilities(small.matrix), atol=2e-3)
