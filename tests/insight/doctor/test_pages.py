"""The doctor's page: decisions of earlier visits are chosen already, and `Save` writes them with the new ones."""

import base64
import csv
import io
import re
from pathlib import Path

import pytest
from frames import driven
from PIL import Image

from retrain.insight.doctor.findings import Diagnosis, Finding
from retrain.insight.doctor.pages import SHOWN, make_sections, render_page
from retrain.insight.doctor.written import write_diagnosis
from retrain.insight.html.rendering import script
from retrain.photos.dataset import Photo

DECIDED = [
    ("a/0.jpg", "a", "relabel:c", "keep", 'Because of <this> & "that".'),
    ("b/9.jpg", "b", "remove", "keep", "Decided before."),
]
# What the scripts below are written in. `saved` are the files that were saved.
WORDS = """
  const card = (file, at = 0) => page.querySelectorAll(`main [data-file="${file}"]`)[at];
  const button = (file, action, at = 0) => card(file, at).querySelector(`[data-action="${action}"]`);
  const pressed = file => [...page.querySelectorAll(`main [data-file="${file}"] [aria-pressed="true"]`)]
    .map(one => one.dataset.action);
  const press = key => page.activeElement.dispatchEvent(
    new view.KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const focused = () => page.activeElement.getAttribute("aria-label");
  const dialog = page.querySelector("dialog");
  const blobs = [];
  view.URL.createObjectURL = blob => { blobs.push(blob); return "data:,"; };
  view.HTMLAnchorElement.prototype.click = function () { names.push(this.download); };
  const names = [];
  const save = async () => { page.getElementById("write").click(); return blobs.at(-1).text(); };
"""


@pytest.fixture
def diagnosis() -> Diagnosis:
    """Two findings on a/1.jpg, one on a/0.jpg, and one on a file whose name is no text."""
    photos = tuple(Photo(f"cats/a/{name}.jpg", "a", str(name)) for name in ("0", "1", "\udcff"))
    findings = (
        Finding("label", photos[1].path, "a", 1.0, "Looks like b.", 1, "relabel:b"),
        Finding("copy", photos[1].path, "a", 1.0, "The same picture.", 1, "remove"),
        Finding("outlier", photos[0].path, "a", 1.0, "Looks like nothing.", 0),
        Finding("outlier", photos[2].path, "a", 0.5, "Looks like nothing.", 2),
    )
    return Diagnosis(photos, {"a": 3}, findings, (), None)


@pytest.fixture
def many() -> Diagnosis:
    """Two findings more than are shown."""
    photos = tuple(Photo(f"cats/a/{n}.jpg", "a", str(n)) for n in range(SHOWN + 2))
    findings = tuple(
        Finding("label", photo.path, "a", 1.0, "Looks like b.", row, "relabel:b") for row, photo in enumerate(photos)
    )
    return Diagnosis(photos, {"a": len(photos)}, findings, (), None)


def test_a_photo_has_the_same_choices_on_all_its_cards(diagnosis: Diagnosis) -> None:
    sections = make_sections(diagnosis, Path("cats"), decisions={"a/0.jpg": "relabel:c"})
    cards = {section.kind: section.cards for section in sections}
    assert cards["label"][0].choices == cards["copy"][0].choices == ("keep", "relabel:b", "remove")
    assert cards["label"][0].decision == "keep"
    decided, nameless = cards["outlier"]
    assert decided.choices == ("keep", "remove", "relabel:c") and decided.decision == "relabel:c"
    assert nameless.choices == ()  # fixes.csv could not name it


def test_a_card_names_the_other_headings_of_its_photo(diagnosis: Diagnosis) -> None:
    sections = make_sections(diagnosis, Path("cats"))
    assert {section.kind: [card.also for card in section.cards] for section in sections} == {
        "label": [(("copy", "The same photo twice in a class"),)],
        "copy": [(("label", "Labels that may be wrong"),)],
        "outlier": [(), ()],
    }
    page = render_page(diagnosis, Path("cats"))
    assert page.count("Also under:") == 2
    assert '<a href="#copy">The same photo twice in a class</a>' in page


