"""Changes that are written into the journal, done, and taken back: all of one, or nothing of it."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from label_image.files import sync_folder
from label_image.terminal import shown
from retrain.studio.journal import Action, Change, Entry, Journal, Step
from retrain.studio.moving import free_name, move, remove_if_empty, status_of

OWN = ".studio"
TRASH = ".trash"


class Journalled:
    """What has been done to one folder and can be taken back. Not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        """Finish what an earlier process left half done. Raises StudioError where another one is at it, and OSError."""
        self.folder = folder
        (folder / OWN).mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder / OWN / "changes.jsonl")
        try:
            self._finish_last()
        except BaseException:
            self._journal.close()
            raise

    @property
    def last(self) -> Entry | None:
        """The last change that was not taken back."""
        return self._journal.entries[-1] if self._journal.entries else None

    def close(self) -> None:
        """Let another process change the folder."""
        self._journal.close()

    def entry(self, action: Action, label: str | None, to: str | None, count: int) -> Entry:
        """A change with the next number."""
        trash = self.folder / TRASH
        numbers = [int(name) for name in os.listdir(trash) if name.isdecimal()] if trash.is_dir() else []
        return Entry(max([self._journal.highest, *numbers]) + 1, action, label, to, count)

    def in_trash(self, entry: Entry, name: str) -> str:
        return f"{TRASH}/{entry.number:04}/{name}"

    def do(self, entry: Entry, steps: list[Step], folders: Sequence[str] = ()) -> Change:
        """Say it, do it, and say that it is done. Raises OSError, and nothing is changed then."""
        place = self._journal.begin(entry, steps, folders)
        self._perform(steps, place, folders)
        with suppress(OSError):  # a full disk: the next start looks whether it is done
            self._journal.finish(entry, False)
        if not (self._journal.entries and self._journal.entries[-1] is entry):
            self._journal.entries.append(entry)
        entry.steps += steps
        entry.folders += folders
        return entry.change()

    def undo(self) -> Change | None:
        """Take back the last change; None if there is none. Raises OSError, and nothing is taken back."""
        if not self._journal.entries:
            return None
        entry = self._journal.entries[-1]
        steps, kept = self._planned_undo(entry)
        place = self._journal.begin_undo(entry, steps)
        self._perform(steps, place)
        remark = self._end_undo(entry, kept)
        return entry.change(entry.count if not kept else max(0, entry.count - len(kept)), remark)

    def _finish_last(self) -> None:
        work = self._journal.unfinished
        if work is None:
            return
        if not work.is_undo:
            self._make_folders(work.entry.folders)
        self._perform(work.steps, None)
        if work.is_undo:
            self._end_undo(work.entry, [])
        else:
            work.entry.steps[work.first :] = work.steps
            self._journal.finish(work.entry, False)

    def _perform(self, steps: list[Step], place: int | None, folders: Sequence[str] = ()) -> None:
        """Do steps, in their order; each gets the target at which it ended.

        If one cannot be done those before it are taken back, and what the journal says from `place` on.
        """
        done: list[Step] = []
        touched: set[Path] = set()
        try:
            self._make_folders(folders)
            for position, step in enumerate(steps):
                target = move(self.folder, step, lambda name, at=position: self._journal.instead(at, name))  # type: ignore[misc]
                if target is not None:
                    steps[position] = Step(step.source, target, step.inode, step.size, step.mtime_ns)
                    done.append(steps[position])
                    touched.update(((self.folder / target).parent, (self.folder / step.source).parent))
            for folder in touched:
                with suppress(FileNotFoundError):
                    sync_folder(folder)
        except OSError:
            if place is not None and self._taken_back(done):
                for name in folders:
                    remove_if_empty(self.folder / name)
                self._journal.take_back(place)
            raise

    def _taken_back(self, done: Iterable[Step]) -> bool:
        """Whether all of these steps could be done the other way."""
        try:
            for step in reversed(list(done)):
                back = Step(step.target, step.source, step.inode, step.size, step.mtime_ns)
                if move(self.folder, back, lambda name: None) != step.source:
                    return False
        except OSError:
            return False
        return True

    def _planned_undo(self, entry: Entry) -> tuple[list[Step], list[str]]:
        """The steps back, and the names of what cannot go back."""
        steps: list[Step] = []
        kept: list[str] = []
        taken: set[str] = set()
        for step in reversed(entry.steps):
            status = status_of(self.folder / step.target)
            goal = self.in_trash(entry, step.target) if entry.action == "add" else step.source
            if status is None or not step.is_of(status) or (step.is_folder and os.path.lexists(self.folder / goal)):
                kept.append(step.target)
                continue
            goal = goal if step.is_folder else free_name(self.folder, goal, taken)
            taken.add(goal)
            steps.append(Step.of(step.target, goal, status))
        return steps, kept

    def _end_undo(self, entry: Entry, kept: Sequence[str]) -> str:
        """Remove folders that were made for a change; what could not be taken back, as a sentence."""
        stays = [name for name in entry.folders if not _removed(self.folder / name)]
        if entry.action != "add":
            remove_if_empty(self.folder / TRASH / f"{entry.number:04}")
        with suppress(OSError):
            self._journal.finish(entry, True)
        self._journal.entries.pop()
        if kept:
            what = shown(kept[0]) + (f" and {len(kept) - 1} more" if len(kept) > 1 else "")
            return f"Not taken back, for somebody has changed or moved it since: {what}."
        if stays and entry.action == "make":
            return f"The class {shown(stays[0])} has files by now, and stays."
        return ""

    def _make_folders(self, names: Iterable[str]) -> None:
        for name in names:
            (self.folder / name).mkdir(exist_ok=True)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return not folder.exists()
    return True
