"""A folder that is away for a while, or is another one of the same name when it is back."""

import shutil
from pathlib import Path

import pytest
from in_studio import asking, config_for
from studio_folders import png, put

from retrain.core.errors import StudioError
from retrain.studio.changes import Changes
from retrain.studio.kept import Kept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return put(tmp_path / "pets", "cat/a.png", "cat/b.png", "dog/c.png", "dog/d.png")


def replaced(folder: Path) -> None:
    """By a copy of it."""
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)


def test_changes_of_a_folder_that_was_replaced_can_be_undone_tomorrow(folder: Path) -> None:
    with Changes(folder) as changes:
        changes.make_class("bird")
        replaced(folder)
        changes.make_class("horse")
        changes.move(["cat/a.png"], "horse")
    with Changes(folder) as again:
        assert [again.undo().action for _ in range(3)] == ["move", "make", "make"]  # type: ignore[union-attr]
        assert again.undo() is None and again.classes() == ["cat", "dog"]


def test_decisions_on_a_folder_that_was_replaced_are_kept(folder: Path) -> None:
    kept = Kept(folder)
    kept.add("1", "label")
    replaced(folder)
    kept.add("2", "label")
    kept.close()
    assert len(Kept(folder)) == 2


def test_a_folder_that_is_gone_is_not_made_anew(folder: Path) -> None:
    with Changes(folder) as changes:
        folder.rename(folder.with_name("away"))
        for change in (lambda: changes.add("cat", "new.png", png(77)), lambda: changes.make_class("bird")):
            with pytest.raises(StudioError, match="No such file"):
                change()
        assert not folder.exists()
        folder.with_name("away").rename(folder)
        assert changes.add("cat", "new.png", png(77)).is_new


def test_that_a_folder_is_back_is_told(folder: Path) -> None:
    with asking(config_for(folder)) as page:
        page.done()
        folder.rename(folder.with_name("away"))
        assert "cannot be listed" in page.until(lambda state: state["failure"])["failure"]
        folder.with_name("away").rename(folder)
        page.until(lambda state: state["failure"] is None)


def test_a_work_that_failed_for_want_of_the_folder_is_forgotten_with_it(folder: Path) -> None:
    with asking(config_for(folder)) as page:
        page.done()
        folder.rename(folder.with_name("away"))
        page.post("/api/train", status=202)
        assert "cannot be listed" in page.until(lambda state: state["failure"] and not state["work"])["failure"]
        folder.with_name("away").rename(folder)
        page.until(lambda state: state["failure"] is None)


@pytest.mark.parametrize("what", ["train", "examine"])
def test_an_empty_folder_is_not_waited_for(tmp_path: Path, what: str) -> None:
    with asking(config_for(tmp_path / "empty")) as page:
        page.post(f"/api/{what}", status=202)
        assert "There is no photo yet" in page.until(lambda state: state["failure"] and not state["work"])["failure"]
