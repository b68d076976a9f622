import html
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from retrain.core.errors import ExportError
from retrain.insight.report.charts import HEIGHT, WIDTH, Chart, Measured, penalty_chart
from retrain.insight.report.sweep_page import AT_ONCE, strengths_charts, sweep_html, why_chosen, write_sweep_page
from retrain.photos.source import SourceConfig
from retrain.photos.split import SplitConfig
from retrain.runs.sweep import Sweep, SweepConfig
from retrain.training.grid import Grid

GRID = Grid(("small", "big", "small+big"), {}, l2=(1.0, 0.1, 0.01), hidden_units=((), (64, 32), (8,)))
ONE = Grid(("small",), {}, l2=(1.0, 0.1, 0.01))


COMMAND, TABLE = "retrain --image_dir 'my cats' --l2 0.1", Path("s.csv")


def config_of(image_dir: str, max_images_per_class: int | None = None, fixes: Path | None = None, **split: object):
    """What was asked for; the grid is not looked at."""
    return SweepConfig(SourceConfig(Path(image_dir), max_images_per_class, fixes), ONE, split=SplitConfig(**split))


def page_of(sweep: Sweep, image_dir: str = "photos/my cats", **options: object) -> str:
    """The page, which needs nothing beside it and runs nothing."""
    page = sweep_html(sweep, config_of(image_dir, **options), COMMAND, TABLE)
    assert page.startswith("<!doctype html>\n")
    links = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert len(links) >= 4 and all(link.startswith(("#", "data:")) for link in links)
    assert {link[1:] for link in links if link[0] == "#"} <= set(re.findall(r'id="([^"]*)"', page))
    assert "<script" not in page and "url(" not in page and "@import" not in page
    return page


def text_of(page: str) -> str:
    words = re.sub("<[^>]*>", " ", page.replace("<wbr>", "").partition("<body>")[2])
    return re.sub(" ([,;.])", r"\1", " ".join(html.unescape(words).split()))


def rows_of(page: str) -> list[str]:
    """The text of each line of the table."""
    return [text_of(f"<body>{row}") for row in re.findall("<tr.*?</tr>", page) if "<td" in row]


def test_the_choice_and_how_to_train_it(make_sweep) -> None:
    sweep = make_sweep(GRID)
    text = text_of(page_of(sweep))
    low, high = sweep.test.interval
    assert f"{sweep.test.accuracy:.1%} of 40 test photos" in text
    assert f"between {low:.1%} and {high:.1%} (95% interval" in text
    assert "that was chosen: small, linear, lbfgs, l2 1." in text
    assert "retrain --image_dir 'my cats' --l2 0.1" in text


def test_what_was_tried(make_sweep) -> None:
    text = text_of(page_of(make_sweep(GRID), seed=7, testing_percentage=15))
    assert "photos 400 360 to choose by, 40 test" in text
    assert "configurations 27 each in 5-fold" in text
    assert "40 photos for testing, the other 360 in 5 folds; seed 7" in text
    assert "small 1,234 features; big 1,234 features; small+big 1,234 features" in text
    assert "heads linear, hidden 8, hidden 64-32 optimizers adam, lbfgs L2 penalties 1, 0.1, 0.01" in text
    assert "classes cat, dog" in text and "table s.csv" in text


def test_all_lines_are_there_and_those_that_are_hardly_different_are_marked(make_sweep) -> None:
    sweep = make_sweep(GRID)
    rows = rows_of(page_of(sweep))
    assert [row.split()[0] for row in rows] == [str(rank) for rank in range(1, 28)]
    assert rows[0] == "1 small linear, lbfgs, l2 1 chosen 0.4000 – 99.50 0.25"
    assert rows[1].endswith(" hardly different 0.4100 +0.0100 ± 0.0100 98.50 0.25")
    assert ["hardly different" in row for row in rows] == [False, True, True] + 24 * [False]
    assert "hardly different 2 others are within two standard errors" in text_of(page_of(sweep))


