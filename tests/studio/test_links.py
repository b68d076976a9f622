"""A folder of photos from a stranger: links and a journal in it do not make the studio change what lies elsewhere."""

import json
import os
from pathlib import Path

import pytest
from studio_folders import png, put, seen

from retrain.core.errors import StudioError
from retrain.studio.changes import Changes

OWN = (".studio", ".trash", ".studio/new", ".studio/thumbnails", ".studio/thumbnails/a8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """What is nobody's business."""
    home = put(tmp_path / "home", "Pictures/2020/wedding.jpg", "new/other.jpg", "Documents/letter.jpg")
    (home / "empty").mkdir()
    return home


@pytest.mark.parametrize("name", OWN)
def test_own_folders_that_are_links_are_refused(tmp_path: Path, home: Path, name: str) -> None:
    before = seen(home)
    folder = put(tmp_path / "pets", "cat/a.jpg", "dog/b.jpg")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(home)
    with pytest.raises(StudioError, match="is a link"):
        Changes(folder)
    assert seen(home) == before and not (home / "changes.jsonl").exists()


def line(number: int, steps: list[list[object]], folders: list[str]) -> str:
    """A change in the journal, half done."""
    entry = {"number": number, "action": "move", "label": None, "to": "cat", "count": 1}
    return json.dumps({**entry, "folders": folders, "steps": steps}) + "\n"


@pytest.mark.parametrize(
    "steps",
    [
        [[".out/Documents", "stolen", 0, -1, 0]],
        [["dog", ".out/autostart", 0, -1, 0]],
        [["cat/.out/Documents", "stolen", 0, -1, 0]],
    ],
)
def test_a_journal_that_leads_through_links_changes_nothing_there(
    tmp_path: Path, home: Path, steps: list[list[object]]
) -> None:
    folder = put(tmp_path / "pets", "cat/a.jpg", "dog/b.jpg")
    for name in (".out", "cat/.out"):
        (folder / name).symlink_to(home)
    before, photos = seen(home), seen(folder)
    (folder / ".studio").mkdir()
    (folder / ".studio" / "changes.jsonl").write_text(line(1, steps, [".out/made"]))
    with Changes(folder) as changes:
        assert seen(home) == before
        changes.undo()
    assert seen(home) == before and seen(folder) == photos


def test_an_undo_that_leads_through_links_removes_nothing_there(tmp_path: Path, home: Path) -> None:
    folder = put(tmp_path / "pets", "cat/a.jpg", "dog/b.jpg")
    (folder / ".out").symlink_to(home)
    status = os.lstat(home / "Documents" / "letter.jpg")
    step = ["cat/letter.jpg", ".out/Documents/letter.jpg", status.st_ino, status.st_size, status.st_mtime_ns]
    before = seen(home)
    (folder / ".studio").mkdir()
    (folder / ".studio" / "changes.jsonl").write_text(line(1, [step], [".out/empty"]) + '{"done":1}\n')
    with Changes(folder) as changes:
        change = changes.undo()
    assert change is not None and change.count == 0 and seen(home) == before


@pytest.mark.parametrize("is_link", [True, False])
def test_what_has_a_class_s_name_and_is_none_takes_no_photos(tmp_path: Path, home: Path, is_link: bool) -> None:
    folder = put(tmp_path / "pets", "cat/a.jpg", "dog/b.jpg")
    before = seen(home)
    with Changes(folder) as changes:
        if is_link:
            (folder / "bird").symlink_to(home)
        else:
            (folder / "bird").write_text("no folder")
        photos = seen(folder)
        for change in (
            lambda: changes.add("bird", "new.png", png(99)),
            lambda: changes.move(["cat/a.jpg"], "bird"),
            lambda: changes.make_class("bird"),
            lambda: changes.rename_class("cat", "bird"),
        ):
            with pytest.raises(StudioError, match="a file or a link called bird"):
                change()
        assert changes.last is None
    assert seen(home) == before and seen(folder) == photos


def test_a_photo_whose_class_becomes_a_link_at_that_moment_is_not_lost(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(tmp_path / "pets", "cat/a.jpg", "dog/b.jpg")
    before = seen(home)
    with Changes(folder) as changes:
        (folder / "bird").symlink_to(home)
        monkeypatch.setattr(changes, "class_for", lambda label, others=(): label)
        with pytest.raises(StudioError, match="Not a directory"):
            changes.add("bird", "new.png", png(99))
        with pytest.raises(StudioError, match="Not a directory"):
            changes.move(["cat/a.jpg"], "bird")
    assert seen(home) == before and (folder / "cat" / "a.jpg").exists()
