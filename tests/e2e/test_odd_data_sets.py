"""Whole runs on data sets of every shape: given splits, odd names, broken photos, few photos."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from calling import call
from painting import COLOURS, paint
from whole_runs import label, paint_classes, train

import label_image.cli
import retrain.cli.main


def test_given_split_is_kept(here: Path, no_export: None) -> None:
    for seed, (side, each) in enumerate({"train": 6, "valid": 2, "test": 3}.items()):
        paint_classes(here / "photos" / side, each, first_seed=100 * seed)
    report = train("--image_dir", "photos")
    assert (report["validation"]["n"], report["test"]["n"]) == (6, 9)
    assert report["classes"] == ["blue", "green", "red"]


def test_manifest_as_the_source(here: Path, no_export: None) -> None:
    rows = [
        f"{paint(here / 'all' / f'{colour}{n}.jpg', colour, n).relative_to(here)},{colour.upper()},{side}"
        for colour in ("red", "blue")
        for n, side in enumerate(["train"] * 5 + ["validation"] * 2 + ["test"] * 3)
    ]
    (here / "photos.csv").write_text("path,label,split\n" + "\n".join(rows), encoding="utf-8")
    report = train("--image_dir", "photos.csv")
    assert report["classes"] == ["BLUE", "RED"]
    assert (report["photos"]["used"], report["test"]["n"]) == (20, 6)


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Class names that the 2017 script merged, and photos that are none."""
    folder = tmp_path_factory.mktemp("odd")
    names = {"猫": "red", "犬": "green", "Café au lait": "blue", "[bold] c++": "grey"}
    paint_classes(folder / "photos", 8, names)
    (folder / "photos/猫/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    (folder / "photos/犬/empty.png").write_bytes(b"")
    (folder / "photos/犬/notes.txt").write_text("woof")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report = train("--image_dir", "photos")
        yield SimpleNamespace(folder=folder, model=folder / "tf_files/model", names=names, report=report)


def test_class_names_survive_everywhere(odd_run: SimpleNamespace) -> None:
    expected = sorted(odd_run.names)
    assert odd_run.report["classes"] == expected
    assert (odd_run.model / "labels.txt").read_text(encoding="utf-8") == "".join(f"{name}\n" for name in expected)
    assert json.loads((odd_run.model / "model.json").read_text(encoding="utf-8"))["labels"] == expected
    photo = paint(odd_run.folder / "new.jpg", "red", 77)
    assert label("--model", odd_run.model, photo)[0]["label"] == "猫"
    shown = call(retrain.cli.main.main, "evaluate", odd_run.model, odd_run.folder / "photos", "--all_photos")
    assert "[bold] c++" in shown.out


def test_broken_photos_are_listed_and_counted_and_stop_nothing(odd_run: SimpleNamespace) -> None:
    assert odd_run.report["photos"] == {"used": 32, "skipped": 3, "gone": 0}
    text = (odd_run.model / "skipped.csv").read_text(encoding="utf-8")
    header, *rows = text.splitlines()
    assert header == "path,reason"
    for name in ("broken.jpg", "empty.png", "notes.txt"):
        assert sum(name in row for row in rows) == 1
    assert len(rows) == 3
    assert all(row.partition(",")[2] for row in rows)


@pytest.mark.parametrize(
    ("counts", "tested"), [((1, 1), 0), ((1, 2), 2), ((2, 2, 2), 6), ((1, 2, 3), 5), ((1, 12, 12), 24)]
)
def test_classes_of_one_photo_are_not_tested(counts: tuple[int, ...], tested: int, here: Path, no_export: None) -> None:
    for colour, count in zip(COLOURS, counts, strict=False):
        paint_classes(here / "photos", count, {colour: colour})
    report = train("--image_dir", "photos")
    assert ("Not tested, for want of a second photo" in report["err"]) == (1 in counts)
    assert report["photos"]["used"] == sum(counts)
    assert report["test"]["n"] == tested


def test_smallest_possible_data_set_can_be_exported(here: Path) -> None:
    paint_classes(here / "photos", 1)
    train("--image_dir", "photos")
    answers = label("--model", "tf_files/model", *sorted((here / "photos").rglob("*.jpg")))
    assert [answer["label"] for answer in answers] == ["blue", "green", "red"]


def test_no_test_and_no_validation_photos(here: Path, no_export: None) -> None:
    paint_classes(here / "photos", 5)
    report = train("--image_dir", "photos", "--testing_percentage", 0, "--validation_percentage", 0)
    assert report["test"] == report["validation"] == {"accuracy": None, "interval": None, "n": 0}


def test_nothing_left_to_train_on_is_a_sentence(here: Path) -> None:
    rows = [f"{paint(here / f'{colour}{n}.jpg', colour, n)},{colour},test" for colour in COLOURS for n in range(3)]
    (here / "photos.csv").write_text("\n".join(rows), encoding="utf-8")
    done = call(retrain.cli.main.main, "--image_dir", "photos.csv", "--architecture", "fake")
    assert done.code == 1
    assert "no photos for training" in done.err


def test_one_photo_copied_into_every_class_cannot_be_tested(here: Path, no_export: None) -> None:
    for name in ("cat", "dog"):
        paint(here / "photos" / name / "1.png", "red")
    assert train("--image_dir", "photos")["test"] == {"accuracy": None, "interval": None, "n": 0}


def test_file_names_that_are_not_utf_8(here: Path) -> None:
    paint_classes(here / "photos", 4)
    for name in (b"photos/red/\xff.jpg", b"photos/red/broken\xff.jpg"):
        (here / name.decode(errors="surrogateescape")).write_bytes((here / "photos/red/1.jpg").read_bytes())
    (here / b"photos/red/broken\xff.jpg".decode(errors="surrogateescape")).write_bytes(b"")
    assert train("--image_dir", "photos")["photos"] == {"used": 13, "skipped": 1, "gone": 0}
    assert call(retrain.cli.main.main, "--image_dir", "photos", "--architecture", "fake").code == 0
    plain = call(label_image.cli.main, "photos/red")
    assert r"photos/red/\xff.jpg" in plain.out
    done = call(label_image.cli.main, "--json", "photos/red")
    assert done.code == 1
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [set(answer) for answer in answers].count({"format_version", "image", "error"}) == 1
    assert len(answers) == 6
