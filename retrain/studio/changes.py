"""Every change of files in the studio's folder: photos added, moved and removed, classes made, renamed and removed.

Nothing is ever deleted or overwritten. What is removed goes to `.trash/<number of the change>/`, by one rename; and
each change is written into the journal before it happens, so that a kill at any moment leaves each photo in one place,
and each change can be taken back.
"""

import os
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from label_image.files import remove_leftovers
from label_image.folders import is_litter
from label_image.preprocessing import read_header
from label_image.terminal import shown
from retrain.core.errors import StudioError
from retrain.core.language import translated, translated_count
from retrain.insight.html.rendering import shown as on_pages
from retrain.studio.contents import Contents
from retrain.studio.journal import Action, Change, Step
from retrain.studio.journalled import Journalled
from retrain.studio.listing import id_of
from retrain.studio.moving import can_lie_at, free_name, status_of
from retrain.studio.names import check_class_name, photo_name
from retrain.studio.own_folders import NEW
from retrain.studio.refusals import refusals_of

__all__ = ["Added", "Change", "Changes"]

TOGETHER_SECONDS = 2.0  # photos that arrive one after the other are one change


@dataclass(frozen=True)
class Added:
    """A photo that was given: its id and name in the folder. Not `is_new` if the class had the same bytes already."""

    id: str
    name: str
    is_new: bool


@dataclass(frozen=True)
class Arrived:
    """A photo that was written below `NEW` already, by its path from the folder, and what it is to be called."""

    path: str
    label: str | None
    name: str


