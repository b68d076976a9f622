"""Pages in Debian's Chromium, without a window: what it says of them, and what they ask for."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from frames import driven

from retrain.insight.report.evidence import confusion_of
from retrain.insight.report.page import report_html
from retrain.insight.report.sweep_page import sweep_html
from retrain.photos.source import SourceConfig
from retrain.runs.sweep import SweepConfig
from retrain.training.grid import Grid

pytestmark = pytest.mark.browser
WIDTHS = (390, 1280)  # a phone, a desktop
LOOK = """
  const asked = view.performance.getEntriesByType("resource").map(entry => entry.name);
  return {
    asked: asked.filter(name => !name.startsWith("data:")),
    broken: [...page.images].filter(image => !image.naturalWidth).length,
    images: page.images.length,
    width: page.documentElement.scrollWidth,
    text: page.body.innerText,
    cut: [...page.querySelectorAll("th, td, bdi, figcaption, button, .scroll")]
      .filter(one => one.offsetParent && one.scrollWidth > one.clientWidth + 1 && one.clientWidth)
      .map(one => one.innerText || one.outerHTML),
  };
"""


@dataclass(frozen=True)
class Opened:
    """What the browser found, and what it said on its console."""

    asked: list[str]
    broken: int
    images: int
    width: int
    text: str
    cut: list[str]
    console: list[str]


def open_page(browser: str, server, page: str, width: int, profile: Path) -> Opened:
    found, console = driven(browser, server, page, LOOK, width, profile)
    return Opened(**found, console=console)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_opens_without_errors_and_asks_for_nothing(make_run, browser, server, tmp_path, width) -> None:
    names = ["<script>alert(1)</script>", "Gato de São Luís 🐈", "a_class_with_a_long_name_and_no_spaces_" * 3, "d"]
    run = make_run(names, each=40, apart=0.3, painted=True)
    opened = open_page(browser, server, report_html(run), width, tmp_path / "profile")
    assert opened.console == []
    assert opened.asked == []
    assert sorted(set(server.asked)) == ["/frame.html", "/page.html"]
    assert opened.images > 24 and opened.broken == 0
    assert opened.width <= width  # nothing sticks out to the side
    assert "Worst mistakes" in opened.text and names[0] in opened.text
    assert opened.cut == []  # nor has anything to be moved to be read


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_a_sweep_opens_without_errors_and_asks_for_nothing(
    make_sweep, browser, server, tmp_path, width
) -> None:
    backbones = ("mobilenet_v2_1.0_224", "a_backbone_with_a_long_name_" * 2 + "+mobilenet_v2_1.0_224")
    grid = Grid(backbones, {}, hidden_units=((), (512, 256)), class_weights=(None, "balanced"))
    config = SweepConfig(SourceConfig(Path("cats" * 30)), grid)
    sweep = make_sweep(grid, labels=["<script>alert(1)</script>", "dog" * 30])
    page = sweep_html(sweep, config, "retrain --image_dir 'my cats' --l2 0.1", Path("s.csv"))
    opened = open_page(browser, server, page, width, tmp_path / "profile")
    assert opened.console == []
    assert opened.asked == []
    assert sorted(set(server.asked)) == ["/frame.html", "/page.html"]
    assert opened.width <= width
    assert opened.cut == []
    assert "How strong a penalty" in opened.text and "<script>alert(1)</script>" in opened.text


@pytest.mark.parametrize("classes", [102, 1000])
def test_many_classes_are_readable_on_a_phone(make_run, browser, server, tmp_path, classes) -> None:
    names = [f"a_class_with_a_rather_long_name_{number:04}" for number in range(classes)]
    run = make_run(names, each=3, apart=0.3, testing_percentage=34, l2=1.0)
    opened = open_page(browser, server, report_html(run), 390, tmp_path / "profile")
    assert opened.console == [] and opened.cut == []
    assert opened.width <= 390
    first = next(row for row in confusion_of(run.trained.test).rows if row.mistaken)
    assert f"{first.right} of {first.answers} right" in opened.text
    assert f"{first.mistaken[0][1]} {first.mistaken[0][0]}" in opened.text


def test_a_page_that_misbehaves_is_seen_to(browser, server, tmp_path) -> None:
    page = (
        '<!doctype html><img src="other.png"><p style="width:2000px">x</p><script>console.error("no")</script>'
        '<button style="width:20px;overflow:hidden;white-space:nowrap">much too long</button>'
    )
    opened = open_page(browser, server, page, 390, tmp_path / "profile")
    assert any("no" in line for line in opened.console)
    assert [name.rpartition("/")[2] for name in opened.asked] == ["other.png"]
    assert opened.broken == 1
    assert opened.width > 390
    assert opened.cut == ["much too long"]
