"""Any changes in any order can be taken back, to the last byte; also what a kill or a full disk cut short."""

import errno
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from failing_system import Killed, failing_at
from hypothesis import given, settings
from hypothesis import strategies as st
from studio_folders import png, put, seen

from label_image import renaming
from retrain.core.errors import StudioError
from retrain.studio import moving
from retrain.studio.changes import Changes
from retrain.studio.listing import list_folder

CLASSES = ("cat", "dog", "Katze 🐈", "קת")
Operation = Callable[[Changes], object]


@pytest.fixture(autouse=True, scope="module")
def quick_disk() -> Iterator[None]:
    """Nothing here cuts the power, so nothing has to wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def some_names(folder: Path, which: int) -> list[str]:
    """A third of the photos."""
    return [photo.name for position, photo in enumerate(list_folder(folder).photos) if position % 3 == which % 3]


def a_class(folder: Path, which: int) -> str:
    classes = list_folder(folder).classes
    return classes[which % len(classes)] if classes else "none"


OPERATIONS: dict[str, Callable[[Changes, int, int], object]] = {
    "add": lambda changes, one, other: changes.add(CLASSES[one % 4], f"{other % 3}.jpg", png(100 + other)),
    "add unlabelled": lambda changes, one, other: changes.add(None, f"{other % 3}.png", png(100 + other)),
    "move": lambda changes, one, other: changes.move(some_names(changes.folder, one), CLASSES[other % 4]),
    "take the class": lambda changes, one, other: changes.move(some_names(changes.folder, one), None),
    "remove": lambda changes, one, other: changes.remove(some_names(changes.folder, one)),
    "make": lambda changes, one, other: changes.make_class(f"{CLASSES[one % 4]}{other % 3 or ''}"),
    "rename": lambda changes, one, other: changes.rename_class(a_class(changes.folder, one), f"class {other % 9}"),
    "merge": lambda changes, one, other: changes.rename_class(
        a_class(changes.folder, one), a_class(changes.folder, other)
    ),
    "remove class": lambda changes, one, other: changes.remove_class(a_class(changes.folder, one)),
    "undo": lambda changes, one, other: changes.undo(),
}


def filled(folder: Path) -> Path:
    put(folder, "cat/1.png", "cat/2.png", "cat/a_nohash_1.jpg", "dog/1.png", "dog/old/1.png", "dog/old/5.png", "1.png")
    (folder / "cat" / "Thumbs.db").write_bytes(b"litter")
    (folder / "cat" / "holiday.mp4").write_bytes(b"a film")
    (folder / "dog" / "empty").mkdir()
    return folder


def photos_anywhere(folder: Path) -> Counter[bytes]:
    """All photos below a folder, in the trash too; not what is arriving."""
    own = folder / ".studio"
    return Counter(path.read_bytes() for path in folder.rglob("*") if path.is_file() and own not in path.parents)


def undo_all(changes: Changes) -> None:
    while changes.last:
        undone = changes.undo()
        assert undone is not None and undone.remark == ""


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 30), st.integers(0, 30)), max_size=12))
def test_after_undo_of_everything_the_folder_is_as_before(operations: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = filled(Path(place))
        before, photos = seen(folder), photos_anywhere(folder)
        changes = Changes(folder)
        for name, one, other in operations:
            with suppress(StudioError):
                OPERATIONS[name](changes, one, other)
            assert photos <= photos_anywhere(folder)
            photos = photos_anywhere(folder)
            if other % 5 == 0:  # another start, with the same past
                last = changes.last
                changes.close()
                changes = Changes(folder)
                assert changes.last == last
        undo_all(changes)
        changes.close()
        assert seen(folder) == before
        assert photos == photos_anywhere(folder)


ONE_OF_EACH: dict[str, Operation] = {
    "add": lambda changes: changes.add("bird", "1.png", png(99)),
    "add to a burst": lambda changes: (changes.add("cat", "1.png", png(98)), changes.add("cat", "1.png", png(99))),
    "move": lambda changes: changes.move(["cat/1.png", "dog/old/5.png", "1.png"], "fish"),
    "remove": lambda changes: changes.remove(["cat/1.png", "dog/old/5.png", "1.png"]),
    "make": lambda changes: changes.make_class("fish"),
    "rename": lambda changes: changes.rename_class("dog", "wolf"),
    "merge": lambda changes: changes.rename_class("dog", "cat"),
    "remove class": lambda changes: changes.remove_class("dog"),
    "undo a move": lambda changes: changes.undo(),
}


def prepared(folder: Path) -> Path:
    filled(folder)
    with Changes(folder) as changes:
        changes.move(["cat/2.png", "1.png"], "dog")
    return folder


def without_renameat2(patch: pytest.MonkeyPatch) -> None:
    """A file system on which a file takes a free name by a link."""
    patch.setattr(renaming, "renamed", lambda one, other, how: False)


def across_file_systems(patch: pytest.MonkeyPatch) -> None:
    """As if each class were a disk of its own: files go there as copies."""
    rename = moving.rename_unless_there

    def across(source: Path, target: Path) -> None:
        if source.is_file() and source.name != "photo" and source.parent != target.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target)

    patch.setattr(moving, "rename_unless_there", across)


@pytest.mark.parametrize(
    ("name", "half", "prepare"),
    [
        *((name, half, None) for name in ONE_OF_EACH for half in (False, True)),
        *((name, False, without_renameat2) for name in ("add", "move", "merge", "remove class", "undo a move")),
        *((name, False, across_file_systems) for name in ("move", "undo a move")),
    ],
)
def test_a_kill_at_any_call_leaves_each_photo_once(
    name: str,
    half: bool,
    prepare: Callable[[pytest.MonkeyPatch], None] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if prepare is not None:
        prepare(monkeypatch)
    position, was_killed = 0, True
    while was_killed:
        folder = prepared(tmp_path / str(position))
        before, photos = seen(folder), photos_anywhere(folder)
        changes = Changes(folder)
        with failing_at(monkeypatch, position, killed=True, half=half) as calls:
            with suppress(Killed):
                ONE_OF_EACH[name](changes)
            was_killed = len(calls) > position
        changes.close()
        for left in folder.rglob(".retrain-*.tmp"):  # whose locks would be let go with the process
            shutil.rmtree(left)
        with Changes(folder) as changes:
            there = photos_anywhere(folder)
            assert photos <= there and there - photos <= Counter([png(98), png(99)])
            assert not list((folder / ".studio").glob("new*"))
            listed = [photo.file.path for photo in list_folder(folder).photos]
            in_trash = [path for path in (folder / ".trash").rglob("*") if path.is_file()]
            assert len(listed) + len([path for path in in_trash if path.suffix in (".png", ".jpg")]) == len(
                [1 for data in there.elements() if data[:4] == b"\x89PNG"]
            )
            undo_all(changes)
            undone = seen(folder)
        position += 1
        expected = filled(tmp_path / f"{position} as it was")
        assert undone == seen(expected), calls
        assert before  # else nothing was there to lose
    assert position >= 4


def test_a_kill_while_the_kill_before_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    position, was_killed = 0, True
    while was_killed:
        folder = prepared(tmp_path / str(position))
        photos = photos_anywhere(folder)
        changes = Changes(folder)
        with failing_at(monkeypatch, 3, killed=True), suppress(Killed):
            changes.rename_class("dog", "cat")
        changes.close()
        with failing_at(monkeypatch, position, killed=True) as calls, suppress(Killed):
            Changes(folder).close()
        was_killed = len(calls) > position
        with Changes(folder) as changes:
            assert photos_anywhere(folder) == photos
            assert list_folder(folder).classes == ("cat",)
            undo_all(changes)
        position += 1
        assert seen(folder) == seen(filled(tmp_path / f"{position} as it was")), calls
    assert position >= 5


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_full_disk_changes_nothing_and_is_said(
    name: str, half: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    position, was_refused, refusals = 0, True, 0
    while was_refused:
        folder = prepared(tmp_path / str(position))
        before = seen(folder)
        with Changes(folder) as changes:
            last = changes.last
            with failing_at(monkeypatch, position, killed=False, half=half) as calls:
                try:
                    ONE_OF_EACH[name](changes)
                except StudioError as error:
                    refusals += 1
                    assert "No space left on device. All photos are there; make room" in str(error)
                    if name != "add to a burst":
                        assert seen(folder) == before and changes.last == last
                was_refused = len(calls) > position
            assert not list((folder / ".studio" / "new").glob("*"))
            changes.add("dog", "after.png", png(97))
        with Changes(folder) as changes:
            undo_all(changes)
        position += 1
        assert seen(folder) == seen(filled(tmp_path / f"{position} as it was")), calls
    assert refusals >= 2


def paths_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.relative_to(folder).parts[0].startswith("."))


def somebody_else(folder: Path, what: int, which: int) -> Counter[bytes]:
    """Something that a person does in a file manager, or a program in the trash; the photos that are gone by it."""
    trash = folder / ".trash"
    found = [*paths_below(folder), *(sorted(trash.rglob("*")) if what == 5 else [])]
    if not found:
        return Counter()
    path = found[which % len(found)]
    gone = photos_anywhere(folder)
    with suppress(OSError):
        if what == 0:
            path.unlink()
        elif what == 1:
            path.rename(folder / ("cat", "dog/old", "new")[which % 3])
        elif what == 2:
            path.rename(path.with_name(f"renamed {which}{path.suffix}"))
        elif what == 3:
            path.write_bytes(png(300 + which))
        elif what == 4:
            path.rmdir()
            path.symlink_to(folder.parent)
        elif what == 5:
            shutil.rmtree(path)
        else:
            path.parent.joinpath(f"{which % 3}.jpg").write_bytes(png(400 + which))
    return gone - photos_anywhere(folder)


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 30), st.integers(0, 30)),
            st.tuples(st.just("somebody else"), st.integers(0, 6), st.integers(0, 30)),
        ),
        max_size=20,
    )
)
def test_whatever_somebody_else_does_no_photo_is_lost(operations: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = filled(Path(place) / "pets")
        photos = photos_anywhere(folder)
        with Changes(folder) as changes:
            for name, one, other in [*operations, *[("undo", 0, 0)] * (len(operations) + 1)]:
                if name == "somebody else":
                    photos -= somebody_else(folder, one, other)
                else:
                    with suppress(StudioError):
                        OPERATIONS[name](changes, one, other)
                assert photos <= photos_anywhere(folder)
                photos = photos_anywhere(folder)
                list_folder(folder)
            assert changes.last is None, "nothing that others do keeps what was before from being taken back"
        with Changes(folder) as changes:
            assert changes.last is None
            assert photos == photos_anywhere(folder)
        assert os.listdir(place) == ["pets"]
