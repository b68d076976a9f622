import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrain.training import metrics
from retrain.training.metrics import design_effect, effect_on_accuracy, measure, most_confused, wilson_interval

LABELS = ("cat", "dog", "cow")
TRUE = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
ANSWERS = np.array([0, 0, 0, 1, 1, 1, 0, 2, 0, 0])
# By hand: confusion [[3,1,0],[1,2,0],[2,0,1]], 6 of 10 right.


def certain(answers: np.ndarray, count: int = 3) -> np.ndarray:
    return np.eye(count, dtype=np.float32)[answers] * 0.8 + np.float32(0.2 / count)


# Published in Newcombe (1998), Wallis (2013), and from the closed form at 0 and n.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0000),
        (1, 1, 0.2065, 1.0000),
    ],
)
def test_wilson_interval_is_the_published_one(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=6e-5)


def test_no_trials_tell_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_is_inside_0_and_1_and_contains_the_share(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert low < high


@given(st.integers(0, 100), st.integers(1, 100))
def test_more_photos_of_the_same_share_narrow_the_interval(successes: int, failures: int) -> None:
    few = wilson_interval(successes, successes + failures)
    many = wilson_interval(10 * successes, 10 * (successes + failures))
    assert many[1] - many[0] < few[1] - few[0]


def test_confusion_and_class_metrics_by_hand() -> None:
    metrics = measure(certain(ANSWERS), TRUE, LABELS)
    assert metrics.confusion == ((3, 1, 0), (1, 2, 0), (2, 0, 1))
    assert (metrics.n, metrics.accuracy) == (10, 0.6)
    assert metrics.interval == wilson_interval(6, 10)
    cat, dog, cow = metrics.classes
    assert [entry.label for entry in metrics.classes] == list(LABELS)
    assert (cat.precision, cat.recall, cat.f1, cat.support) == (0.5, 0.75, pytest.approx(0.6), 4)
    assert (dog.precision, dog.recall, dog.f1, dog.support) == (2 / 3, 2 / 3, pytest.approx(2 / 3), 3)
    assert (cow.precision, cow.recall, cow.f1, cow.support) == (1.0, 1 / 3, 0.5, 3)


def test_cross_entropy_is_the_mean_of_the_logarithms() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32)
    metrics = measure(probabilities, np.array([0, 1]), LABELS)
    assert metrics.cross_entropy == pytest.approx((np.log(2) + np.log(10)) / 2, abs=1e-6)


def test_impossible_answer_costs_much_but_not_infinitely() -> None:
    metrics = measure(np.array([[1, 0, 0]], np.float32), np.array([1]), LABELS)
    assert 20 < metrics.cross_entropy < 40


def test_no_photos() -> None:
    metrics = measure(np.zeros((0, 3), np.float32), np.zeros(0, np.intp), LABELS)
    assert (metrics.n, metrics.accuracy, metrics.interval, metrics.cross_entropy) == (0, None, None, None)
    assert metrics.confusion == ((0, 0, 0),) * 3
    assert metrics.headline() == {"accuracy": None, "interval": None, "n": 0}
    assert str(metrics) == "no photos, so no accuracy"
    assert most_confused(metrics) == []


def test_class_that_is_never_answered_nor_present_has_zeros() -> None:
    metrics = measure(certain(np.array([0, 0])), np.array([0, 1]), LABELS)
    assert (metrics.classes[1].precision, metrics.classes[1].recall, metrics.classes[1].f1) == (0, 0, 0)
    assert (metrics.classes[2].precision, metrics.classes[2].f1, metrics.classes[2].support) == (0, 0, 0)


def test_most_confused_pairs_first_and_ties_by_name() -> None:
    metrics = measure(certain(ANSWERS), TRUE, LABELS)
    assert most_confused(metrics) == [("cow", "cat", 2), ("cat", "dog", 1), ("dog", "cat", 1)]
    assert most_confused(metrics, limit=1) == [("cow", "cat", 2)]


def test_metrics_are_shown_as_one_line() -> None:
    shown = str(measure(certain(ANSWERS), TRUE, LABELS))
    assert shown.startswith("accuracy 60.0% on 10 photos (95 % interval 31.3-83.2%), loss ")


