import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from clock import Clock
from rich.cells import cell_len

from label_image.show_error import show_error
from label_image.terminal import columns
from retrain.insight import terminal as screen
from retrain.insight.results import shown
from retrain.insight.terminal import TerminalScreen
from retrain.training.head import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(screen, "time", clock)
    return clock


def point(step: int, total: int = 100, validation: bool = True) -> Progress:
    return Progress(step, 0.925, 0.2345, 0.8125 if validation else None, 0.5 if validation else None, total)


def test_training_of_a_second_shows_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = TerminalScreen()
    for step in range(100):
        clock.now += 0.009
        shown.training(point(step))
    shown.finish()
    assert capsys.readouterr().err == ""


def test_longer_training_shows_loss_accuracy_and_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = TerminalScreen()
    for step in range(40):
        clock.now += 2
        shown.training(point(step))
    shown.finish()
    said = " ".join(capsys.readouterr().err.split())
    assert "Training" in said
    assert "loss 0.234 accuracy 92.5%" in said
    assert "validation 0.500, 81.2%" in said
    assert "0:02:00 left" in said  # 60 steps of 2 seconds


def test_bytes_have_a_bar_for_each_file_that_begins_where_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    shown = TerminalScreen()
    shown.downloading(600, 1000)
    assert shown._progress is not None and shown._progress.tasks[0].completed == 600
    assert shown._progress.tasks[0].speed is None  # what was there before was not fetched in no time
    shown.downloading(1000, 1000)
    assert shown._progress is None
    shown.downloading(0, None)  # nobody knows how much
    shown.downloading(500, None)
    shown.opening(10, 20)
    assert shown._progress is not None and shown._progress.tasks[0].description == "Unpacking"
    shown.opening(5, 30)  # the next archive
    assert shown._progress.tasks[0].total == 30
    shown.finish()
    said = " ".join(capsys.readouterr().err.split())
    assert said.index("Downloading") < said.index("100%") < said.index("Unpacking")


def test_no_validation_photos_no_validation_figures(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = TerminalScreen()
    for step in (0, 1):
        clock.now += 2
        shown.training(point(step, validation=False))
    shown.finish()
    said = capsys.readouterr().err
    assert "loss" in said
    assert "validation" not in said


def test_a_training_that_goes_on_counts_its_own_speed(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = TerminalScreen()
    for step in (90, 91):
        clock.now += 3
        shown.training(point(step))
    shown.finish()
    assert "0:00:24 left" in capsys.readouterr().err


def test_a_slow_first_point_has_its_bar_at_once(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = TerminalScreen()
    shown.extracting(5)(5, 0)
    clock.now += 30
    shown.training(point(9))
    shown.finish()
    said = capsys.readouterr().err
    assert "Bottlenecks" in said
    assert "loss" in said


def test_the_next_training_begins_anew(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = TerminalScreen()
    for _ in range(2):
        for step in range(0, 100, 33):
            clock.now += 3
            shown.training(point(step))
    assert capsys.readouterr().err.count("Training") == 2


def test_epochs_on_photos_show_loss_accuracy_and_time_left_on_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = TerminalScreen()
    progress = SimpleNamespace(  # an EpochProgress, without TensorFlow
        epoch=3, epochs=8, batch=2, batches=2, seconds_left=75.0, training_cross_entropy=0.5, training_accuracy=0.8,
        validation=SimpleNamespace(validation_cross_entropy=0.4, validation_accuracy=0.85),
    )  # fmt: skip
    shown.epoch("Fine-tuning", progress)
    shown.finish()
    said = " ".join(capsys.readouterr().err.split())
    assert "epoch 3 of 8 at most 0:01:15 left loss 0.500 accuracy 80.0%" in said


def test_paths_are_shown_whatever_their_bytes() -> None:
    assert shown(str(Path("a\udcff.jpg"))) == r"a\xff.jpg"


def test_unpacking_shows_how_many_photos_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    shown = TerminalScreen()
    for done in (0, 100, 200, 250):
        shown.unpacking(done, 250)
    said = " ".join(capsys.readouterr().err.split())
    assert "Unpacking photos" in said and "250/250" in said
    shown.say("Next.")
    assert capsys.readouterr().err == "Next.\n"  # the bar has gone


def test_a_terminal_gets_rows_that_end_between_words_and_paths_in_one_piece(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's own way to say: a terminal
    path = "/a/folder/whose/name/is/longer/than/a/whole/row.jpg"
    sentence = f"An accuracy of 91.25% on 2400 photos was found; see {path} for 猫猫猫猫猫猫猫 and the rest."
    TerminalScreen().say(sentence)
    rows = capsys.readouterr().err.rstrip("\n").split("\n")
    assert " ".join(rows) == sentence
    assert path in rows
    assert all(cell_len(row) <= 40 for row in rows if row != path)
    assert len(rows) == 4


def test_a_file_gets_a_sentence_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    TerminalScreen().say("word " * 30 + "[end]")
    assert capsys.readouterr().err == "word " * 30 + "[end]\n"


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("猫", 2), ("ｶ", 1), ("", 0)])
def test_columns_are_those_of_a_terminal(text: str, width: int) -> None:
    assert columns(text) == width


def test_an_error_ends_its_rows_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    show_error(click.BadParameter("1234567 is not in the range of 1 to 10."))
    rows = capsys.readouterr().err.splitlines()
    assert rows == ["Error: Invalid value: 1234567", "is not in the range of 1 to", "10."]


def test_an_examination_has_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    shown = TerminalScreen()
    observe = shown.examining(200)
    observe(50)
    assert shown._progress is not None and shown._progress.tasks[0].completed == 50
    observe(200)
    assert shown._progress is None
    said = " ".join(capsys.readouterr().err.split())
    assert "Examining" in said and "100%" in said
