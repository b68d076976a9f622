"""`retrain doctor` from the command line, with the fake backbone (a photo's average colour), and what comes of it."""

import csv
import html
import json
import os
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from calling import call
from PIL import Image, ImageOps

import retrain.cli.main

COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
EACH = 20


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
    done = call(retrain.cli.main.main, "doctor", "photos", "--architecture", "fake", *more)
    assert done.code == 0, done.err
    return done


def rows(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def command_on_page() -> str:
    (found,) = re.findall(r'id="saved">.*?<code>(.*?)</code>', Path("tf_files/doctor/doctor.html").read_text())
    return html.unescape(found)


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
    done = call(
        retrain.cli.main.main,
        "--image_dir",
        "photos",
        "--architecture",
        "fake",
        "--json",
        *fixes,
        "--formats",
        "saved_model",
    )
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["photos"]["used"] == 3 * EACH + 1
    assert report["bottlenecks"]["computed"] == 0
    assert "photos left out: 1; photos that count as another class: 1" in " ".join(done.err.split())
    assert {path: path.read_bytes() for path in photos.rglob("*.jpg")} == before
    doctor(*fixes)
    kinds = {row["kind"] for row in rows("tf_files/doctor/findings.csv")}
    assert not kinds & {"label", "copy_across_classes"}


def test_decisions_by_other_names_of_the_classes_are_obeyed(photos: Path) -> None:
    """Which of the folders is which is counted before the fixes, that may leave no photo of one."""
    Path("names.json").write_text('{"0": "sea", "1": "grass", "2": "fire"}')
    names = ("--category_names", "names.json")
    doctor(*names)
    (row,) = (row for row in rows("tf_files/doctor/fixes.csv") if row["file"] == "green/wrong.jpg")
    assert row["suggestion"] == "relabel:fire"
    assert " ".join(names) in command_on_page()
    blue = [f"blue/{number}.jpg,remove" for number in range(EACH)]
    Path("fixes.csv").write_text("\n".join(["file,action", "green/wrong.jpg,relabel:fire", *blue]))
    done = doctor(*names, "--fixes", "fixes.csv", "--json")
    assert json.loads(done.out)["classes"] == {"fire": EACH + 1, "grass": EACH + 1}


def test_the_command_on_the_page_trains_on_what_the_doctor_saw(photos: Path) -> None:
    """Also where photos are gone, which only that store knows by that network."""
    more = ("--seed", "7", "--bottleneck_dir", "my store", "--weights", "random")
    doctor("--add_images", "photos/red", *more, "--json")
    words = shlex.split(command_on_page())
    asked = ["--add_images", "photos/red", "--seed", "7", "--architecture", "fake", "--weights", "random",
             "--bottleneck_dir", "my store"]  # fmt: skip
    assert words[:3] == ["retrain", "--image_dir", "photos"]
    pairs = list(zip(words[3:-2:2], words[4:-2:2], strict=True))
    assert sorted(pairs) == sorted(zip(asked[::2], asked[1::2], strict=True))
    assert words[-2:] == ["--fixes", "~/Downloads/fixes.csv"]


def test_fixes_that_were_given_are_not_on_the_page(photos: Path) -> None:
    Path("mine.csv").write_text("file,action\ngreen/wrong.jpg,remove\n")
    doctor("--fixes", "mine.csv")
    assert command_on_page() == "retrain --image_dir photos --architecture fake --fixes ~/Downloads/fixes.csv"


def test_decisions_in_fixes_that_were_given_are_on_the_page_and_in_the_table(photos: Path) -> None:
    """What the page saves takes the place of the file that was given, which may be forgotten then."""
    Path("mine.csv").write_text("file,action\ngreen/wrong.jpg,relabel:red\nblue/7.jpg,remove\n")
    doctor("--fixes", "mine.csv")
    decided = {row["file"]: row["action"] for row in rows("tf_files/doctor/fixes.csv") if row["action"] != "keep"}
    assert decided == {"green/wrong.jpg": "relabel:red", "blue/7.jpg": "remove"}
    page = Path("tf_files/doctor/doctor.html").read_text()
    assert "blue/7.jpg" in page and "green/wrong.jpg" in page


def test_decisions_on_photos_of_an_archive_outlive_another_photo_in_it(photos: Path) -> None:
    def examined() -> None:
        shutil.make_archive("photos", "zip", photos.parent, "photos")
        done = call(retrain.cli.main.main, "doctor", "photos.zip", "--architecture", "fake")
        assert done.code == 0, done.err

    examined()
    assert ("label", "photos/green/wrong.jpg") in {
        (row["kind"], row["file"]) for row in rows("tf_files/doctor/findings.csv")
    }
    assert "photos/green/wrong.jpg" in Path("tf_files/doctor/doctor.html").read_text()
    decide({"photos/green/wrong.jpg": "relabel:red", "photos/green/copy.jpg": "remove"})
    paint("blue", 50).save(photos / "blue" / "50.jpg")
    examined()
    decided = {name: action for name, action in new_actions().items() if action != "keep"}
    assert decided == {"photos/green/wrong.jpg": "relabel:red", "photos/green/copy.jpg": "remove"}


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
    assert "green/copy.jpg" not in new and new["green/20.jpg"] == "keep"  # the one is gone, the other is new


def new_actions() -> dict[str, str]:
    return {row["file"]: row["action"] for row in rows("tf_files/doctor/fixes.new.csv")}


def test_decisions_in_the_new_file_are_carried_over_too(photos: Path) -> None:
    doctor()
    decide({"green/copy.jpg": "remove"})
    assert "decide in: tf_files/doctor/fixes.new.csv" in doctor().out
    decide({"green/wrong.jpg": "relabel:red"}, "tf_files/doctor/fixes.new.csv")
    doctor()
    assert {name: action for name, action in new_actions().items() if action != "keep"} == {
        "green/copy.jpg": "remove", "green/wrong.jpg": "relabel:red",
    }  # fmt: skip


def test_what_is_carried_over_can_be_obeyed(photos: Path) -> None:
    """Paths may be written as from the current folder; photos may be gone since then."""
    doctor()
    with open("tf_files/doctor/fixes.csv", "a", encoding="utf-8") as file:
        file.write("photos/red/3.jpg,red,remove,keep,\nphotos/red/4.jpg,red,remove,keep,\n")
    (photos / "red" / "4.jpg").unlink()
    done = doctor()
    assert "Decisions on photos that are gone were dropped: 'red/4.jpg'." in done.out
    assert new_actions()["red/3.jpg"] == "remove" and not any("4.jpg" in name for name in new_actions())
    doctor("--fixes", "tf_files/doctor/fixes.new.csv")
    assert new_actions()["red/3.jpg"] == "remove"  # left out of the examination, and there


def test_a_file_of_decisions_that_cannot_be_read_is_not_lost(photos: Path) -> None:
    doctor()
    for name in ("fixes.csv", "fixes.new.csv"):
        Path("tf_files/doctor", name).write_text("file,action\ngreen/copy.jpg,delete\n")
    done = doctor()
    assert done.out.count("is not a file of decisions") == 2 and "with your decisions" not in done.out
    assert Path("tf_files/doctor/fixes.new.csv.1").read_text() == Path("tf_files/doctor/fixes.csv").read_text()
    assert set(new_actions().values()) == {"keep"}


def test_findings_of_somebody_else_are_moved_aside(photos: Path) -> None:
    Path("tf_files/doctor").mkdir(parents=True)
    findings = Path("tf_files/doctor/findings.csv")
    findings.write_text("my own findings")
    assert "is kept as tf_files/doctor/findings.csv.1" in doctor().out
    assert Path("tf_files/doctor/findings.csv.1").read_text() == "my own findings"
    (photos / "green" / "wrong.jpg").unlink()
    before = findings.read_bytes()
    assert "findings.csv." not in doctor().out
    assert findings.read_bytes() != before
    assert sorted(os.listdir("tf_files/doctor")) == ["doctor.html", "findings.csv", "findings.csv.1", "fixes.csv",
                                                     "fixes.new.csv"]  # fmt: skip


@pytest.mark.parametrize("below", ["", "/doctor"])
def test_an_export_is_no_place_for_it(photos: Path, below: str) -> None:
    Path("export").mkdir()
    Path("export/model.json").write_text("{}")
    done = call(retrain.cli.main.main, "doctor", "photos", "--architecture", "fake", "--output_dir", f"export{below}")
    assert done.code == 2 and "is an export of a model" in " ".join(done.err.split())
    assert os.listdir("export") == ["model.json"]


def test_copies_are_across_a_split_where_there_is_one(photos: Path) -> None:
    """Where nothing is given, folds take turns, and every photo is tested."""
    for colour in ("red", "blue"):
        for number in range(10):
            again = ImageOps.mirror(paint(colour, number))
            again.save(photos / colour / f"{number}_mirrored.jpg", quality=80)
    doctor()
    kinds = {row["kind"] for row in rows("tf_files/doctor/findings.csv")}
    assert "copy" in kinds and "copy_across_split" not in kinds
    Path("given/train").mkdir(parents=True)
    for folder in list(photos.iterdir()):
        folder.rename(f"given/train/{folder.name}")
        (Path("given/test") / folder.name).mkdir(parents=True)
    Path("given").rename(photos / "given")
    for path in [*photos.glob("given/train/*/*_mirrored.jpg"), *photos.glob("given/train/green/[5-9].jpg")]:
        path.rename(str(path).replace("/train/", "/test/"))
    doctor()
    assert "copy_across_split" in {row["kind"] for row in rows("tf_files/doctor/findings.csv")}


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


def test_a_set_of_copies_is_examined_but_for_outliers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for colour in ("red", "blue"):
        Path("photos", colour).mkdir(parents=True)
        for number in range(30):
            paint("green", 0).save(f"photos/{colour}/{number}.jpg")
    assert "Outliers are not judged: too many of the photos are copies." in " ".join(doctor().out.split())
    assert "outlier" not in {row["kind"] for row in rows("tf_files/doctor/findings.csv")}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--output_dir", "photos/doctor"), 2, "lies among the photos"),
        (("--fixes", "no.csv"), 1, "no.csv cannot be read"),
        (("--testing_percentage", "60", "--validation_percentage", "50"), 2, "must add up to less than 100"),
    ],
)
def test_wrong_calls(photos: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = call(retrain.cli.main.main, "doctor", "photos", "--architecture", "fake", *arguments)
    assert done.code == code and said in " ".join(done.err.split())
    assert not Path("tf_files/doctor").exists()


def test_one_class_is_refused_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/red").mkdir(parents=True)
    paint("red", 0).save(tmp_path / "photos/red/0.jpg")
    done = call(retrain.cli.main.main, "doctor", "photos", "--architecture", "fake")
    assert done.code == 1 and "only the class 'red'" in " ".join(done.err.split())