def test_headline_is_plain_json() -> None:
    headline = measure(certain(ANSWERS), TRUE, LABELS).headline()
    assert headline == {"accuracy": 0.6, "interval": list(wilson_interval(6, 10)), "n": 10}
    assert all(type(value) is float for value in headline["interval"])


def test_top_k_averages_and_calibration_by_hand() -> None:
    metrics = measure(certain(ANSWERS), TRUE, LABELS)
    assert metrics.top_k.keys() == {1, 2}  # 3 of 3 is always right
    assert metrics.top_k[1] == metrics.accuracy
    # Each answer has a probability of 0.8 + 0.2 / 3, and 6 of 10 are right.
    assert metrics.ece == pytest.approx(0.8 + 0.2 / 3 - 0.6)
    assert [(entry.photos, entry.accuracy) for entry in metrics.reliability] == [(10, 0.6)]
    assert metrics.macro is not None and metrics.weighted is not None
    assert metrics.macro.recall == pytest.approx((3 / 4 + 2 / 3 + 1 / 3) / 3)
    assert metrics.weighted.recall == pytest.approx(0.6)  # the accuracy, always
    assert metrics.macro.precision == pytest.approx((3 / 6 + 2 / 3 + 1) / 3)


def test_top_k_counts_the_classes_that_are_more_probable() -> None:
    probabilities = np.array([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]], np.float32)
    metrics = measure(probabilities, np.array([1, 1]), ("a", "b", "c", "d"))
    assert metrics.top_k == {1: 0.0, 2: 0.5, 3: 1.0}


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(2, 4))
def test_roc_auc_and_averages_are_those_of_scikit_learn(seed: int, n: int, classes: int) -> None:
    import sklearn.metrics  # takes a second

    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    # Few different values, so that many are equal.
    probabilities = random.integers(1, 4, (n, classes)).astype(np.float32)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    metrics = measure(probabilities, truth, [str(index) for index in range(classes)])
    for index, entry in enumerate(metrics.classes):
        if 0 < entry.support < n:
            expected = sklearn.metrics.roc_auc_score(truth == index, probabilities[:, index])
            assert entry.roc_auc == pytest.approx(expected)
        else:
            assert entry.roc_auc is None
    present = np.unique(truth)
    answers = probabilities.argmax(axis=1)
    for name, ours in (("macro", metrics.macro), ("weighted", metrics.weighted)):
        theirs = sklearn.metrics.precision_recall_fscore_support(
            truth, answers, labels=present, average=name, zero_division=0
        )
        assert ours is not None
        assert (ours.precision, ours.recall, ours.f1) == pytest.approx(theirs[:3])


def test_calibration_error_by_chance_is_what_right_probabilities_show() -> None:
    random = np.random.default_rng(3)
    sure = random.uniform(0.5, 1, 400).astype(np.float32)
    probabilities = np.stack([sure, 1 - sure], axis=1)
    errors = [measure(probabilities, (random.random(400) > sure).astype(np.intp), ("a", "b")) for _ in range(30)]
    by_chance = errors[0].ece_by_chance
    assert by_chance == pytest.approx(np.mean([metrics.ece for metrics in errors]), rel=0.15)
    fewer = measure(probabilities[:50], np.zeros(50, np.intp), ("a", "b")).ece_by_chance
    assert by_chance is not None and fewer is not None and fewer > 1.5 * by_chance


def test_without_photos_nothing_is_claimed() -> None:
    metrics = measure(np.zeros((0, 3), np.float32), np.zeros(0, np.intp), LABELS)
    assert (metrics.ece, metrics.macro, metrics.weighted, metrics.top_k) == (None, None, None, {})
    assert all(entry.roc_auc is None for entry in metrics.classes)


