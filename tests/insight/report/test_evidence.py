import re
from dataclasses import replace

import numpy as np
import pytest

from retrain.insight.report.evidence import Evidence, confusion_of
from retrain.insight.report.page import report_html
from retrain.runs.train import Run
from retrain.training.metrics import effect_on_accuracy, measure, wilson_interval


def cosine(run: Run, one: int, other: int) -> float:
    a, b = run.extraction.matrix[one], run.extraction.matrix[other]
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def row_of(run: Run, path: str) -> int:
    return next(row for row, photo in enumerate(run.extraction.photos) if photo.path == path)


@pytest.fixture
def run(make_run) -> Run:
    return make_run("abcde", each=30, apart=0.2, testing_percentage=40)


def test_the_worst_mistakes_are_those_whose_class_was_believed_least(run: Run) -> None:
    mistakes = Evidence(run).worst_mistakes(5)
    index_of = {label: index for index, label in enumerate(run.labels)}
    losses = []
    for row, probabilities in zip(run.trained.test_rows, run.trained.test_probabilities, strict=True):
        own = index_of[run.extraction.photos[row].label]
        if probabilities.argmax() != own:
            losses.append((float(probabilities[own]), int(row)))
    assert [mistake.prediction.row for mistake in mistakes] == [row for _, row in sorted(losses)[:5]]
    assert not any(mistake.prediction.right for mistake in mistakes)
    assert [mistake.prediction.own for mistake in mistakes] == [own for own, _ in sorted(losses)[:5]]


def test_neighbours_are_the_nearest_photos_that_were_trained_on(run: Run) -> None:
    trained_on = [row for row, side in enumerate(run.division.splits) if side != "testing"]
    for mistake in Evidence(run).worst_mistakes(4):
        best = sorted(trained_on, key=lambda row: -cosine(run, mistake.prediction.row, row))[:3]
        assert [row_of(run, near.path) for near in mistake.neighbours] == best
        assert mistake.neighbours[0].cosine == pytest.approx(cosine(run, mistake.prediction.row, best[0]), abs=1e-5)


def test_in_cross_validation_no_neighbour_is_of_the_photos_own_fold(make_run) -> None:
    run = make_run("abcdefgh", each=2, apart=0.1)
    folds = run.division.folds
    mistakes = Evidence(run).worst_mistakes()
    assert mistakes
    for mistake in mistakes:
        assert len(mistake.neighbours) == 3
        assert folds[mistake.prediction.row] not in [folds[row_of(run, near.path)] for near in mistake.neighbours]


def test_a_confused_pair_has_its_mistaken_photos_and_lookalikes_of_the_other_class(run: Run) -> None:
    pairs = Evidence(run).confused_pairs()
    assert pairs
    for pair in pairs:
        assert all((one.label, one.answers[0].label) == (pair.true, pair.predicted) for one in pair.mistaken)
        assert len(pair.mistaken) == min(4, pair.photos)
        assert {near.label for near in pair.lookalikes} == {pair.predicted}
        assert len({near.path for near in pair.lookalikes}) == 4
        support = next(entry.support for entry in run.trained.test.classes if entry.label == pair.true)
        assert pair.share == pair.photos / support
    assert [pair.photos for pair in pairs] == sorted((pair.photos for pair in pairs), reverse=True)


def test_mistakes_and_pairs_are_those_of_the_mean_answers(make_run) -> None:
    """Of several answers to each photo: their photos are the ones that are shown."""
    run = make_run("abcde", each=30, apart=0.2)
    test, evidence = run.trained.test, Evidence(run)
    wrong = int((run.trained.test_probabilities.argmax(axis=1) != run.trained.bottlenecks.classes).sum())
    assert test.answers > 1 and round(test.n * (1 - test.accuracy)) != wrong
    assert evidence.mistaken == wrong
    pairs = evidence.confused_pairs(100)
    assert sum(pair.photos for pair in pairs) == wrong
    assert all(len(pair.mistaken) == min(4, pair.photos) > 0 for pair in pairs)
    words = " ".join(re.sub(r"<[^>]+>", " ", report_html(run)).split())
    assert f"{wrong} of 150 test photos are mistaken; these are the 12 whose own class was believed least." in words
    assert f" Of the {test.answers} answers to each photo the mean counts here. " in words


