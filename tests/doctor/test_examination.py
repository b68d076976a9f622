"""`retrain doctor` from the command line, with the fake backbone (a photo's average colour), and what comes of it."""

import contextlib
import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps

import retrain.cli

COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
EACH = 20


def call(*arguments: object) -> SimpleNamespace:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            retrain.cli.main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as leave:
            code = leave.code
    return SimpleNamespace(code=code, out=out.getvalue(), err=err.getvalue())


def paint(colour: str, seed: int) -> Image.Image:
    random = np.random.default_rng([seed, len(colour)])
    blobs = np.array(COLOURS[colour]) + random.integers(-40, 41, (5, 6, 3)) + random.integers(-15, 16, 3)
    return Image.fromarray(blobs.clip(0, 255).astype(np.uint8)).resize((180, 150), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three colours; a red photo among the green ones, a mirrored copy of a blue one there, and an empty file."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    for colour in COLOURS:
        (folder / colour).mkdir(parents=True)
        for number in range(EACH):
            paint(colour, number).save(folder / colour / f"{number}.jpg", quality=95)
    paint("red", 99).save(folder / "green" / "wrong.jpg", quality=95)
    ImageOps.mirror(paint("blue", 0)).save(folder / "green" / "copy.jpg", quality=80)
    (folder / "red" / "empty & <b>.jpg").touch()
    return folder


def doctor(*more: object) -> SimpleNamespace:
    done = call("doctor", "photos", "--architecture", "fake", *more)
    assert done.code == 0, done.err
    return done


def rows(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def decide(decisions: dict[str, str], path: str = "tf_files/doctor/fixes.csv") -> bytes:
    table = [{**row, "action": decisions.get(row["file"], row["action"])} for row in rows(path)]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return Path(path).read_bytes()


def test_what_was_planted_is_named(photos: Path) -> None:
    done = doctor()
    assert "Files that cannot be used" in done.out and "tf_files/doctor/doctor.html" in done.out
    found = {(row["kind"], row["file"]): row for row in rows("tf_files/doctor/findings.csv")}
    assert found["label", "green/wrong.jpg"]["suggestion"] == "relabel:red"
    assert found["copy_across_classes", "green/copy.jpg"]["suggestion"] == "remove"
    assert "0.jpg, which is blue" in found["copy_across_classes", "green/copy.jpg"]["finding"]
    assert "is empty" in found["unreadable", "red/empty & <b>.jpg"]["finding"]
    assert ("shortcut", "") in found
    fixes = {row["file"]: row for row in rows("tf_files/doctor/fixes.csv")}
    assert {row["action"] for row in fixes.values()} == {"keep"}
    assert fixes["green/copy.jpg"]["suggestion"] == "remove" and fixes["green/copy.jpg"]["class"] == "green"


def test_decisions_are_obeyed_and_nothing_is_computed_again(photos: Path) -> None:
    doctor()
    decide({"green/wrong.jpg": "relabel:red", "green/copy.jpg": "remove"})
    before = {path: path.read_bytes() for path in photos.rglob("*.jpg")}
    fixes = ("--fixes", "tf_files/doctor/fixes.csv")
    done = call("--image_dir", "photos", "--architecture", "fake", "--json", *fixes, "--formats", "saved_model")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["photos"]["used"] == 3 * EACH + 1
    assert report["bottlenecks"]["computed"] == 0
    assert "photos left out: 1; photos that count as another class: 1" in " ".join(done.err.split())
    assert {path: path.read_bytes() for path in photos.rglob("*.jpg")} == before
    doctor(*fixes)
    kinds = {row["kind"] for row in rows("tf_files/doctor/findings.csv")}
    assert not kinds & {"label", "copy_across_classes"}


def test_decisions_are_never_overwritten(photos: Path) -> None:
    doctor()
    untouched = Path("tf_files/doctor/fixes.csv").read_bytes()
    again = doctor()
    assert Path("tf_files/doctor/fixes.csv").read_bytes() == untouched and "is yours" not in again.out
    assert not Path("tf_files/doctor/fixes.new.csv").exists()
    mine = decide({"green/copy.jpg": "remove"})
    (photos / "green" / "wrong.jpg").unlink()
    assert "fixes.csv is yours and stays as it is" in doctor().out
    assert Path("tf_files/doctor/fixes.csv").read_bytes() == mine
    new = {row["file"]: row["action"] for row in rows("tf_files/doctor/fixes.new.csv")}
    assert new["green/copy.jpg"] == "remove" and "green/wrong.jpg" not in new
    (photos / "green" / "copy.jpg").rename(photos / "green" / "20.jpg")
    doctor()
    new = {row["file"]: row["action"] for row in rows("tf_files/doctor/fixes.new.csv")}
    assert new["green/copy.jpg"] == "remove"  # decided, and no finding any more
    assert new["green/20.jpg"] == "keep"


class Page(HTMLParser):
    """What a page asks for, and the text of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.files: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.asked += [named[name] or "" for name in ("src", "href", "srcset", "action", "data") if name in named]
        self.files += [named["data-file"] or ""] if "data-file" in named else []


def test_the_page_needs_nothing_else(photos: Path) -> None:
    doctor()
    text = Path("tf_files/doctor/doctor.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert all(link.startswith(("#", "data:")) for link in page.asked)
    assert sum(link.startswith("data:image/jpeg;base64,") for link in page.asked) >= 4
    assert re.search(r"url\(|@import|https?://", text) is None
    assert {"green/wrong.jpg", "green/copy.jpg"} <= set(page.files)
    assert "empty &amp; &lt;b&gt;.jpg" in text and "<b>.jpg" not in text


def test_few_photos_are_examined_too(photos: Path) -> None:
    for path in [*photos.glob("*/?[0-9].jpg"), *photos.glob("blue/[2-9].jpg")]:
        path.unlink()
    assert "Outliers and colours are not judged" in " ".join(doctor().out.split())
    assert "imbalance" in {row["kind"] for row in rows("tf_files/doctor/findings.csv")}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--output_dir", "photos/doctor"), 2, "lies among the photos"),
        (("--fixes", "no.csv"), 1, "no.csv cannot be read"),
        (("--testing_percentage", "60", "--validation_percentage", "50"), 2, "must add up to less than 100"),
    ],
)
def test_wrong_calls(photos: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = call("doctor", "photos", "--architecture", "fake", *arguments)
    assert done.code == code and said in " ".join(done.err.split())
    assert not Path("tf_files/doctor").exists()


def test_one_class_is_refused_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/red").mkdir(parents=True)
    paint("red", 0).save(tmp_path / "photos/red/0.jpg")
    done = call("doctor", "photos", "--architecture", "fake")
    assert done.code == 1 and "only the class 'red'" in " ".join(done.err.split())
