"""What more photos would bring is foretold as it comes, and where nothing can be told that is said."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pytest
from extracting import FAKE

from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.extraction import Extraction
from retrain.photos.dataset import Dataset, Photo
from retrain.photos.split import SplitConfig
from retrain.runs import more_photos
from retrain.runs.more_photos import MorePhotos, what_more_would_bring
from retrain.training.trained import TrainedHead
from retrain.training.whole_training import train_and_measure

LABELS = ("a", "b", "c")
FEATURES = 40


def drawn(counts: Sequence[int], seed: int = 0, apart: float = 0.35, features: int = FEATURES) -> Bottlenecks:
    """Classes that overlap, with so many photos each."""
    centres = np.random.default_rng(99).normal(0, apart, (len(LABELS), features))
    random = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(counts)), counts)
    matrix = (centres[classes] + random.normal(0, 1, (len(classes), features))).astype(np.float32)
    names = [hashlib.sha256(f"{seed} {row}".encode()).hexdigest() for row in range(len(classes))]
    photos = [Photo(f"{sha}.jpg", LABELS[index], sha) for sha, index in zip(names, classes, strict=True)]
    return of(photos, matrix)


def of(photos: Sequence[Photo], matrix: np.ndarray) -> Bottlenecks:
    extraction = Extraction(tuple(photos), matrix, (), len(photos), 0, 0, "", {})
    return Bottlenecks(Dataset(()), FAKE, extraction, matrix, tuple(sorted({photo.label for photo in photos})))


def trained_on(bottlenecks: Bottlenecks, split: SplitConfig = SplitConfig()) -> TrainedHead:
    return train_and_measure(bottlenecks, split.divide(bottlenecks.photos))


def told_of(bottlenecks: Bottlenecks) -> MorePhotos:
    return what_more_would_bring(trained_on(bottlenecks))


def true_accuracy(trained: TrainedHead) -> float:
    """On very many photos that the head has not seen."""
    others = drawn([2000] * 3, seed=5)
    return float((trained.head.probabilities(others.matrix).argmax(axis=1) == others.classes).mean())


def test_the_curve_rises_to_the_quoted_accuracy() -> None:
    trained = trained_on(drawn([80] * 3))
    more = what_more_would_bring(trained)
    assert [point.photos for point in more.curve] == [30, 60, 120, 240]
    accuracies = [point.accuracy for point in more.curve]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] == trained.test.accuracy
    assert (more.curve[-1].low, more.curve[-1].high) == trained.test.interval
    assert all(point.low < point.accuracy < point.high for point in more.curve)


def test_what_is_foretold_of_twice_the_photos_comes() -> None:
    few, many = ([trained_on(drawn([each] * 3, seed)) for seed in range(4)] for each in (50, 100))
    came = np.mean([true_accuracy(trained) for trained in many]) - np.mean([true_accuracy(trained) for trained in few])
    twice = [what_more_would_bring(trained).twice for trained in few]
    assert 0.01 < came < 0.06
    assert np.mean([gain.gain for gain in twice]) == pytest.approx(came, abs=0.01)
    assert all(gain.low < came < gain.high for gain in twice)


def test_a_class_with_few_photos_is_the_one_that_lacks_them() -> None:
    more = told_of(drawn([100, 100, 20]))
    accuracies = [one.accuracy.gain for one in more.classes]
    assert [one.photos for one in more.classes] == [100, 100, 20]
    assert int(np.argmax(accuracies)) == 2
    assert more.classes[2].recall.gain > 0.05
    assert more.classes[2].recall.is_told


def test_where_nothing_is_left_to_learn_a_class_can_only_become_more_frequent() -> None:
    more = told_of(drawn([200, 200], apart=1.0, features=1))
    for one in more.classes:
        assert one.recall.is_told
        assert one.recall.gain > 0.05
        assert not one.accuracy.is_told
    assert not more.twice.is_told


def test_of_a_class_with_very_few_photos_nothing_is_told() -> None:
    more = told_of(drawn([60, 60, 4]))
    assert more.classes[2].photos == 4
    assert more.classes[2].accuracy is more.classes[2].recall is None
    assert more.classes[0].accuracy is not None
    json.dumps(more.plain(), allow_nan=False)
    plain = more.plain()["classes"]
    assert [(one["label"], one["gain"]) for one in plain] == [
        (one.label, one.accuracy.gain) for one in more.classes[:2]
    ]


@pytest.mark.parametrize("counts", [[1, 1, 1], [2, 1, 1], [2, 2, 2], [3, 3, 3], [30, 1, 2]])
def test_a_handful_of_photos_is_no_trouble(counts: Sequence[int]) -> None:
    more = told_of(drawn(counts))
    assert [one.photos for one in more.classes] == list(counts)
    assert all(one.accuracy is None for one in more.classes[1:])
    json.dumps(more.plain(), allow_nan=False)


def test_copies_do_not_make_it_surer() -> None:
    once = drawn([60] * 3)
    photos = [Photo(f"{copy}-{one.path}", one.label, one.sha256) for copy in range(4) for one in once.photos]
    copied = told_of(of(photos, np.tile(once.matrix, (4, 1))))
    plain = told_of(once)
    assert copied.twice.high - copied.twice.low > 0.7 * (plain.twice.high - plain.twice.low)


def test_nothing_is_told_of_one_split() -> None:
    more = what_more_would_bring(trained_on(drawn([60] * 3), SplitConfig(folds=0)))
    assert more.curve == ()
    assert more.twice is None
    assert [(one.label, one.photos, one.accuracy) for one in more.classes] == [(label, 60, None) for label in LABELS]


def test_what_would_take_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = trained_on(drawn([60] * 3))
    a_head = 180 * FEATURES * 3
    monkeypatch.setattr(more_photos, "MOST_WORK", a_head * 5 * 4)  # enough for the curve
    more = what_more_would_bring(trained)
    assert len(more.curve) == 4
    assert more.twice is not None
    assert all(one.accuracy is None for one in more.classes)
    monkeypatch.setattr(more_photos, "MOST_WORK", a_head)
    assert what_more_would_bring(trained).curve == ()


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[tuple[int, int]] = []
    what_more_would_bring(trained_on(drawn([30] * 3)), lambda done, total: told.append((done, total)))
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len({total for _, total in told}) == 1
