"""The doctor's page: decisions of earlier visits are chosen already, and `Save` writes them with the new ones."""

import csv
import html
import io
import json
import re
import subprocess
from pathlib import Path

import pytest

from retrain.insight.doctor.findings import Diagnosis, Finding
from retrain.insight.doctor.pages import make_sections, render_page
from retrain.photos.dataset import Photo

DECIDED = [
    ("a/0.jpg", "a", "relabel:c", "keep", 'Because of <this> & "that".'),
    ("b/9.jpg", "b", "remove", "keep", "Decided before."),
]
# Clicks, and writes down what would have been saved.
CLICKS = """<script>
const choose = (select, value) => { select.value = value; select.dispatchEvent(new Event("change")); };
const out = document.createElement("pre");
document.body.append(out);
const found = { shown: [...document.querySelectorAll("select")].map(select => [select.dataset.file, select.value]) };
const saved = [];
URL.createObjectURL = blob => { saved.push(blob); return "data:,"; };
HTMLAnchorElement.prototype.click = () => {};
const save = () => document.querySelector("#save button").click();
const selects = file => [...document.querySelectorAll("select")].filter(select => select.dataset.file === file);
save();
choose(selects("a/1.jpg")[0], "relabel:b");
found.step = selects("a/1.jpg").map(select => select.value);
found.framed = document.querySelectorAll(".card.decided").length;
save();
choose(selects("a/0.jpg")[0], "keep");
choose(selects("a/1.jpg")[1], "keep");
save();
found.bar = document.getElementById("save").hidden;
Promise.all(saved.map(blob => blob.text())).then(texts => {
  found.saved = texts;
  out.textContent = JSON.stringify(found);
});
</script>"""


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


def test_a_photo_has_the_same_choices_on_all_its_cards(diagnosis: Diagnosis) -> None:
    sections = make_sections(diagnosis, Path("cats"), decisions={"a/0.jpg": "relabel:c"})
    cards = {section.kind: section.cards for section in sections}
    assert cards["label"][0].choices == cards["copy"][0].choices == ("keep", "relabel:b", "remove")
    assert cards["label"][0].decision == "keep"
    decided, nameless = cards["outlier"]
    assert decided.choices == ("keep", "remove", "relabel:c") and decided.decision == "relabel:c"
    assert nameless.choices == ()  # fixes.csv could not name it


@pytest.mark.browser
def test_decisions_in_a_browser(browser: str, diagnosis: Diagnosis, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    text = render_page(diagnosis, Path("cats"), DECIDED)
    assert "<this>" not in text
    page.write_text(text.replace("</body>", f"{CLICKS}</body>"), encoding="utf-8")
    done = subprocess.run(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=5000", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    (told,) = re.findall(r"<pre>(.*?)</pre>", done.stdout, re.S)
    found = json.loads(html.unescape(told))
    assert found["shown"] == [["a/1.jpg", "keep"], ["a/1.jpg", "keep"], ["a/0.jpg", "relabel:c"]]
    assert found["step"] == ["relabel:b", "relabel:b"] and found["framed"] == 3
    tables = [list(csv.reader(io.StringIO(saved.removeprefix("\ufeff"), newline=""))) for saved in found["saved"]]
    header = ["file", "class", "action", "suggestion", "reason"]
    before = [list(row) for row in DECIDED]
    assert tables[0] == [header, *before]
    assert tables[1] == [header, *before, ["a/1.jpg", "a", "relabel:b", "relabel:b", "Looks like b."]]
    assert tables[2] == [header, before[1]]
    assert found["bar"] is False
