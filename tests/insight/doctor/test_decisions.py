"""Decisions of earlier visits are found in both files of fixes, whatever the names in them look like."""

import os
from pathlib import Path

import pytest

from retrain.insight.doctor.decisions import earlier_decisions
from retrain.photos.dataset import Root

PHOTOS = {"a/0.jpg", "a/1.jpg", "b/2.jpg"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "doctor").mkdir()
    return Path("doctor")


def write(path: Path, *rows: str, seconds: int = 1000) -> None:
    path.write_text("\n".join(["file,action", *rows]), encoding="utf-8")
    os.utime(path, (seconds, seconds))


def actions(folder: Path) -> dict[str, str]:
    return earlier_decisions(folder, Path("cats"), PHOTOS).actions


def test_there_are_none_at_first(folder: Path) -> None:
    decisions = earlier_decisions(folder, Path("cats"), PHOTOS)
    assert (decisions.actions, decisions.gone, decisions.unread) == ({}, (), ())


def test_names_are_as_seen_from_the_folder_of_the_photos(folder: Path) -> None:
    write(folder / "fixes.csv", "cats/a/0.jpg,remove", r"a\1.jpg,remove", "b/2.jpg,keep", "cats/b/2.jpg,relabel:a")
    assert actions(folder) == {"a/0.jpg": "remove", "a/1.jpg": "remove", "b/2.jpg": "relabel:a"}


def test_decisions_in_the_newer_file_win(folder: Path) -> None:
    write(folder / "fixes.csv", "a/0.jpg,remove", "a/1.jpg,remove")
    write(folder / "fixes.new.csv", "cats/a/0.jpg,relabel:b", "b/2.jpg,remove", seconds=900)
    decisions = earlier_decisions(folder, Path("cats"), PHOTOS)
    assert decisions.actions == {"a/0.jpg": "relabel:b", "a/1.jpg": "remove", "b/2.jpg": "remove"}
    assert decisions.remarks == (
        "fixes.new.csv overrules what was decided elsewhere, and its decision was carried over: 'a/0.jpg'.",
    )


def test_decisions_in_a_file_that_was_given_count_too_and_win(folder: Path) -> None:
    write(folder / "fixes.csv", "a/0.jpg,remove", "b/2.jpg,remove")
    write(Path("mine.csv"), "cats/a/0.jpg,relabel:b", "a/1.jpg,remove", "b/2.jpg,keep", seconds=900)
    decisions = earlier_decisions(folder, Path("cats"), PHOTOS, given=Path("mine.csv"))
    assert decisions.actions == {"a/0.jpg": "relabel:b", "a/1.jpg": "remove", "b/2.jpg": "remove"}
    assert decisions.overruled == (("a/0.jpg", "mine.csv"),)
    own = earlier_decisions(folder, Path("cats"), PHOTOS, given=Path("doctor/../doctor/fixes.csv"))
    assert own.actions == {"a/0.jpg": "remove", "b/2.jpg": "remove"} and own.remarks == ()


def test_names_are_found_whatever_the_path_of_the_source_was(folder: Path) -> None:
    write(
        folder / "fixes.csv", "cats/a/0.jpg,remove", f"{Path.cwd()}/cats/a/1.jpg,remove", "old/unpacked/b/2.jpg,remove"
    )
    roots = (Root("old/unpacked"),)
    found = earlier_decisions(folder, Path.cwd() / "cats", PHOTOS, roots)
    assert found.actions == {"a/0.jpg": "remove", "a/1.jpg": "remove", "b/2.jpg": "remove"}


@pytest.mark.parametrize(("seconds", "found"), [(1100, {}), (900, {"a/0.jpg": "remove"})])
def test_keep_takes_a_decision_back_that_was_there_before(folder: Path, seconds: int, found: dict[str, str]) -> None:
    """The row of a fixes.new.csv that is older than fixes.csv says keep because nothing had been decided yet."""
    write(folder / "fixes.csv", "a/0.jpg,remove")
    write(folder / "fixes.new.csv", "a/0.jpg,keep", seconds=seconds)
    assert actions(folder) == found


def test_decisions_on_photos_that_are_gone_are_dropped(folder: Path) -> None:
    """A photo that is there, but was left out of the examination, is not gone."""
    Path("cats/a").mkdir(parents=True)
    Path("cats/a/left_out.jpg").touch()
    Path("elsewhere.jpg").touch()
    write(
        folder / "fixes.csv",
        "a/left_out.jpg,remove",
        "elsewhere.jpg,remove",
        "cats/a/9.jpg,remove",
        "a/8.jpg,keep",
        ",remove",
    )
    decisions = earlier_decisions(folder, Path("cats"), PHOTOS)
    assert decisions.actions == {"a/left_out.jpg": "remove", "elsewhere.jpg": "remove"}
    assert decisions.gone == ("", "a/9.jpg")
    assert decisions.remarks == ("Decisions on photos that are gone were dropped: '', 'a/9.jpg'.",)


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    write(folder / "fixes.csv", "a/0.jpg,delete")
    write(folder / "fixes.new.csv", "a/1.jpg,remove")
    decisions = earlier_decisions(folder, Path("cats"), PHOTOS)
    assert decisions.actions == {"a/1.jpg": "remove"}
    assert decisions.unread == (folder / "fixes.csv",)
    assert decisions.remarks == ("doctor/fixes.csv is not a file of decisions: nothing was carried over from it.",)
