"""Changes of the folder: what they do, and that each can be taken back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio_folders import png, put, seen

from retrain.core.errors import StudioError
from retrain.studio.changes import Changes
from retrain.studio.listing import list_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return put(tmp_path / "pets", "cat/1.png", "cat/2.png", "dog/1.png", "dog/old/3.png", "loose.png")


@pytest.fixture
def changes(folder: Path) -> Iterator[Changes]:
    with Changes(folder) as changes:
        yield changes


def test_each_change_does_what_it_says_and_is_taken_back(folder: Path, changes: Changes) -> None:
    before = seen(folder)
    states = [before]
    for change in (
        lambda: changes.add("bird", "../a.gif", png(9)),
        lambda: changes.move(["loose.png", "cat/1.png"], "dog"),
        lambda: changes.remove(["dog/old/3.png"]),
        lambda: changes.make_class("fish"),
        lambda: changes.rename_class("cat", "lion"),
        lambda: changes.rename_class("lion", "dog"),
        lambda: changes.remove_class("dog"),
    ):
        change()
        assert seen(folder) != states[-1]
        states.append(seen(folder))
    assert sorted(name for name in states[-1] if name.endswith("png")) == ["bird/a.png"]
    while changes.last:
        assert seen(folder) == states.pop()
        change = changes.undo()
        assert change and change.remark == ""
    assert seen(folder) == before and states == [before]
    assert changes.undo() is None


def test_nothing_is_overwritten(folder: Path, changes: Changes) -> None:
    assert changes.move(["cat/1.png"], "dog").count == 1
    assert [photo.name for photo in list_folder(folder).photos if photo.label == "dog"] == [
        "dog/1-2.png", "dog/1.png", "dog/old/3.png",
    ]  # fmt: skip


def test_the_same_photo_is_not_added_twice(changes: Changes) -> None:
    first = changes.add("cat", "a.png", png(7))
    assert first.is_new and not changes.add("cat", "b.png", png(7)).is_new
    assert changes.add("dog", "a.png", png(7)).is_new


def test_another_studio_on_the_same_folder_is_refused(folder: Path, changes: Changes) -> None:
    with pytest.raises(StudioError, match="Another studio is open"):
        Changes(folder)
