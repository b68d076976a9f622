from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.insight.report.charts import (
    HEIGHT,
    WIDTH,
    plain,
    reliability_chart,
    round_values,
    similarity_chart,
)
from retrain.insight.report.learning import calibrated_losses, chosen_step, learning_charts, why_chosen
from retrain.training.fitting.convergence import L2_PATH, strength
from retrain.training.head import Fit, Head, Progress
from retrain.training.metrics import Bin


def fitted(curve: list[Progress], optimizer: str = "sgd", l2: float = 0.0) -> Fit:
    head = Head(np.zeros((2, 2), np.float32), np.zeros(2, np.float32))
    return Fit(head, {"optimizer": optimizer, "l2": l2}, tuple(curve))


STEPS = [Progress(step, 0.5 + step / 100, 2.0 - step / 50, 0.4, None if step else 1.9, 41) for step in (0, 20, 40)]


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-6, 1e6).filter(lambda span: span > 1e-5), whole=st.booleans())
def test_ticks_are_few_round_and_inside(low: float, span: float, whole: bool) -> None:
    values, texts = round_values(low, low + span, whole)
    slack = 1e-6 * max(1, abs(low), span)
    assert all(low - slack <= value <= low + span + slack for value in values)
    assert len(values) == len(texts) <= 7
    assert values == sorted(values)
    if whole:
        assert all(value == round(value) for value in values)
    elif span > 1e-6 * abs(low):
        assert len(values) >= 2


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60), st.floats(-1, 1))
def test_each_photo_is_in_one_column_on_its_side_of_the_threshold(values: list[float], threshold: float) -> None:
    similarities = np.array(values, np.float32)
    chart = similarity_chart(similarities, threshold)
    counted = {
        style: sum(int(bar.text.split()[0]) for bar in chart.bars if bar.style == style)
        for style in ("known", "unknown")
    }
    # At the threshold itself rounding may decide.
    near = np.isclose(similarities, threshold, atol=1e-6).sum()
    assert sum(counted.values()) == len(similarities)
    assert abs(counted["unknown"] - (similarities < threshold).sum()) <= near
    for bar in chart.bars:
        assert 0 <= bar.x <= WIDTH and bar.y >= 0 and bar.y + bar.height <= HEIGHT


def test_a_curve_has_a_line_for_each_side_and_leaves_out_what_was_not_measured() -> None:
    accuracy, loss = learning_charts(fitted(STEPS))
    assert [(line.name, len(line.dots)) for line in accuracy.lines] == [("training", 3), ("validation", 3)]
    assert [(line.name, len(line.dots)) for line in loss.lines] == [("training", 3), ("validation", 1)]
    assert [tick.text for tick in accuracy.x_ticks] == ["0", "10", "20", "30", "40"]
    heights = [dot.y for dot in accuracy.lines[0].dots]
    assert heights == sorted(heights, reverse=True)  # up is better


def test_a_path_of_penalties_is_labelled_with_them() -> None:
    curve = [Progress(step, 1.0, 0.1, 0.9, 0.3, len(L2_PATH)) for step in range(4)]
    chart = learning_charts(fitted(curve, "lbfgs"))[0]
    assert [tick.text for tick in chart.x_ticks] == [f"{l2:g}" for l2 in L2_PATH[:4]]
    assert "penalty" in chart.x_title


@pytest.mark.parametrize("points", [len(L2_PATH), len(L2_PATH) + 3])
def test_as_many_steps_as_penalties_are_steps_all_the_same(points: int) -> None:
    curve = [Progress(step, 1.0, 0.1, 0.9, 0.3, len(L2_PATH)) for step in range(points)]
    for chart in learning_charts(fitted(curve, "sgd")):
        assert chart.x_title == "step"
        assert chart.x_ticks[-1].text in ("6", "7", "10")


def test_one_point_is_no_curve() -> None:
    assert learning_charts(fitted(STEPS[:1])) is None
    assert learning_charts(fitted([])) is None


def test_dots_of_the_reliability_diagram_lie_at_their_figures() -> None:
    chart = reliability_chart((), [Bin(0.5, 0.6, 4, 0.55, 0.5), Bin(0.9, 1.0, 16, 1.0, 1.0)])
    (line,) = chart.lines
    first, last = line.dots
    assert (last.x, last.y) == (chart.right, chart.top)
    assert first.y == (chart.top + chart.bottom) / 2
    assert first.radius < last.radius
    assert len(reliability_chart([Bin(0.9, 1.0, 16, 0.9, 1.0)], [Bin(0.9, 1.0, 16, 1.0, 1.0)]).lines) == 2


# What was chosen