def test_the_page_asks_nobody_and_runs_one_script(diagnosis: Diagnosis) -> None:
    page = render_page(diagnosis, Path("cats"), DECIDED)
    text, digest = script("doctor.js")
    assert page.count("<script>") == 1 and f"<script>{text}</script>" in page
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '{digest}'" in page
    assert page.count("<style>") == 1 and "<this>" not in page
    assert {link[0] for link in re.findall(r'(?:href|src)="([^"]*)"', page)} <= {"#", "d"}


@pytest.mark.parametrize(
    ("action", "suggestion"), [("keep", "remove"), ("remove", "remove"), ("relabel:b", "relabel:b")]
)
def test_a_decision_that_is_carried_over_stands_beside_its_suggestion(
    action: str, suggestion: str, diagnosis: Diagnosis, tmp_path: Path
) -> None:
    (tmp_path / "fixes.csv").write_text(f"file,action\na/1.jpg,{action}\n")
    written = write_diagnosis(diagnosis, Path("cats"), tmp_path)
    rows = [row for row in rows_of(written.fixes.read_text(encoding="utf-8")) if row[0] == "a/1.jpg"]
    assert rows == [["a/1.jpg", "a", action, suggestion, "The same picture. Looks like b."]]


@pytest.mark.browser
def test_a_photo_under_two_headings_has_one_decision(
    browser: str, server, diagnosis: Diagnosis, tmp_path: Path
) -> None:
    """Whichever card it is made on; its row has the suggestion and the reason of one heading."""
    drive = """
      const found = {}, rows = async name => { found[name] = await save(); };
      const states = () => ["label", "copy"].map(kind => {
        const one = page.querySelector(`#${kind} [data-file="a/1.jpg"]`);
        return [one.classList.contains("decided"), one.querySelector('[aria-pressed="true"]').dataset.action];
      });
      button("a/1.jpg", "relabel:b", 0).click();
      found.first = states();
      await rows("relabelled");
      button("a/1.jpg", "remove", 1).click();
      found.second = states();
      await rows("removed");
      button("a/1.jpg", "relabel:b", 1).click();  // what the other heading suggests
      await rows("by the other card");
      button("a/1.jpg", "remove", 0).click();
      await rows("removed by the other card");
      button("a/1.jpg", "keep", 0).click();
      found.kept = states();
      button("a/1.jpg", "relabel:b", 0).click();
      page.querySelector("[data-all=copy]").click();
      found.all = states();
      found.disabled = page.querySelector("[data-all=copy]").disabled;
      await rows("after all of the other heading");
      button("a/1.jpg", "keep", 0).click();
      page.querySelector("[data-all=copy]").click();
      await rows("all of the heading");
      const link = page.querySelector('#copy .finding a[href="#label"]');
      link.focus();
      press("Enter");
      found.enter = states();
      return found;
    """
    page = render_page(diagnosis, Path("cats"))
    found, console = driven(browser, server, page, WORDS + drive, 1280, tmp_path / "profile")
    assert console == []
    relabelled, removed = [True, "relabel:b"], [True, "remove"]
    assert found["first"] == found["all"] == [relabelled] * 2 and found["kept"] == [[False, "keep"]] * 2
    assert found["second"] == found["enter"] == [removed] * 2 and found["disabled"]
    of_label = [["a/1.jpg", "a", "relabel:b", "relabel:b", "Looks like b."]]
    of_copy = [["a/1.jpg", "a", "remove", "remove", "The same picture."]]
    for name in ("relabelled", "by the other card", "after all of the other heading"):
        assert rows_of(found[name]) == of_label, name
    for name in ("removed", "removed by the other card", "all of the heading"):
        assert rows_of(found[name]) == of_copy, name


