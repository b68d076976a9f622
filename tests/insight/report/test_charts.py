import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.insight.report.charts import (
    HEIGHT,
    WIDTH,
    learning_charts,
    reliability_chart,
    round_values,
    similarity_chart,
)
from retrain.training.fitting.convergence import L2_PATH
from retrain.training.head import Fit, Head, Progress
from retrain.training.metrics import Bin


def fitted(curve: list[Progress], optimizer: str = "sgd") -> Fit:
    return Fit(Head(np.zeros((2, 2), np.float32), np.zeros(2, np.float32)), {"optimizer": optimizer}, tuple(curve))


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