def path(accuracies: list[float], losses: list[float], l2: float) -> Fit:
    curve = [
        Progress(step, 1.0, 0.1, accuracy, loss, len(losses))
        for step, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True))
    ]
    return fitted(curve, "lbfgs", l2)


def trained_to(fit: Fit, **out_of_fold: object) -> SimpleNamespace:
    return SimpleNamespace(fit=fit, out_of_fold=SimpleNamespace(**out_of_fold) if out_of_fold else None)


def test_the_chosen_point_is_marked_in_both_charts() -> None:
    charts = learning_charts(path([0.7, 0.9, 0.8], [0.5, 0.3, 0.4], 0.3), calibrated=(0.4, 0.2, 0.3))
    for chart in charts:
        assert chart.rule.text == "chosen: 0.3" and chart.rule.anchor == "middle"
        marked = {line.style: [dot.chosen for dot in line.dots] for line in chart.lines}
        assert marked.pop("training") == [False, False, False]
        assert set(map(tuple, marked.values())) == {(False, True, False)}
        assert chart.rule.x == chart.lines[1].dots[1].x
        assert "chosen: 0.3" in chart.description
    assert [line.style for line in charts[1].lines] == ["training", "validation", "calibrated"]
    lowest = max(charts[1].lines[2].dots, key=lambda dot: dot.y)
    assert lowest.chosen


@pytest.mark.parametrize(("l2", "anchor"), [(1.0, "start"), (0.3, "middle"), (0.1, "end")])
def test_words_above_a_chart_stay_inside(l2: float, anchor: str) -> None:
    for chart in learning_charts(path([0.7] * 3, [0.5] * 3, l2)):
        assert chart.rule.anchor == anchor


def test_of_mini_batches_the_step_that_was_kept_is_marked() -> None:
    steps = [replace(one, validation_cross_entropy=loss) for one, loss in zip(STEPS, (1.0, 0.5, 0.8), strict=True)]
    accuracy, _ = learning_charts(fitted(steps))
    assert accuracy.rule.text == "chosen: step 20"
    never = [replace(one, validation_cross_entropy=None) for one in STEPS]
    assert learning_charts(fitted(never))[0].rule is None


def test_why_the_chosen_point_is_not_the_most_accurate_is_said() -> None:
    words = why_chosen(trained_to(path([0.90, 0.89, 0.8], [0.5, 0.3, 0.4], 0.3)))
    assert words.startswith("Accuracy alone would choose 1: 90.0% instead of 89.0%. Cross-entropy decides")
    assert "calibration" not in words
    assert why_chosen(trained_to(path([0.88, 0.89, 0.8], [0.5, 0.3, 0.4], 0.3))) == ""


@pytest.mark.parametrize(
    ("l2", "because"),
    [(1.0, "a stronger penalty makes answers too modest"), (0.1, "a weaker penalty makes answers too sure")],
)
def test_why_the_chosen_point_is_not_the_lowest_is_said(l2: float, because: str) -> None:
    words = why_chosen(trained_to(path([0.9] * 3, [0.5, 0.3, 0.4], l2)))
    assert words == (
        f"Before calibration the cross-entropy is lowest at 0.3: {because}, which calibration mends, so heads are "
        "compared after it."
    )


def test_the_calibrated_losses_are_means_over_deals_and_photos() -> None:
    fit = path([0.9] * 2, [0.5, 0.3], 1.0)
    losses = np.array([[[1.0, 3.0, 0.0], [0.0, 1.0, 0.0]], [[2.0, 2.0, 0.0], [1.0, 2.0, 0.0]]])
    judges = np.array([True, True, False])
    assert calibrated_losses(trained_to(fit, path=(1.0, 0.3), losses=losses, judges=judges)) == (2.0, 1.0)
    assert calibrated_losses(trained_to(fit)) == ()


def test_the_run_marks_the_strength_that_it_says(make_run) -> None:
    trained = make_run("abc", each=30, apart=0.5).trained
    fit = trained.fit
    assert strength(chosen_step(fit)) == fit.description["l2"]
    losses = calibrated_losses(trained)
    assert len(losses) == len(fit.curve) and int(np.argmin(losses)) == chosen_step(fit)


@pytest.mark.parametrize(("l2", "text"), [(1.0, "1"), (0.0003, "0.0003"), (3e-05, "0.00003"), (30.0, "30")])
def test_penalties_are_written_out(l2: float, text: str) -> None:
    assert plain(l2) == text


def test_the_threshold_is_written_above_all_bars() -> None:
    chart = similarity_chart(np.linspace(0.4, 0.6, 50).astype(np.float32), 0.5)
    assert chart.rule is not None and min(bar.y for bar in chart.bars) >= chart.top > 20
