"""`retrain look`, from the outside: how photos are read, without opening one."""

import json
import time
from pathlib import Path

import pytest
from calling import exit_code
from listings import make

from retrain.cli.main import main

SPLIT = (
    "train/ants/1.jpg",
    "train/bees/2.jpg",
    "train/bees/3.jpg",
    "val/ants/4.jpg",
    "val/bees/5.txt",
    "logs/x.log",
    "a.md",
)


def call(*arguments: str) -> int:
    """The exit code of `retrain look` with these arguments."""
    return exit_code(main, "look", *arguments)


def test_it_shows_the_reading_and_the_classes_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, *SPLIT, "val/bees/6.jpg")
    assert call(str(tmp_path)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Read as: train, val with the classes ants, bees; left out: logs.\n")
    rows = [line.replace("│", " ").split() for line in shown.splitlines() if line.startswith("│")]
    assert rows == [["ants", "1", "1"], ["bees", "2", "2"], ["2", "classes", "3", "3"]]
    assert "Left out: 1 holds no photos." in shown
    assert "In class folders, and no photos by their names: 1 .txt." in shown


def test_it_is_one_object_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, "heap/cat.1.jpg", "heap/cat.2.jpg", "heap/dog.1.jpg", "heap/dog.2.jpg")
    assert call("--json", str(tmp_path)) == 0
    assert json.loads(capsys.readouterr().out) == {
        "format_version": 1,
        "read_as": "file names in heap such as cat.1 with the classes cat, dog",
        "remarks": [],
        "photos": 4,
        "classes": {"cat": {"to be split": 2}, "dog": {"to be split": 2}},
        "left_out": {},
        "unlikely": {},
    }


def test_two_readings_end_with_exit_code_2_and_the_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, "one/cat/1.jpg", "one/dog/2.jpg", "two/cat/3.jpg", "two/dog/4.jpg")
    assert call(str(tmp_path)) == 2
    words = " ".join(capsys.readouterr().err.split())
    assert "--layout folders: class folders one, two. --layout splits: one, two with the classes cat, dog." in words
    assert call(str(tmp_path), "--layout", "splits") == 0
    assert "one, two with the classes cat, dog" in capsys.readouterr().out


def test_what_holds_no_classes_ends_with_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, "images/train/1.jpg", "images/val/2.jpg", "labels/train/1.txt", "labels/val/2.txt")
    assert call(str(tmp_path)) == 1
    assert "as YOLO has them" in " ".join(capsys.readouterr().err.split())


def test_ten_thousand_files_are_looked_at_in_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in map(str, range(20)):
        (tmp_path / label).mkdir()
        for number in range(500):
            (tmp_path / label / f"{number}.jpg").touch()
    began = time.perf_counter()
    assert call(str(tmp_path)) == 0
    assert time.perf_counter() - began < 5  # a machine may be busy; alone it is a fifth of a second
    assert "10,000" in capsys.readouterr().out