def test_predictions_are_spread_over_the_classes_and_sorted_within(run: Run) -> None:
    predictions = Evidence(run).predictions(10)
    assert len({one.row for one in predictions}) == 10
    assert {one.label for one in predictions} == set("abcde")
    for one in predictions:
        probabilities = [answer.probability for answer in one.answers]
        assert probabilities == sorted(probabilities, reverse=True)


def test_class_rows_begin_with_the_weakest(run: Run) -> None:
    rows = Evidence(run).class_rows()
    assert [row.f1 for row in rows] == sorted(row.f1 for row in rows)
    assert sum(row.tested for row in rows) == run.trained.test.n
    assert sum(row.trained for row in rows) == len(run.extraction.photos) - run.trained.test.n
    for row in rows:
        assert row.interval[0] <= row.recall <= row.interval[1]


def test_the_interval_of_a_class_is_that_of_what_its_photos_are_worth(make_run) -> None:
    """By n / 1.5 where folds take turns, and fewer where its photos are takes; of several answers none is rounded."""
    run = make_run("abc", each=30, apart=0.3)
    for row in Evidence(run).class_rows():
        assert row.interval == pytest.approx(wilson_interval(row.recall * 20, 20))
    assert any(row.recall * 30 % 1 for row in Evidence(run).class_rows())
    takes = tuple(place // 6 for place in range(90))
    division = replace(run.division, groups=takes)
    of_takes = Evidence(replace(run, trained=replace(run.trained, division=division))).class_rows()
    right = (run.trained.out_of_fold.quoted().argmax(axis=-1) == run.trained.bottlenecks.classes).mean(axis=0)
    of_class = dict(zip("abc", np.split(right, 3), strict=True))
    effects = {name: effect_on_accuracy(right, np.arange(30) // 6) for name, right in of_class.items()}
    assert max(effects.values()) > 1.1
    for row in of_takes:
        worth = 20 / effects[row.label]
        assert row.interval == pytest.approx(wilson_interval(row.recall * worth, worth))


def test_a_run_without_test_photos_has_nothing_to_show(make_run) -> None:
    evidence = Evidence(make_run("ab", testing_percentage=0))
    assert evidence.predictions() == evidence.worst_mistakes() == evidence.confused_pairs() == ()
    assert [(row.tested, row.interval) for row in evidence.class_rows()] == [(0, None), (0, None)]


def test_without_photos_trained_on_there_are_no_neighbours(run: Run) -> None:
    splits = tuple("testing" for _ in run.division.splits)
    (mistake, *_) = Evidence(
        replace(run, trained=replace(run.trained, division=replace(run.division, splits=splits)))
    ).worst_mistakes()
    assert mistake.neighbours == ()


def test_of_many_classes_the_most_confused_are_kept_in_their_order() -> None:
    classes = np.repeat(np.arange(50), 2)
    answers = classes.copy()
    answers[[8, 60, 61]] = [7, 31, 40]  # class 4 for 7, class 30 for 31 and 40
    metrics = measure(np.eye(50, dtype=np.float32)[answers], classes, [f"c{i}" for i in range(50)])
    confusion = confusion_of(metrics, widest=5)
    assert [row.label for row in confusion.rows] == ["c4", "c7", "c30", "c31", "c40"]
    assert confusion.partial
    assert confusion.rows[0].counts == (1, 1, 0, 0, 0)
    assert confusion.rows[0].shares == (0.5, 0.5, 0, 0, 0)
    assert [row.others for row in confusion.rows] == [0] * 5
    assert not confusion_of(metrics, widest=50).partial


def test_of_many_classes_those_are_kept_that_are_mistaken_for_each_other() -> None:
    """Classes that are mistaken more often, but each time for another class, would make an empty matrix."""
    classes = np.repeat(np.arange(50), 4)
    answers = classes.copy()
    answers[:16] = np.arange(20, 36)  # classes 0 to 3, for sixteen others
    answers[40:43], answers[48:50] = 11, 13  # 10 for 11 three times, 12 for 13 twice
    metrics = measure(np.eye(50, dtype=np.float32)[answers], classes, [f"c{i}" for i in range(50)])
    rows = confusion_of(metrics, widest=5).rows
    assert [row.label for row in rows] == ["c0", "c10", "c11", "c12", "c13"]
    assert rows[1].counts == (0, 1, 3, 0, 0) and rows[3].counts == (0, 0, 0, 2, 2)
    assert [row.others for row in rows] == [4, 0, 0, 0, 0]