def test_a_line_below_one_that_differs_may_be_hardly_different(make_sweep) -> None:
    """Heads that answer alike differ by less than others of the same cross-entropy."""
    sweep = make_sweep(GRID)
    results = list(sweep.results)
    results[1] = replace(results[1], difference_error=0.001)
    marked = ["hardly different" in row for row in rows_of(page_of(replace(sweep, results=tuple(results))))]
    assert marked == [False, False, True] + 24 * [False]


def test_many_lines_are_below_a_heading_that_opens(make_sweep) -> None:
    strengths = tuple(1 / place for place in range(1, AT_ONCE + 3))
    page = page_of(make_sweep(replace(ONE, l2=strengths)))
    shown, _, more = page.partition("<details>")
    assert len(rows_of(shown)) == AT_ONCE
    assert [row.split()[0] for row in rows_of(more)] == [str(AT_ONCE + 1), str(AT_ONCE + 2)]
    assert "The other 2 configurations" in more


def test_balanced_heads_have_a_mean_recall(make_sweep) -> None:
    assert "mean recall" not in page_of(make_sweep(ONE))
    page = page_of(make_sweep(replace(ONE, class_weights=(None, "balanced"))))
    assert "mean recall" in page and rows_of(page)[1].endswith(" 89.00 0.25")


def test_a_training_that_diverged_has_no_figures(make_sweep) -> None:
    grid = replace(ONE, l2=(), hidden_units=((8,),), learning_rates=(0.1, 9.0))
    page = page_of(make_sweep(grid))
    assert rows_of(page)[1] == "2 small hidden 8, adam, learning rate 9 diverged – – 0.25"
    assert "nan" not in text_of(page) and "inf" not in text_of(page).split()


def test_without_test_photos_there_is_no_accuracy(make_sweep) -> None:
    text = text_of(page_of(make_sweep(ONE, tested=0)))
    assert "no test photos" in text and "of 0 test photos" not in text


def test_a_thousand_classes_are_not_all_named(make_sweep) -> None:
    text = text_of(page_of(make_sweep(ONE, labels=[f"class {n:03}" for n in range(1000)])))
    assert "class 039 and 960 more" in text and "class 040" not in text


def test_names_are_shown_and_never_obeyed(make_sweep) -> None:
    page = page_of(make_sweep(ONE, labels=("<script>alert(1)</script>", "&amp;")), image_dir="<b>cats</b>\udcff")
    assert "<script>alert(1)</script>, &amp;" in text_of(page)
    assert r"<b>cats</b>\xff" in text_of(page)


# The charts


def drawn(charts: tuple[Chart, ...]) -> list[list[str]]:
    return [[line.name for line in chart.lines] for chart in charts]


def test_each_backbone_and_number_of_views_has_its_charts(make_sweep) -> None:
    grid = replace(GRID, class_weights=(None, "balanced"))
    found = strengths_charts(make_sweep(grid, views=(4, 1)).results)
    assert [(one.architecture, one.views) for one in found] == [
        (name, views) for name in ("small", "big", "small+big") for views in (1, 4)
    ]
    assert all(drawn(one.charts) == [["linear", "balanced"]] * 2 for one in found)
    assert all(len(line.dots) == 3 for one in found for chart in one.charts for line in chart.lines)
    assert len({one.charts[0].y_ticks for one in found}) == 1  # they can be compared
    chosen = [
        dot for one in found for chart in one.charts for line in chart.lines for dot in line.dots if dot.radius > 3
    ]
    assert [dot.text.endswith(", chosen") for dot in chosen] == [True, True]


def test_a_single_penalty_and_mini_batches_have_no_chart(make_sweep) -> None:
    for grid in (replace(ONE, l2=(0.1,)), replace(ONE, hidden_units=((8,),))):
        sweep = make_sweep(grid)
        assert strengths_charts(sweep.results) == ()
        assert "<svg" not in page_of(sweep) and "#strengths" not in page_of(sweep)