def test_findings_that_are_not_shown_can_be_accepted_too(many: Diagnosis) -> None:
    (section,) = make_sections(many, Path("cats"))
    assert (len(section.cards), section.more, section.proposals) == (SHOWN, 2, SHOWN + 2)
    assert [row[0] for row in section.unseen] == [f"a/{SHOWN}.jpg", f"a/{SHOWN + 1}.jpg"]


def test_the_counts_of_classes_are_short(diagnosis: Diagnosis) -> None:
    def shown(counts: dict[str, int]) -> str:
        return render_page(Diagnosis(diagnosis.photos, counts, (), (), None), Path("cats"))

    assert "Each of the 1,000 classes has 7." in shown({f"c{n}": 7 for n in range(1000)})
    page = shown({f"c{n}": n + 1 for n in range(1000)})
    assert "The other 960 classes" in page
    assert page.index(">c0<") < page.index(">c39<") < page.index("The other") < page.index(">c40<")


def rows_of(saved: str) -> list[list[str]]:
    header, *rows = csv.reader(io.StringIO(saved.removeprefix("\ufeff"), newline=""))
    assert header == ["file", "class", "action", "suggestion", "reason"]
    return rows


@pytest.mark.browser
def test_decisions_in_a_browser(browser: str, server, diagnosis: Diagnosis, tmp_path: Path) -> None:
    drive = """
      const found = { start: [pressed("a/1.jpg"), pressed("a/0.jpg")], first: await save() };
      button("a/1.jpg", "relabel:b").click();
      found.step = pressed("a/1.jpg");
      found.framed = page.querySelectorAll("main .decided").length;
      found.second = await save();
      found.said = page.getElementById("saved").innerText;
      button("a/0.jpg", "keep").click();
      button("a/1.jpg", "keep", 1).click();
      found.third = await save();
      page.getElementById("undo").click();
      page.getElementById("undo").click();
      found.undone = await save();
      return { ...found, names, bar: page.getElementById("save").hidden };
    """
    page = render_page(diagnosis, Path("cats"), DECIDED)
    found, console = driven(browser, server, page, WORDS + drive, 1280, tmp_path / "profile")
    before, new = [list(row) for row in DECIDED], ["a/1.jpg", "a", "relabel:b", "relabel:b", "Looks like b."]
    assert console == []
    assert found["start"] == [["keep", "keep"], ["relabel:c"]]
    assert found["step"] == ["relabel:b", "relabel:b"] and found["framed"] == 3
    assert rows_of(found["first"]) == before
    assert rows_of(found["second"]) == rows_of(found["undone"]) == [*before, new]
    assert rows_of(found["third"]) == [before[1]]
    assert set(found["names"]) == {"fixes.csv"} and found["bar"] is False
    assert "Saved as fixes.csv" in found["said"]
    assert "retrain --image_dir cats --fixes ~/Downloads/fixes.csv" in found["said"]


@pytest.mark.browser
def test_all_of_a_kind_are_accepted_with_one_click(browser: str, server, many: Diagnosis, tmp_path: Path) -> None:
    drive = """
      const all = page.querySelector("[data-all=label]");
      const found = { before: all.disabled, says: all.innerText };
      button("a/3.jpg", "remove").click();
      all.click();
      return { ...found, after: all.disabled, saved: await save(), hint: page.getElementById("decided").innerText };
    """
    page = render_page(many, Path("cats"))
    found, console = driven(browser, server, page, WORDS + drive, 390, tmp_path / "profile")
    assert console == [] and (found["before"], found["after"]) == (False, True)
    assert found["says"] == "Accept all 42 suggestions" and found["hint"] == "42 decisions"
    rows = rows_of(found["saved"])
    assert sorted(row[0] for row in rows) == sorted(f"a/{n}.jpg" for n in range(SHOWN + 2))
    assert {(row[1], row[2], row[3], row[4]) for row in rows} == {("a", "relabel:b", "relabel:b", "Looks like b.")}


