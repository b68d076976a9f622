"""Changes that are written into the journal, done, and taken back: all of one, or nothing of it."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from label_image.files import sync_folder
from label_image.terminal import shown
from retrain.core.language import translated
from retrain.studio.journal import Action, Change, Entry, Journal, Step
from retrain.studio.moving import can_lie_at, free_name, move, remove_if_empty, status_of
from retrain.studio.own_folders import OWN, TRASH, check_own_folders

MOST_DIGITS = 9


class Journalled:
    """What has been done to one folder and can be taken back. Not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        """Finish what an earlier process left half done. Raises StudioError where another one is at it, and OSError."""
        self.folder = folder
        check_own_folders(folder)
        (folder / OWN).mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder / OWN / "changes.jsonl")
        try:
            self._finish_last()
        except BaseException:
            self._journal.close()
            raise

    @property
    def is_there(self) -> bool:
        """Whether the folder is still the one whose journal this is, and not a copy that took its place."""
        return self._journal.is_there

    @property
    def last(self) -> Entry | None:
        """The last change that was not taken back. Any thread may ask."""
        return next(iter(self._journal.entries[-1:]), None)

    def close(self) -> None:
        """Let another process change the folder."""
        self._journal.close()

    def entry(self, action: Action, label: str | None, to: str | None, count: int) -> Entry:
        """A change with the next number."""
        trash = self.folder / TRASH
        found = os.listdir(trash) if trash.is_dir() else []
        numbers = [int(name) for name in found if name.isdecimal() and len(name) <= MOST_DIGITS]
        return Entry(max([self._journal.highest, *numbers]) + 1, action, label, to, count)

    def in_trash(self, entry: Entry, name: str) -> str:
        """Where something goes that a change removes."""
        return f"{TRASH}/{entry.number:04}/{name}"

    def do(self, entry: Entry, steps: list[Step], classes: Sequence[str] = ()) -> Change:
        """Say it, do it, and say that it is done. Raises OSError, and nothing is changed then."""
        folders = [*classes, *self._missing(step.target for step in steps)]
        place = self._journal.begin(entry, steps, folders)
        try:
            self._perform(steps, folders)
        except BaseException:
            if self._is_taken_back(steps, folders):
                self._journal.take_back(place)
            else:
                self._done(entry, steps, folders)  # as far as it went
            raise
        self._done(entry, steps, folders)
        return entry.change()

    def undo(self) -> Change | None:
        """Take back the last change; None if there is none. Raises OSError, and nothing is taken back."""
        if not self._journal.entries:
            return None
        entry = self._journal.entries[-1]
        steps, kept = self._planned_undo(entry)
        place = self._journal.begin_undo(entry, steps)
        try:
            self._perform(steps)
        except BaseException:
            if self._is_taken_back(steps):
                self._journal.take_back(place)
            raise
        return self._end_undo(entry, steps, kept)

    def _finish_last(self) -> None:
        """Do what an earlier process had said and not done to its end."""
        work = self._journal.unfinished
        if work is None:
            return
        if work.is_undo:
            self._perform(work.steps, is_late=True)
            self._end_undo(work.entry, work.steps, ())
        else:
            self._perform(work.steps, work.entry.folders, is_late=True)
            work.entry.steps[work.first :] = work.steps
            self._journal.finish(work.entry, is_undo=False)

    def _perform(self, steps: list[Step], folders: Sequence[str] = (), is_late: bool = False) -> None:
        """Make folders, and do steps in their order; each gets the target at which it ended. Raises OSError.

        Where that `is_late` somebody may have given the name of a folder to another one: both stay as they are.
        """
        touched = set[str]()
        for name in filter(self._is_own, folders):
            (self.folder / name).mkdir(exist_ok=True)
            touched.add(name.rpartition("/")[0])
        for position, step in enumerate(steps):
            try:
                target = move(self.folder, step, partial(self._journal.instead, position))
            except (FileExistsError, NotADirectoryError) as error:
                if is_late and (step.is_folder or isinstance(error, NotADirectoryError)):
                    continue
                raise
            if target is not None:
                steps[position] = replace(step, target=target)
                touched.add(target.rpartition("/")[0])
        for name in touched:  # a power cut now leaves nothing in two places, nor in none
            with suppress(FileNotFoundError):
                sync_folder(self.folder / name)

    def _is_own(self, name: str) -> bool:
        """Whether a path leads through no link: the journal may be a stranger's, and name what lies elsewhere."""
        return can_lie_at(self.folder, name)

    def _missing(self, targets: Iterable[str]) -> list[str]:
        """The folders that have to be made for files to lie at these paths, the outer ones first; not in the trash."""
        wanted: dict[str, None] = {}
        for above in dict.fromkeys(target.rpartition("/")[0] for target in targets):
            parts = above.split("/") if above else []
            if parts[:1] != [TRASH]:
                wanted |= dict.fromkeys("/".join(parts[: end + 1]) for end in range(len(parts)))
        return [name for name in wanted if not os.path.lexists(self.folder / name)]

    def _done(self, entry: Entry, steps: Sequence[Step], folders: Sequence[str]) -> None:
        if self.last is not entry:
            self._journal.entries.append(entry)
        entry.steps += steps
        entry.folders += folders
        self._journal.finish(entry, is_undo=False)

    def _is_taken_back(self, steps: Sequence[Step], folders: Sequence[str] = ()) -> bool:
        """Whether all steps that were done could be done the other way."""
        try:
            for step in reversed(steps):
                if status_of(self.folder / step.source) is None:
                    back = replace(step, source=step.target, target=step.source)
                    move(self.folder, back, lambda name: None)
        except OSError:
            return False
        for name in reversed(folders):
            _is_removed(self.folder / name)
        return True

    def _planned_undo(self, entry: Entry) -> tuple[list[Step], list[Step]]:
        """The steps back, and those that cannot be taken back."""
        steps: list[Step] = []
        kept: list[Step] = []
        taken: set[str] = set()
        for step in reversed(entry.steps):
            status = status_of(self.folder / step.target) if self._is_own(step.target) else None
            goal = self.in_trash(entry, step.target) if entry.action == "add" else step.source
            is_free = can_lie_at(self.folder, goal) and not (step.is_folder and os.path.lexists(self.folder / goal))
            if status is None or not step.is_of(status) or not is_free:
                if entry.action != "merge" or not step.is_folder:  # there it is but what was left of the folder
                    kept.append(step)
                continue
            goal = goal if step.is_folder else free_name(self.folder, goal, taken)
            taken.add(goal)
            steps.append(Step.of(step.target, goal, status))
        return steps, kept

    def _end_undo(self, entry: Entry, steps: Sequence[Step], kept: Sequence[Step]) -> Change:
        """Remove folders that were made for a change, which is then taken back; what stays as it is, as a remark."""
        stays = [name for name in reversed(entry.folders) if self._is_own(name) and not _is_removed(self.folder / name)]
        if entry.action != "add":
            remove_if_empty(self.folder / TRASH / f"{entry.number:04}")
        self._journal.finish(entry, is_undo=True)
        self._journal.entries.pop()
        before = {step.source for step in entry.steps}
        renamed = [step.target for step in steps if entry.action != "add" and step.target not in before]
        count = 0 if any(step.is_folder for step in kept) else max(0, entry.count - len(kept))
        if kept:
            names = _some(step.target for step in kept)
            remark = translated("Not taken back, for somebody has changed or moved it since: {names}.", names=names)
        elif renamed:
            remark = translated("Back by another name, for its own is taken: {names}.", names=_some(renamed))
        elif stays and entry.action == "make":
            remark = translated("The class {name} has files by now, and stays.", name=shown(stays[0]))
        else:
            remark = ""
        return entry.change(count, remark)


def _some(names: Iterable[str]) -> str:
    first, *others = names
    if not others:
        return shown(first)
    return translated("{name} and {number:,} more", name=shown(first), number=len(others))


def _is_removed(folder: Path) -> bool:
    """Remove a folder if it is empty; whether it is gone."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