def test_several_answers_to_a_photo_are_no_more_photos() -> None:
    lot = np.random.default_rng(0)
    classes = lot.integers(0, 3, 90)
    probabilities = lot.dirichlet(np.ones(3), 90).astype(np.float32)
    once = measure(probabilities, classes, "abc")
    twice = measure(np.stack([probabilities, probabilities]), classes, "abc")
    assert (twice.n, twice.accuracy, twice.interval) == (once.n, once.accuracy, once.interval)
    assert twice.ece == pytest.approx(once.ece) and twice.ece_by_chance == pytest.approx(once.ece_by_chance)
    assert np.array_equal(np.array(twice.confusion), 2 * np.array(once.confusion))
    assert [entry.support for entry in twice.classes] == [entry.support for entry in once.classes]
    assert most_confused(twice) == most_confused(once)
    assert sum(bin.photos for bin in twice.reliability) == 90


def test_interval_is_wider_where_photos_of_a_group_are_right_together() -> None:
    right = np.repeat(np.random.default_rng(0).random(40) < 0.8, 5)
    probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9]).astype(np.float32)
    classes, groups = np.zeros(200, np.intp), np.repeat(np.arange(40), 5)
    for effect in (design_effect, effect_on_accuracy):
        assert effect(right.astype(float), groups) == pytest.approx(5)
        assert effect(right.astype(float), np.arange(200)) == 1
    assert design_effect(np.ones(200), groups) == 1
    wide, narrow = (measure(probabilities, classes, "ab", at) for at in (groups, None))
    assert wide.accuracy == narrow.accuracy and wide.interval == wilson_interval(right.sum() / 5, 40)
    assert measure(probabilities, classes, "ab", None, 5.0).interval == wide.interval


def test_interval_covers_the_truth_where_photos_come_in_bursts() -> None:
    """Bursts of 5 in which photos are alike: the plain interval is too narrow, the one by groups is not."""
    lot, covered = np.random.default_rng(0), np.zeros(2)
    for _ in range(400):
        right = np.where(lot.random(250) < 0.4, np.repeat(lot.random(50) < 0.9, 5), lot.random(250) < 0.9)
        probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9]).astype(np.float32)
        for place, groups in enumerate((None, np.repeat(np.arange(50), 5))):
            low, high = measure(probabilities, np.zeros(250, np.intp), "ab", groups).interval or (0, 0)
            covered[place] += low <= 0.9 <= high
    assert covered[0] / 400 < 0.89 < 0.91 < covered[1] / 400


def test_takes_that_are_all_right_are_worth_their_subjects() -> None:
    """Nothing tells how alike they are; one that is wrong, among subjects that are right, tells little."""
    groups = np.repeat(np.arange(4), 30)
    for same in (np.zeros(120), np.ones(120), np.full(120, 0.75)):
        assert effect_on_accuracy(same, groups) == pytest.approx(30)
    assert effect_on_accuracy((np.arange(120) > 0).astype(float), groups) == pytest.approx((1 + 30) / 2)
    probabilities = np.tile(np.array([0.9, 0.1], np.float32), (120, 1))
    assert measure(probabilities, np.zeros(120, np.intp), "ab", groups).interval == wilson_interval(4, 4)


@pytest.mark.parametrize("accuracy", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("alike", [0.02, 0.3, 0.7, 0.999])
@pytest.mark.parametrize(("subjects", "takes"), [(5, 20), (20, 10), (60, 5)])
def test_interval_covers_the_truth_however_alike_takes_are(
    subjects: int, takes: int, alike: float, accuracy: float
) -> None:
    """`alike` is the correlation of two answers to one subject, whose accuracies have a beta distribution."""
    random, groups, covered = np.random.default_rng(0), np.repeat(np.arange(subjects), takes), 0
    rest = 1 / alike - 1
    for _ in range(300):
        chances = random.beta(accuracy * rest, (1 - accuracy) * rest, subjects)
        right = (random.random(len(groups)) < chances[groups]).astype(float)
        worth = len(groups) / effect_on_accuracy(right, groups)
        low, high = wilson_interval(right.mean() * worth, worth)
        covered += low <= accuracy <= high
    assert covered / 300 > 0.9


def test_answers_to_many_photos_are_sorted_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    said, classes = random.dirichlet(np.ones(6), 100).astype(np.float32), random.integers(0, 6, 100)
    whole = measure(said, classes, tuple("abcdef"))
    monkeypatch.setattr(metrics, "BLOCK", 7)
    assert measure(said, classes, tuple("abcdef")) == whole and len(whole.top_k) == 4