def test_penalties_go_from_strong_to_weak_and_errors_end_at_what_can_be() -> None:
    measured = [Measured(1.0, 0.7, 0.1), Measured(0.1, 0.95, 0.1, chosen=True), Measured(0.01, 0.8, 0.1)]
    chart = penalty_chart("accuracy", {"linear": measured}, measured, most=1.0)
    dots = chart.lines[0].dots
    assert [tick.text for tick in chart.x_ticks] == ["1", "0.1", "0.01"]
    assert [dot.x for dot in dots] == [tick.at for tick in chart.x_ticks]
    assert dots[1].x - dots[0].x == pytest.approx(dots[2].x - dots[1].x, abs=0.2)
    assert dots[1].y < dots[2].y < dots[0].y  # up is better
    for dot, one in zip(dots, measured, strict=True):
        top, bottom = dot.reach
        assert 0 < top <= dot.y <= bottom < HEIGHT and 0 < dot.x < WIDTH
        assert (bottom - dot.y == pytest.approx(dot.y - top, abs=0.2)) == (one.mean + one.error <= 1)


def test_penalties_that_lie_close_share_a_label() -> None:
    measured = [Measured(1 / place, 0.5, 0.1) for place in range(1, 100)]
    ticks = penalty_chart("accuracy", {"linear": measured}, measured).x_ticks
    assert len(ticks) >= 4
    assert min(right.at - left.at for left, right in pairwise(ticks)) >= 30


@pytest.mark.parametrize("figure", [0.0, 0.9868, 1.0])
@pytest.mark.parametrize("apart", [0.0, 1e-16])
def test_equal_figures_without_errors_are_drawn_near_themselves(figure: float, apart: float) -> None:
    measured = [Measured(l2, abs(figure - apart * l2), 0.0) for l2 in (1.0, 0.1)]
    ticks = penalty_chart("accuracy", {"linear": measured}, measured, most=1.0).y_ticks
    values = [float(tick.text) for tick in ticks]
    assert 2 <= len(set(values)) == len(ticks)
    assert all(0 <= value <= 1 and abs(value - figure) < 0.011 for value in values)


# The file


def test_a_page_replaces_the_one_before_and_nothing_else(make_sweep, tmp_path: Path) -> None:
    path, asked = tmp_path / "new" / "sweep.html", (config_of("cats"), COMMAND, TABLE)
    write_sweep_page(path, make_sweep(ONE), *asked)
    write_sweep_page(path, make_sweep(GRID), *asked)
    assert "small+<wbr>big" in path.read_text(encoding="utf-8")
    path.write_text("mine")
    with pytest.raises(ExportError, match=r"`report` .* not a page of this project"):
        write_sweep_page(path, make_sweep(ONE), *asked)
    assert path.read_text() == "mine"
    assert [found.name for found in path.parent.iterdir()] == ["sweep.html"]


def test_a_choice_that_is_not_the_most_accurate_is_explained(make_sweep) -> None:
    sweep = make_sweep(ONE)
    assert why_chosen(sweep.results) == "" and "Accuracy alone" not in page_of(sweep)
    better = replace(sweep.results[1], accuracy=0.999)
    other = replace(sweep, results=(sweep.results[0], better, *sweep.results[2:]))
    assert "Accuracy alone would choose line 2: 99.90% instead of 99.50%. Cross-entropy decides" in text_of(
        page_of(other)
    )


def test_no_error_ends_at_an_edge(make_sweep) -> None:
    for one in strengths_charts(make_sweep(GRID).results):
        for chart in one.charts:
            reaches = [dot.reach for line in chart.lines for dot in line.dots]
            assert min(top for top, _ in reaches) > chart.top and max(bottom for _, bottom in reaches) < chart.bottom
            assert chart.rule is None or chart.rule.text.startswith("chosen: ")
