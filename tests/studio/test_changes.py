"""Changes of the folder: what they do, and that each can be taken back."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest
from studio_folders import png, put, seen

from label_image.errors import PhotoError
from retrain.core.errors import StudioError
from retrain.studio import moving
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


def test_what_arrives_together_is_undone_together(changes: Changes, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**9, 2 * 10**9, 10)).__next__
    for number in range(3):
        changes.add("cat", f"webcam-1_nohash_{number}.png", png(50 + number))
    assert changes.last is not None and (changes.last.action, changes.last.count) == ("add", 3)
    changes.add("dog", "a.png", png(60))
    changes.add("cat", "b.png", png(61))
    monkeypatch.setattr("retrain.studio.changes.time.monotonic", clock)
    changes.add("cat", "c.png", png(62))
    counts = [change.count for change in iter(changes.undo, None)]
    assert counts == [1, 1, 1, 3]


def test_a_burst_stays_one_group(folder: Path, changes: Changes) -> None:
    for number in range(2):
        changes.add("cat", "webcam-1_nohash_01.png", png(70 + number))
    names = [photo.name for photo in list_folder(folder).photos if "nohash" in photo.name]
    assert names == ["cat/webcam-1_nohash_01-2.png", "cat/webcam-1_nohash_01.png"]


def test_what_cannot_be_is_refused_and_changes_nothing(folder: Path, changes: Changes) -> None:
    before = seen(folder)
    refused = [
        lambda: changes.make_class("cat"),
        lambda: changes.make_class("../x"),
        lambda: changes.rename_class("bird", "dog"),
        lambda: changes.rename_class("cat", "train"),
        lambda: changes.rename_class("..", "dog"),
        lambda: changes.rename_class(".studio", "dog"),
        lambda: changes.remove_class(".trash"),
        lambda: changes.remove_class("bird"),
        lambda: changes.remove(["cat/gone.png"]),
        lambda: changes.remove(["../pets/cat/1.png"]),
        lambda: changes.remove(["/etc/passwd"]),
        lambda: changes.remove([".studio/changes.jsonl"]),
        lambda: changes.remove(["cat"]),
        lambda: changes.move(["cat//1.png"], "dog"),
        lambda: changes.move(["cat/1.png"], "../elsewhere"),
        lambda: changes.move(["cat/1.png\0"], "dog"),
        lambda: changes.add("..", "a.png", png(7)),
    ]
    for change in refused:
        with pytest.raises(StudioError):
            change()
    with pytest.raises(PhotoError, match="PDF"):
        changes.add("cat", "a.jpg", b"%PDF-1.7")
    assert seen(folder) == before and changes.last is None


def test_what_is_there_already_is_no_change(folder: Path, changes: Changes) -> None:
    assert changes.move(["dog/old/3.png"], "dog").count == 0
    assert changes.move([], "dog").count == 0
    assert changes.rename_class("dog", "dog").count == 0
    assert changes.last is None


def test_photos_that_somebody_removed_meanwhile_are_passed_over(folder: Path, changes: Changes) -> None:
    (folder / "cat" / "1.png").unlink()
    assert changes.move(["cat/1.png", "cat/2.png"], "dog").count == 1


def test_undo_says_what_somebody_changed_meanwhile_and_takes_the_rest_back(folder: Path, changes: Changes) -> None:
    changes.move(["cat/1.png", "cat/2.png", "loose.png"], "bird")
    (folder / "bird" / "1.png").unlink()
    (folder / "bird" / "loose.png").write_bytes(b"another")
    (folder / "bird" / "loose.png").rename(folder / "bird" / "away.png")
    (folder / "bird" / "loose.png").write_bytes(b"a third one")
    undone = changes.undo()
    assert undone is not None and undone.count == 1
    assert undone.remark == "Not taken back, for somebody has changed or moved it since: bird/loose.png and 1 more."
    assert (folder / "cat" / "2.png").is_file() and (folder / "bird" / "away.png").read_bytes() == b"another"
    assert changes.undo() is None


def test_undo_takes_no_name_from_another_photo(folder: Path, changes: Changes) -> None:
    photo = (folder / "cat" / "1.png").read_bytes()
    changes.remove(["cat/1.png"])
    (folder / "cat" / "1.png").write_bytes(b"a new one")
    undone = changes.undo()
    assert undone is not None and undone.remark == "Back by another name, for its own is taken: cat/1-2.png."
    assert (folder / "cat" / "1-2.png").read_bytes() == photo
    assert (folder / "cat" / "1.png").read_bytes() == b"a new one"


def test_undo_of_a_class_that_is_used_by_now(folder: Path, changes: Changes) -> None:
    changes.make_class("bird")
    (folder / "bird" / "1.png").write_bytes(png(5))
    undone = changes.undo()
    assert undone is not None and undone.remark == "The class bird has files by now, and stays."
    changes.remove_class("dog")
    (folder / "dog").mkdir()
    undone = changes.undo()
    assert undone is not None and (undone.count, undone.remark[:14]) == (0, "Not taken back")
    assert (folder / ".trash" / "0002" / "dog" / "1.png").is_file()


def test_undo_where_the_class_is_a_file_or_a_link_by_now(folder: Path, tmp_path: Path, changes: Changes) -> None:
    changes.move(["cat/1.png", "cat/2.png"], "dog")
    (folder / "cat").rmdir()
    (folder / "cat").symlink_to(tmp_path)
    undone = changes.undo()
    assert undone is not None and undone.count == 0 and "Not taken back" in undone.remark
    assert not (tmp_path / "1.png").exists()


def test_a_merge_leaves_nothing_behind_and_mixes_nothing_up(folder: Path, changes: Changes) -> None:
    put(folder, "cat/old")  # a file, where the other class has a folder
    (folder / "dog" / "Thumbs.db").write_bytes(b"litter")
    before = seen(folder)
    changes.rename_class("dog", "cat")
    assert sorted(path.name for path in (folder / "cat").iterdir()) == ["1-2.png", "1.png", "2.png", "3.png", "old"]
    assert not (folder / "dog").exists()
    assert changes.undo() and seen(folder) == before


def test_a_link_goes_where_it_still_leads(folder: Path, tmp_path: Path, changes: Changes) -> None:
    put(tmp_path / "elsewhere", "1.png")
    (folder / "cat" / "absolute.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    (folder / "cat" / "relative.png").symlink_to("../../elsewhere/1.png")
    before = seen(folder)
    changes.move(["cat/absolute.png", "cat/relative.png"], "dog")
    assert (folder / "dog" / "relative.png").is_symlink() and (folder / "dog" / "relative.png").is_file()
    with pytest.raises(StudioError, match="is a link"):
        changes.move(["dog/relative.png"], None)
    changes.remove(["dog/relative.png", "dog/absolute.png"])
    assert (tmp_path / "elsewhere" / "1.png").is_file()
    assert changes.undo() and changes.undo() and seen(folder) == before


def test_another_file_system_gets_a_copy_that_was_compared(
    folder: Path, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(folder)
    rename = moving.rename_unless_there

    def across(source: Path, target: Path) -> None:
        if source.is_file() and source.parent.name != target.parent.name and source.name != "photo":
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target)

    monkeypatch.setattr(moving, "rename_unless_there", across)
    changes.move(["cat/1.png"], "dog")
    assert not (folder / "cat" / "1.png").exists() and (folder / "dog" / "1-2.png").is_file()
    assert not list(folder.rglob("*.tmp"))
    changes.undo()
    assert seen(folder) == before


def test_a_name_that_is_taken_at_the_last_moment(
    folder: Path, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(folder)
    rename = moving.rename_unless_there

    def late(source: Path, target: Path) -> None:
        with suppress(FileExistsError), open(target, "xb") as file:
            file.write(b"somebody else's")
            monkeypatch.setattr(moving, "rename_unless_there", rename)
        rename(source, target)

    monkeypatch.setattr(moving, "rename_unless_there", late)
    changes.move(["cat/1.png", "cat/2.png"], "bird")
    assert (folder / "bird" / "1.png").read_bytes() == b"somebody else's"
    assert (folder / "bird" / "1-2.png").read_bytes() == before["cat/1.png"]
    changes.close()
    with Changes(folder) as again:  # the journal knows by which name it went
        assert again.undo().remark == ""  # type: ignore[union-attr]
    assert seen(folder) == {**before, "bird": None, "bird/1.png": b"somebody else's"}


def test_who_changes_names_all_the_time_is_not_waited_for(
    folder: Path, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(folder)
    monkeypatch.setattr(moving, "rename_unless_there", Mock(side_effect=FileExistsError(errno.EEXIST, "there")))
    with pytest.raises(StudioError, match="somebody else changes it all the time"):
        changes.move(["cat/1.png"], "dog")
    assert seen(folder) == before and changes.last is None


def test_threads_that_change_at_once(folder: Path, changes: Changes) -> None:
    before = seen(folder)

    def work(number: int) -> None:
        for turn in range(8):
            added = changes.add(f"class {turn % 3}", "same.png", png(200 + number * 8 + turn))
            with suppress(StudioError):  # somebody was faster
                changes.move([added.name, "loose.png"], f"class {number % 3}")
            list_folder(folder)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    photos = [photo for photo in list_folder(folder).photos if (photo.label or "").startswith("class")]
    assert len(photos) == 33
    while changes.last:
        assert changes.undo().remark == ""  # type: ignore[union-attr]
    assert seen(folder) == before


@pytest.mark.parametrize(
    "damage", [b"{}\n", b"no json\n", b"[1]\n", b'{"undo": 99, "steps": []}\n', b'{"number": 1}\n']
)
def test_a_damaged_journal_is_set_aside_and_nothing_is_lost(folder: Path, damage: bytes) -> None:
    with Changes(folder) as changes:
        changes.remove(["cat/1.png"])
    journal = folder / ".studio" / "changes.jsonl"
    journal.write_bytes(damage + journal.read_bytes() + damage)
    before = seen(folder)
    with Changes(folder) as changes:
        if damage != b"{}\n":  # which says nothing
            assert changes.last is None and list((folder / ".studio").glob("*.damaged"))
        assert changes.remove(["cat/2.png"]).number == 2
        changes.undo()
    assert seen(folder) == before and (folder / ".trash" / "0001" / "cat" / "1.png").is_file()


def test_a_journal_leads_nowhere_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"x")
    status = (tmp_path / "victim").stat()
    step = ["../victim", "cat/victim.jpg", status.st_ino, status.st_size, status.st_mtime_ns]
    said = {"number": 1, "action": "move", "label": None, "to": "cat", "count": 1, "folders": [], "steps": [step]}
    (folder / ".studio").mkdir()
    away = ["cat/1.png", str(tmp_path / "x"), *step[2:]]
    for line in (said, {**said, "steps": [away]}, {**said, "steps": [], "folders": ["../x"]}):
        (folder / ".studio" / "changes.jsonl").write_text(json.dumps(line) + "\n")
        Changes(folder).close()
    assert (tmp_path / "victim").is_file() and not (tmp_path / "x").exists()


def test_a_last_line_that_is_cut_short_counts_for_nothing(folder: Path) -> None:
    with Changes(folder) as changes:
        changes.remove(["cat/1.png"])
    with open(folder / ".studio" / "changes.jsonl", "ab") as file:
        file.write(b'{"number": 2, "act')
    with Changes(folder) as changes:
        assert changes.last is not None and changes.last.number == 1
        changes.remove(["cat/2.png"])
    with Changes(folder) as changes:
        assert [change.number for change in iter(changes.undo, None)] == [2, 1]


def test_a_folder_that_may_not_be_written_to_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(tmp_path, "cat/1.png")

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StudioError, match=r"cannot be changed: Permission denied\. All photos are there; allow this"):
        Changes(folder)


@pytest.mark.parametrize("what", ["rename", "merge", "remove"])
def test_a_class_whose_name_is_no_text_goes_by_what_pages_call_it(folder: Path, what: str) -> None:
    name = os.fsdecode(b"caf\xe9")
    put(folder, f"{name}/1.png")
    before = seen(folder)
    with Changes(folder) as changes:
        if what == "remove":
            changes.remove_class("caf\\xe9")
        else:
            changes.rename_class("caf\\xe9", "coffee" if what == "rename" else "cat")
        assert name not in changes.classes()
    with Changes(folder) as changes:
        assert changes.undo() and seen(folder) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda changes: changes.move(["cat/1.png"], "dog"),
        lambda changes: changes.move(["dog/1.png"], "cat"),
        lambda changes: changes.remove_class("cat"),
    ],
)
def test_the_folder_that_may_not_be_written_to_is_named(
    folder: Path, changes: Changes, change: Callable[[Changes], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(one: Path, other: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(one), None, str(other))

    monkeypatch.setattr(moving, "rename_unless_there", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder / "cat")  # root may write anywhere
    with pytest.raises(StudioError, match=r"The folder \S+/cat cannot be changed: Permission denied\."):
        change(changes)


def test_half_done_renames_give_way_to_what_somebody_made_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = Changes(folder)
    with monkeypatch.context() as patch:
        patch.setattr("retrain.studio.journalled.move", Mock(side_effect=KeyboardInterrupt))
        patch.setattr("retrain.studio.journal.Journal.take_back", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            changes.rename_class("cat", "bird")
    changes.close()
    (folder / "bird").mkdir()
    before = seen(folder)
    with Changes(folder) as changes:
        assert seen(folder) == before
        changes.undo()
    assert seen(folder) == before


def test_guesses_are_accepted_as_one_change(folder: Path, changes: Changes) -> None:
    before = seen(folder)
    accepted = changes.accept([("loose.png", "dog"), ("cat/1.png", "bird"), ("cat/gone.png", "dog")])
    assert (accepted.action, accepted.count, accepted.label, accepted.to) == ("accept", 2, None, None)
    assert (folder / "dog" / "loose.png").is_file() and (folder / "bird" / "1.png").is_file()
    changes.close()
    with Changes(folder) as again:
        assert again.last == accepted
        again.undo()
    assert seen(folder) == before
