"""Pages in Debian's Chromium, without a window: what it says of them, and what they ask for."""

import html
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from retrain.insight.report.page import report_html
from retrain.insight.report.sweep_page import sweep_html
from retrain.photos.source import SourceConfig
from retrain.runs.sweep import SweepConfig
from retrain.training.grid import Grid

pytestmark = pytest.mark.browser
WIDTHS = (390, 1280)  # a phone, a desktop
# Opens the page in a frame of a given width, and writes down what the browser made of it.
FRAME = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body><script>
const frame = document.createElement("iframe");
frame.width = Number(location.hash.slice(1)); frame.height = 800; frame.src = "page.html";
frame.onload = () => {
  for (const image of frame.contentDocument.images) image.loading = "eager";
  wait();
};
const wait = () => [...frame.contentDocument.images].every(image => image.complete) ? tell() : setTimeout(wait, 20);
const tell = () => {
  const page = frame.contentDocument;
  const asked = frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name);
  const out = document.createElement("pre");
  out.textContent = JSON.stringify({
    asked: asked.filter(name => !name.startsWith("data:")),
    broken: [...page.images].filter(image => !image.naturalWidth).length,
    images: page.images.length,
    width: page.documentElement.scrollWidth,
    text: page.body.innerText,
  });
  document.body.append(out);
};
document.body.append(frame);
</script>"""


@dataclass(frozen=True)
class Opened:
    """What the browser found, and what it said on its console."""

    asked: list[str]
    broken: int
    images: int
    width: int
    text: str
    console: list[str]


def open_page(browser: str, server, page: str, width: int, profile: Path) -> Opened:
    server.pages = {"/frame.html": (200, FRAME.encode(), None), "/page.html": (200, page.encode(), None)}
    done = subprocess.run(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={profile}",
            "--enable-logging=stderr", "--log-level=0", "--virtual-time-budget=20000", "--window-size=1400,1000",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--dump-dom", f"{server.url}frame.html#{width}",
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    (found,) = re.findall(r"<pre>(.*?)</pre>", done.stdout, re.S)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Opened(**json.loads(html.unescape(found)), console=console)


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
    assert "How strong a penalty" in opened.text and "<script>alert(1)</script>" in opened.text


def test_a_page_that_misbehaves_is_seen_to(browser, server, tmp_path) -> None:
    page = '<!doctype html><img src="other.png"><p style="width:2000px">x</p><script>console.error("no")</script>'
    opened = open_page(browser, server, page, 390, tmp_path / "profile")
    assert any("no" in line for line in opened.console)
    assert [name.rpartition("/")[2] for name in opened.asked] == ["other.png"]
    assert opened.broken == 1
    assert opened.width > 390
