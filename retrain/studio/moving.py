"""Files and folders that go from one name to another within the studio's folder: never over another one.

A move is one rename. Only where a class lies on another file system it is a copy that is on the disk, and was compared,
before the photo is removed.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Collection
from pathlib import Path

from label_image.files import sync_all, temporary_folder
from label_image.many.placing import has_same_content, names_for
from label_image.renaming import rename_unless_there
from retrain.studio.journal import Step

ATTEMPTS = 100  # to find a name that nobody takes at the same moment


def move(folder: Path, step: Step, otherwise: Callable[[str], None]) -> str | None:
    """Do a step that has not been done, or only half: the path at which it has ended, None if there is nothing to do.

    `otherwise` is told of another target before it is taken, where the planned one is another's. Raises OSError;
    FileExistsError where a folder would take the place of something, NotADirectoryError where it would lie in none.
    """
    source, target = folder / step.source, step.target
    if not can_lie_at(folder, step.source):
        return None  # what is there lies elsewhere, behind a link
    if not can_lie_at(folder, target):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder / target))
    for _ in range(ATTEMPTS):
        status = status_of(source)
        if status is None or not step.is_of(status):
            return None  # it was done before, or is gone
        place = folder / target
        if os.path.lexists(place):
            if _is_the_same(source, place, step):
                os.unlink(source)  # a kill between a copy, or a link, and the end of the other name
                return target
            if step.is_folder:
                if not os.path.samestat(status, os.lstat(place)):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))
                os.rename(source, place)  # another case of its name, where that makes no difference
                return target
            target = free_name(folder, target)
            otherwise(target)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            _rename(source, place)
        except FileExistsError:
            if step.is_folder:
                raise
            continue  # somebody has just taken the name
        except FileNotFoundError:
            if os.path.lexists(source):
                continue  # the folder for it has just been removed
            return None
        return target
    raise OSError(errno.EAGAIN, "somebody else changes it all the time", str(source))


def free_name(folder: Path, wanted: str, taken: Collection[str] = ()) -> str:
    """The first of `a.jpg`, `a-2.jpg`, `a-3.jpg` that is neither there nor `taken`, as a path from the folder."""
    above, _, name = wanted.rpartition("/")
    prefix = f"{above}/" if above else ""
    for path in names_for(name, folder / above):
        found = prefix + os.path.basename(path)
        if found not in taken and not os.path.lexists(path):
            return found
    raise AssertionError("numbers do not end")


def can_lie_at(folder: Path, name: str) -> bool:
    """Whether there can be a file of that path: what it lies in are real folders, or not there yet."""
    above = folder
    for part in name.split("/")[:-1]:
        above = above / part
        status = status_of(above)
        if status is None:
            return True
        if not stat.S_ISDIR(status.st_mode):
            return False
    return True


def status_of(path: Path) -> os.stat_result | None:
    """What `os.lstat` says of a path; None where there is nothing. Raises OSError for what cannot be known."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def remove_if_empty(folder: Path) -> bool:
    """Remove a folder, and empty ones in it, if there is no file; whether it is gone."""
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            return False
    return True


def _rename(source: Path, target: Path) -> None:
    try:
        rename_unless_there(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV or not stat.S_ISREG(os.lstat(source).st_mode):
            raise
        with temporary_folder(target.parent) as scratch:
            copy = scratch / "photo"
            shutil.copy2(source, copy)
            sync_all(copy)
            if not has_same_content(str(source), str(copy)):
                raise OSError(errno.EBUSY, "it was changed while it was copied", str(source)) from None
            rename_unless_there(copy, target)
        os.unlink(source)


def _is_the_same(source: Path, target: Path, step: Step) -> bool:
    """Whether what is at the target is what lies at the source, by a link or as the copy that `_rename` makes."""
    if step.is_folder or os.path.islink(target):
        return False
    one, other = os.lstat(source), os.lstat(target)
    if os.path.samestat(one, other):
        return one.st_nlink > 1  # else they are one name, by a folder that is mounted twice
    return step.is_of(other) and has_same_content(str(source), str(target))
