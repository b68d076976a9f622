"""Folders that are watched. Time is a number here, and goes on when it is told to; one test watches with a process."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from labelling import files_below, rows, start
from painting import paint

from label_image.many.wanted import Wanted
from label_image.many.watching import PATIENCE, Watch


class Hours:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hours:
    return Hours()


@pytest.fixture
def watch(here: Path, clock: Hours) -> Watch:
    (here / "in").mkdir()
    return Watch(Wanted(("in",), watch=True).photos, clock)


def test_a_file_is_given_out_once_and_when_it_is_complete(watch: Watch) -> None:
    assert watch.look() == []
    paint(Path("in/a.jpg"))
    assert watch.look() == []
    with open("in/a.jpg", "ab") as file:
        file.write(b"more")
    assert watch.look() == []
    assert watch.look() == ["in/a.jpg"]
    assert watch.look() == []


def test_one_that_is_written_to_later_is_new(watch: Watch) -> None:
    paint(Path("in/webcam.jpg"))
    assert [watch.look(), watch.look()] == [[], ["in/webcam.jpg"]]
    os.utime("in/webcam.jpg", (5, 5))
    assert [watch.look(), watch.look(), watch.look()] == [[], ["in/webcam.jpg"], []]


def test_one_that_goes_and_comes_is_new(watch: Watch) -> None:
    paint(Path("in/a.jpg"))
    assert [watch.look(), watch.look()] == [[], ["in/a.jpg"]]
    os.rename("in/a.jpg", "a.jpg")
    assert watch.look() == []
    os.rename("a.jpg", "in/a.jpg")
    assert [watch.look(), watch.look()] == [[], ["in/a.jpg"]]


@pytest.mark.parametrize("name", ["a.jpg.part", "b.JPG.TMP", ".hidden.jpg", "c.crdownload"])
def test_names_of_what_is_not_finished(name: str, watch: Watch) -> None:
    paint(Path("in") / name, format="JPEG")
    assert [watch.look(), watch.look()] == [[], []]
    os.rename(Path("in") / name, "in/done.jpg")
    assert [watch.look(), watch.look()] == [[], ["in/done.jpg"]]


def test_one_that_cannot_be_read_is_tried_again_for_some_seconds(watch: Watch, clock: Hours) -> None:
    Path("in/slow.jpg").write_bytes(b"\xff\xd8")
    assert [watch.look(), watch.look()] == [[], ["in/slow.jpg"]]
    assert watch.may_be_on_its_way("in/slow.jpg")
    assert watch.look() == ["in/slow.jpg"]
    clock.now += PATIENCE + 1
    assert not watch.may_be_on_its_way("in/slow.jpg")
    assert watch.look() == []


def test_a_folder_that_goes_and_comes_back(watch: Watch) -> None:
    os.rename("in", "away")
    assert watch.look() == []
    paint(Path("away/a.jpg"))
    os.rename("away", "in")
    assert [watch.look(), watch.look()] == [[], ["in/a.jpg"]]


def test_a_look_that_takes_long_is_followed_by_a_longer_rest(here: Path, clock: Hours) -> None:
    slept: list[float] = []

    def slow() -> list[str]:
        clock.now += 3
        return []

    rounds = Watch(slow, clock).rounds(slept.append)
    next(rounds)
    next(rounds)
    assert slept == [30]


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_photos_are_labelled_as_they_come_until_ctrl_c(model: Path, here: Path) -> None:
    paint(here / "in/first.jpg", "red")
    arguments = ("in", "--watch", "--move_to", "out", "--csv", "t.csv")
    process = start(model, *arguments, folder=here)
    try:
        until(lambda: (here / "out/red/first.jpg").exists())
        paint(here / "new.jpg", "green")
        half = (here / "new.jpg").read_bytes()[:-60]
        (here / "in/second.jpg").write_bytes(half)  # it arrives in two parts
        time.sleep(2.5)
        with open(here / "in/second.jpg", "ab") as file:
            file.write((here / "new.jpg").read_bytes()[-60:])
        until(lambda: (here / "out/green/second.jpg").exists())
        until(lambda: (here / "t.csv").exists() and len(rows(here / "t.csv")) == 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.splitlines()[0] == "Watching in: Ctrl-C ends it."
    assert "Error" not in err and "Traceback" not in err
    assert [line for line in out.splitlines() if line.startswith("in/")] == ["in/first.jpg", "in/second.jpg"]
    assert set(files_below(here / "out")) == {"red/first.jpg", "green/second.jpg"}
    assert [row["moved_to"] for row in rows(here / "t.csv")] == ["out/red/first.jpg", "out/green/second.jpg"]

    paint(here / "in/third.jpg", "blue")
    shutil.copy2(here / "out/red/first.jpg", here / "in/first.jpg")  # as a camera that begins to count anew
    again = start(model, *arguments, folder=here)
    try:
        until(lambda: (here / "t.csv").exists() and len(rows(here / "t.csv")) == 4)
        again.send_signal(signal.SIGTERM)
        assert again.wait(60) == 143
        again.communicate()
    finally:
        again.kill()
    assert [row["path"] for row in rows(here / "t.csv")].count("in/first.jpg") == 2 and not files_below(here / "in")
    assert sorted(path.name for path in here.glob("t.csv*")) == ["t.csv", "t.csv.partial"], "it adds to its own table"


@pytest.mark.parametrize("kept", [False, True], ids=["moved", "copied"])
def test_one_that_only_moves_leaves_nothing_behind_that_another_model_would_stumble_over(
    kept: bool, model: Path, here: Path
) -> None:
    paint(here / "in/first.jpg", "red")
    process = start(model, "in", "--watch", "--copy_to" if kept else "--move_to", "out", folder=here)
    try:
        until(lambda: (here / "out/red/first.jpg").exists())
        until(lambda: b'"to"' in (here / "out/.label_image.partial").read_bytes())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143 and "Traceback" not in err
    # What was copied is still there to be labelled, and need not be a second time.
    assert (here / "out/.label_image.partial").exists() == kept == ("goes on from" in err)
