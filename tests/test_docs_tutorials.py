"""The commands of the tutorials run, in their order, in a folder as each tutorial has it, and leave what it names.

What is left out says so above its block, with the reason: `<!-- not run: … -->`.
"""

import csv
import json
import re
from pathlib import Path

import pytest
from painting import paint, paint_classes
from typed_commands import run, typed

from label_image.model import load_model
from retrain.insight.doctor.findings import KINDS, heading_of

ROOT = Path(__file__).resolve().parents[1]
TUTORIALS = ROOT / "docs/tutorials"
RUNTIME = ROOT / "label_image/web/runtime/worker.js"  # npm builds it
THINGS = {"bottle": "green", "book": "blue", "mug": "red"}


def walk(page: str) -> dict[str, str]:
    """Run what a tutorial says, here; returns what each command said."""
    said = {}
    for command, why_not in typed(TUTORIALS / page):
        if why_not or ("--to web" in command and not RUNTIME.exists()):
            continue
        if "--fixes" in command:
            decide(Path("tf_files/doctor/fixes.csv"))
        said[command] = run(command)
    return said


def decide(fixes: Path) -> None:
    """What a reader decides in the doctor's page: one photo is left out."""
    text = fixes.read_text(encoding="utf-8-sig")
    fixes.write_text(text.replace(",keep,remove,", ",remove,remove,", 1), encoding="utf-8-sig")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_cats(here: Path) -> None:
    said = walk("cats.md")
    trained = said["retrain --image_dir tf_files/demo_cats --report tf_files/report.html"]
    for line in ("bottlenecks: 0 cached, 168 computed", "5-fold cross-validation: accuracy", "taken for another",
                 "written: tf_files/model"):  # fmt: skip
        assert line in trained and line.split(":")[0] in (TUTORIALS / "cats.md").read_text(encoding="utf-8")
    for file in ("report.html", "heat.png", "model/model_int8.tflite", "model/README.md"):
        assert (here / "tf_files" / file).is_file() and f"tf_files/{file}" in (TUTORIALS / "cats.md").read_text()


def test_flowers(here: Path) -> None:
    oxford, rows = here / "tf_files/data/oxford-flowers-102", []
    for number, (flower, colour) in enumerate(
        (("fire lily", "red"), ("spear thistle", "blue"), ("tiger lily", "grey"))
    ):
        for n in range(12):
            path = f"102flowers/jpg/image_{12 * number + n:05d}.jpg"
            paint(oxford / path, colour, n)
            rows.append((path, flower, ("train", "validation", "test")[n % 3]))
        for n in range(9):
            paint(here / f"flower_data/{('train', 'valid', 'test')[n % 3]}/{number + 1}/image_0674{n}.jpg", colour, n)
    paint(here / "flower_data/test/1/image_06743.jpg", "red", 30)
    names = {"1": "fire lily", "2": "spear thistle", "3": "tiger lily"}
    (here / "cat_to_name.json").write_text(json.dumps(names))
    with open(oxford / "flowers.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    said = walk("flowers.md")
    by_split = said["retrain --image_dir tf_files/data/oxford-flowers-102/flowers.csv --output_dir tf_files/flowers"]
    assert re.search(r"^test: accuracy .* on 12 photos", by_split, re.M)
    assert "fire lily" in next(text for command, text in said.items() if command.startswith("label_image"))
    assert load_model(here / "tf_files/students").labels == tuple(names.values())
    assert (here / "tf_files/flower_doctor/doctor.html").is_file()


def test_phone(here: Path) -> None:
    paint_classes(here / "photos", THINGS, range(8))
    walk("phone.md")
    assert (here / "tf_files/model/web/index.html").exists() == RUNTIME.exists()


def test_goods(here: Path) -> None:
    things = {"bottles": "green", "mugs": "red", "plates": "blue"}
    paint_classes(here / "goods", things, range(20))
    (here / "goods/plates/again.png").write_bytes((here / "goods/mugs/0.png").read_bytes())  # in two folders
    paint_classes(here / "new_goods", things, range(30, 34))
    said = walk("goods.md")
    assert "photos left out: 1" in next(text for command, text in said.items() if "--report" in command)
    assert (here / "tf_files/doctor/doctor.html").is_file() and (here / "tf_files/report.html").is_file()
    assert len((here / "answers.csv").read_text().splitlines()) == 13 and (here / "sorted/mugs").is_dir()
    assert "accuracy" in said["retrain evaluate tf_files/model sorted"]


def test_million(here: Path) -> None:
    paint_classes(here / "photos", THINGS, range(20))
    said = walk("million.md")
    assert "60 cached, 0 computed" in next(text for command, text in said.items() if "tf_files/large" in command)
    assert (here / "answers.parquet").is_file()


def test_what_tutorials_call_the_doctors_findings_is_on_its_page() -> None:
    bold = re.findall(
        r"\*\*([A-Z].*?)\*\*", (TUTORIALS / "goods.md").read_text() + (TUTORIALS / "flowers.md").read_text()
    )
    headings = {heading_of(kind) for kind in KINDS}
    assert set(bold) - headings == {"Save fixes.csv"} and len(set(bold) & headings) == 9


def test_every_tutorial_is_walked() -> None:
    walked = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {page.stem for page in TUTORIALS.glob("*.md")} <= walked


@pytest.mark.parametrize("page", ["docs/index.md", "docs/pt/index.md"])
def test_start_pages_say_what_the_first_tutorial_does(page: str) -> None:
    first = {command.command for command in typed(TUTORIALS / "cats.md")}
    short = {"retrain --image_dir tf_files/demo_cats"}  # there with a report
    assert {command.command for command in typed(ROOT / page)} <= first | short