class Changes:
    """The one way to change the folder; of one process alone, and of any number of threads."""

    def __init__(self, folder: Path) -> None:
        """Finish what an earlier process left half done. Raises StudioError."""
        self.folder = Path(os.path.abspath(folder))
        self._lock = threading.RLock()
        self._is_open = True
        self._contents = Contents()
        self._added = float("-inf")  # when the last photo arrived
        with refusals_of(self.folder):
            self._book = Journalled(self.folder)
            self._remove_leftovers()

    def __enter__(self) -> "Changes":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let another process change the folder."""
        with self._lock:
            self._is_open = False
            self._book.close()

    @property
    def last(self) -> Change | None:
        """What `undo` would take back. Waits for nobody: pages ask all the time."""
        last = self._book.last
        return last.change() if last else None

    def add(self, label: str | None, name: str, data: bytes) -> Added:
        """Add a photo to a class, which is made if it is not there; None is unlabelled.

        Raises PhotoError for what is no photo, and StudioError.
        """
        name = photo_name(name, data)
        read_header(data)
        with self._changing():
            label = self._class(label)
            known = self.known(label, data)
            if known is not None:
                return Added(id_of(known), known, False)
            path = self._write_new(data)
            try:
                (step,) = self._arrive([Arrived(path, label, name)], label, time.monotonic() - self._added)
            finally:
                (self.folder / path).unlink(missing_ok=True)
            self._added = time.monotonic()
            return Added(id_of(step.target), step.target, True)

    def known(self, label: str | None, data: bytes) -> str | None:
        """The name of a photo of these bytes in a class, or among the unlabelled ones; None if there is none."""
        with self._lock:
            found = self._contents.find(self.folder / (label or ""), data, deep=label is not None)
        return None if found is None else found.relative_to(self.folder).as_posix()

    @contextmanager
    def arriving(self) -> Iterator[Path]:
        """A new folder, in the same file system, for what is to be added by `add_arrived`; removed with the rest."""
        with refusals_of(self.folder):
            folder = self.folder / NEW / secrets.token_hex(8)
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add_arrived(self, photos: Sequence[Arrived], label: str | None) -> list[Added]:
        """Add photos that lie in an `arriving` folder, as one change. Raises StudioError."""
        with self._changing():
            steps = self._arrive(photos, label, float("inf")) if photos else []
            self._added = float("-inf")
            return [Added(id_of(step.target), step.target, True) for step in steps]

    def class_for(self, label: str, others: Iterable[str] = ()) -> str:
        """The class of that name, which is there or could be made beside `others`. Raises StudioError."""
        classes = self.classes()
        return label if label in classes or label in others else self._new_class(label, [*classes, *others])

    def move(self, names: Sequence[str], label: str | None) -> Change:
        """Give photos to a class, which is made if it is not there; None takes their class from them.

        What is gone, or there already, is passed over. Raises StudioError.
        """
        return self._move([(name, label) for name in names], "move", label)

    def accept(self, guesses: Sequence[tuple[str, str]]) -> Change:
        """Give photos to the classes that were guessed, each to its own, as one change. Raises StudioError."""
        return self._move(guesses, "accept", None)

    def _move(self, moves: Sequence[tuple[str, str | None]], action: Action, label: str | None) -> Change:
        with self._changing():
            classes = {asked: self._class(asked) for asked in dict.fromkeys([label, *(to for _, to in moves)])}
            wanted = dict(moves)
            steps: list[Step] = []
            taken: set[str] = set()
            for name, status in self._there(wanted):
                to = classes[wanted[name]]
                if self._label_of(name) != to:
                    given = name.rpartition("/")[2]
                    target = free_name(self.folder, f"{to}/{given}" if to else given, taken)
                    self._check_link(name, target)
                    taken.add(target)
                    steps.append(Step.of(name, target, status))
            to = classes[label]
            if not steps:
                return Change(0, action, 0, None, to)
            return self._book.do(self._book.entry(action, None, to, len(steps)), steps)

    def remove(self, names: Sequence[str]) -> Change:
        """Put photos into the trash; what is gone is passed over. Raises StudioError."""
        with self._changing():
            entry = self._book.entry("remove", None, None, 0)
            steps = [Step.of(name, self._book.in_trash(entry, name), status) for name, status in self._there(names)]
            if not steps:
                return Change(0, "remove", 0, None, None)
            entry.count = len(steps)
            return self._book.do(entry, steps)

    def make_class(self, name: str) -> Change:
        """Make a class without photos. Raises StudioError."""
        with self._changing():
            name = self._new_class(name, self.classes())
            return self._book.do(self._book.entry("make", name, None, 0), [], [name])

    def rename_class(self, name: str, to: str) -> Change:
        """Give a class another name or, if there is one of that name, all its photos to that. Raises StudioError."""
        with self._changing():
            name = self._class_on_pages(name)
            status = self._require_class(name)
            if to == name:
                return Change(0, "rename", 0, name, to)
            classes = self.classes()
            if to in classes:
                return self._merge(name, to)
            to = self._new_class(to, [other for other in classes if other != name])
            return self._book.do(self._book.entry("rename", name, to, self._count(name)), [Step.of(name, to, status)])

    def remove_class(self, name: str) -> Change:
        """Put a class with all that is in it into the trash. Raises StudioError."""
        with self._changing():
            name = self._class_on_pages(name)
            status = self._require_class(name)
            entry = self._book.entry("remove_class", name, None, self._count(name))
            return self._book.do(entry, [Step.of(name, self._book.in_trash(entry, name), status)])

    def undo(self) -> Change | None:
        """Take back the last change that was not; None if there is none.

        Photos that were added go to the trash. What others have changed meanwhile stays as it is: `remark` says so.
        Raises StudioError, and nothing is taken back.
        """
        with self._changing():
            return self._book.undo()

    def classes(self) -> list[str]:
        """The folders that are classes, or may become such."""
        with os.scandir(self.folder) as entries:
            return sorted(
                entry.name for entry in entries if not is_litter(entry.name) and entry.is_dir(follow_symlinks=False)
            )

    def _remove_leftovers(self) -> None:
        """Remove what never arrived."""
        shutil.rmtree(self.folder / NEW, ignore_errors=True)
        device = os.stat(self.folder).st_dev
        for name in self.classes():
            if os.stat(self.folder / name).st_dev != device:
                remove_leftovers(self.folder / name)

    def _arrive(self, photos: Sequence[Arrived], label: str | None, since: float) -> list[Step]:
        """Put new photos in their places: as a change of its own, or with those that have just arrived there."""
        steps: list[Step] = []
        taken: set[str] = set()
        for photo in photos:
            target = free_name(self.folder, f"{photo.label}/{photo.name}" if photo.label else photo.name, taken)
            taken.add(target)
            steps.append(Step.of(photo.path, target, os.lstat(self.folder / photo.path)))
        last = self._book.last
        if last is None or last.action != "add" or last.label != label or since > TOGETHER_SECONDS:
            last = self._book.entry("add", label, None, 0)
        last.count += len(steps)
        try:
            self._book.do(last, steps)
        except BaseException:
            last.count -= len(steps)
            raise
        for step in steps:
            place = self.folder / step.target
            self._contents.added(place.parent, place.name, step.size)
        return steps

    def _merge(self, name: str, to: str) -> Change:
        """All files of a class into another, at the same places below it; what is left of its folder to the trash."""
        steps: list[Step] = []
        taken: set[str] = set()
        for path in _files_below(self.folder / name):
            found = path.relative_to(self.folder).as_posix()
            wanted = to + found[len(name) :]
            if not can_lie_at(self.folder, wanted):
                wanted = f"{to}/{path.name}"
            target = free_name(self.folder, wanted, taken)
            taken.add(target)
            steps.append(Step.of(found, target, os.lstat(path)))
        entry = self._book.entry("merge", name, to, len(steps))
        status = self._require_class(name)
        return self._book.do(entry, [*steps, Step.of(name, self._book.in_trash(entry, name), status)])

    def _write_new(self, data: bytes) -> str:
        """Write bytes aside, for good; the path from the folder."""
        path = f"{NEW}/{secrets.token_hex(8)}"
        (self.folder / NEW).mkdir(exist_ok=True)
        descriptor = os.open(self.folder / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except BaseException:
            (self.folder / path).unlink()
            raise
        finally:
            os.close(descriptor)
        return path

    def _class(self, label: str | None) -> str | None:
        return None if label is None else self.class_for(label)

    def _new_class(self, name: str, others: Iterable[str]) -> str:
        """The name that a class gets. Raises StudioError."""
        name = check_class_name(name, others)
        status = status_of(self.folder / name)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise StudioError(
                translated("There is a file or a link called {name}: choose another name.", name=shown(name))
            )
        return name

    def _class_on_pages(self, name: str) -> str:
        """The class that pages call so: bytes of its name that are no text by their numbers."""
        classes = self.classes()
        return name if name in classes else next((one for one in classes if on_pages(one) == name), name)

    def _require_class(self, name: str) -> os.stat_result:
        if name not in self.classes():
            raise StudioError(
                translated("There is no class {name}: somebody has renamed or removed it.", name=shown(name))
            )
        return os.lstat(self.folder / name)

    def _count(self, name: str) -> int:
        return sum(1 for _ in _files_below(self.folder / name))

    def _label_of(self, name: str) -> str | None:
        return name.partition("/")[0] if "/" in name else None

    def _there(self, names: Iterable[str]) -> list[tuple[str, os.stat_result]]:
        """The photos of these names that are there. Raises StudioError if none is."""
        found: list[tuple[str, os.stat_result]] = []
        names = list(dict.fromkeys(names))
        for name in names:
            if "\0" in name or any(part == "" or is_litter(part) for part in name.split("/")):
                raise StudioError(translated("{name} is not a photo of this folder.", name=shown(name)))
            status = status_of(self.folder / name)
            if status is not None and not os.path.isdir(self.folder / name) and can_lie_at(self.folder, name):
                found.append((name, status))
        if names and not found:
            raise StudioError(
                translated_count(
                    "This photo is not there any more: somebody has moved or removed it.",
                    "These {count:,} photos are not there any more: somebody has moved or removed them.",
                    len(names),
                )
            )
        return found

    def _check_link(self, name: str, target: str) -> None:
        """A link that would lead elsewhere from another folder stays where it is."""
        source = self.folder / name
        if source.is_symlink():
            to = os.path.join((self.folder / target).parent, os.readlink(source))
            if os.path.realpath(to) != os.path.realpath(source):
                raise StudioError(
                    translated(
                        "{name} is a link, and would lead nowhere from another folder: copy the photo.",
                        name=shown(name),
                    )
                )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone, and with the journal of the folder that is there now: a copy may have taken its place."""
        with self._lock, refusals_of(self.folder):
            if self._is_open and not self._book.is_there:
                os.stat(self.folder)  # one that is gone is not made anew
                self._book.close()
                self._book = Journalled(self.folder)
                self._added = float("-inf")
            yield


def _files_below(folder: Path) -> Iterator[Path]:
    """All files of a class but hidden ones, and links; no link is followed."""
    for path, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(path, name))]
        folders[:] = sorted(name for name in folders if not is_litter(name) and name not in links)
        for name in sorted([*files, *links]):
            if not is_litter(name):
                yield Path(path, name)