@pytest.mark.browser
def test_the_keyboard_alone_is_enough(browser: str, server, many: Diagnosis, tmp_path: Path) -> None:
    drive = """
      const found = {};
      press("ArrowDown");  // nothing had the focus
      press("Enter"); press("ArrowRight"); press("Delete"); press("ArrowRight"); press("Delete"); press("Escape");
      found.third = focused();
      press("ArrowDown");
      const [from, to] = [card("a/2.jpg"), page.activeElement].map(one => one.getBoundingClientRect());
      found.below = to.top > from.top && Math.abs(to.left - from.left) < 2;
      press("ArrowUp"); press("ArrowLeft"); press("ArrowLeft"); press("ArrowLeft");
      found.first = focused();
      const outline = view.getComputedStyle(page.activeElement).outlineStyle;
      press(" ");
      found.open = dialog.open;
      press("ArrowRight");
      found.shown = dialog.querySelector(".file").innerText;
      press("Enter");
      found.inside = [...dialog.querySelectorAll('[aria-pressed="true"]')].map(one => one.dataset.action);
      press("Escape");
      await pause(() => focused() === "a/1.jpg");
      return { ...found, outline, closed: !dialog.open, saved: await save() };
    """
    page = render_page(many, Path("cats"))
    found, console = driven(browser, server, page, WORDS + drive, 1280, tmp_path / "profile")
    assert console == []
    assert (found["third"], found["first"]) == ("a/2.jpg", "a/0.jpg") and found["below"]
    assert (found["open"], found["closed"], found["shown"]) == (True, True, "a/1.jpg")
    assert found["outline"] == "solid"
    assert found["inside"] == ["relabel:b"]
    assert [row[0::2] for row in rows_of(found["saved"])] == [
        ["a/0.jpg", "relabel:b", "Looks like b."], ["a/1.jpg", "relabel:b", "Looks like b."]
    ]  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_photos_are_even_and_grow_on_a_click(browser: str, server, tmp_path: Path, width: int) -> None:
    for name, size in (("0", (300, 200)), ("1", (100, 400)), ("2", (600, 90))):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.new("RGB", size, (200, 30, 30)).save(tmp_path / f"a/{name}.jpg")
    name = "a_class_with_a_long_name_" * 3
    photos = tuple(Photo(str(tmp_path / f"a/{n}.jpg"), name, str(n)) for n in range(3))
    findings = tuple(
        Finding("label", photos[n].path, name, 1.0, "Looks like b.", n, f"relabel:{name}b", ((n + 1) % 3,))
        for n in range(3)
    )
    drive = """
      const images = [...page.querySelectorAll("main .finding img")];
      const found = { width: page.documentElement.scrollWidth };
      found.sizes = images.map(one => [one.offsetWidth, one.offsetHeight]);
      page.querySelectorAll(".enlarge")[2].click();
      found.large = dialog.querySelectorAll("img")[0].offsetWidth;
      found.sticksOut = dialog.scrollWidth > dialog.clientWidth;
      found.cut = [...page.querySelectorAll("button, figcaption, bdi, .file")]
        .filter(one => one.offsetParent && one.clientWidth && one.scrollWidth > one.clientWidth + 1).length;
      dialog.querySelector(".enlarge").click();
      return { ...found, closed: !dialog.open };
    """
    page = render_page(Diagnosis(photos, {name: 3}, findings, (), None), tmp_path)
    found, console = driven(browser, server, page, WORDS + drive, width, tmp_path / "profile")
    assert console == []
    assert found["width"] <= width and not found["sticksOut"] and found["cut"] == 0
    assert len(found["sizes"]) == 6 and len({tuple(size) for size in found["sizes"]}) == 1
    assert found["sizes"][0][0] == found["sizes"][0][1]
    assert found["large"] > 1.4 * found["sizes"][0][0] and found["closed"]


def test_the_photos_can_be_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (1000, 500)).save(tmp_path / "0.jpg")
    photos = (Photo(str(tmp_path / "0.jpg"), "a", "0"),)
    finding = Finding("outlier", photos[0].path, "a", 1.0, "Looks like nothing.", 0)
    page = render_page(Diagnosis(photos, {"a": 1}, (finding,), (), None), tmp_path)
    (data,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (320, 160)
