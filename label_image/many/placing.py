"""One photo into a folder, as a copy or moved there: nothing is overwritten, and at any moment it is somewhere, whole.

What has its name there already and the same content is the photo: nothing is done but, for a move, to remove the other
one. Another content of that name keeps it, and the photo gets a number: `cat-2.jpg`. A move within a file system is one
rename. From another one it is a copy that is on the disk, and was compared, before the photo is removed.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

from label_image.errors import PhotoError
from label_image.files import CHUNK, reason_of, sync_all, sync_folder
from label_image.renaming import rename_unless_there
from label_image.rows import State, state_of

GONE = "is gone: another program has moved or removed it"
GONE_BEHIND_LINK = "is a link to a photo that was moved or removed after it was labelled: remove the link"
CHANGED = "was changed after it was labelled: run the same command again"
LONGEST = 255  # bytes of a name
REFUSED_NAMES = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)  # each file system has its own rules
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # it is the target that is, and not the photo
COPY = "photo"  # the name of a copy that is not finished, in the scratch folder


class Placed(NamedTuple):
    """Where a photo is now, and whether it was there already."""

    path: str
    already: bool


def place_photo(source: str, state: State | None, folder: Path, scratch: Path, move: bool) -> Placed:
    """Copy or move a photo that had this `state` when it was labelled.

    `scratch` is a folder of this run alone, in the file system of `folder`. Raises PhotoError if the photo is gone or
    was changed, and OSError.
    """
    if state_of(source) != state:
        raise PhotoError(_what_became_of(source))
    os.makedirs(folder, exist_ok=True)
    try:
        for target in names_for(source, folder):
            is_there = _place_at(target, source, scratch, move)
            if is_there is not None:
                return Placed(target, is_there)
    except FileNotFoundError:
        if os.path.exists(source):
            raise
        raise PhotoError(_what_became_of(source)) from None
    except OSError as error:
        if error.errno not in REFUSED_NAMES:
            raise
        raise PhotoError(f"cannot have its name in {folder} ({reason_of(error)}): rename it") from None
    raise AssertionError("numbers do not end")


def _what_became_of(source: str) -> str:
    """Of a photo that is not what was labelled."""
    if not os.path.lexists(source):
        return GONE
    return CHANGED if os.path.exists(source) else GONE_BEHIND_LINK


def _place_at(target: str, source: str, scratch: Path, move: bool) -> bool | None:
    """Place a photo under one name; whether it was there already, None if the name is another's."""
    while True:
        if is_same_place(source, target):
            return True
        if os.path.lexists(target):
            if not has_same_content(source, target):
                return None
            if move:
                sync_all(Path(target))  # whoever put it there may not have
                sync_folder(Path(target).parent)
                os.unlink(source)
            return True
        try:
            _put(source, target, scratch, move)
        except FileExistsError:
            continue  # another run has just taken the name
        return False


def names_for(source: str, folder: Path) -> Iterator[str]:
    """The paths that a photo may have in a folder, in the order in which they are tried."""
    name = os.path.basename(source)
    stem, suffix = os.path.splitext(name)
    yield os.path.join(folder, name)
    for number in count(2):
        end = f"-{number}{suffix}"
        while stem and len(os.fsencode(stem + end)) > LONGEST:
            stem = stem[:-1]
        yield os.path.join(folder, stem + end)


def has_same_content(one: str, other: str) -> bool:
    """Whether two files are the same byte for byte; the second one must be a file itself, no link to one."""
    if os.path.islink(other) or not os.path.isfile(other) or os.path.getsize(one) != os.path.getsize(other):
        return False
    with open(one, "rb") as first, open(other, "rb") as second:
        while True:
            part = first.read(CHUNK)
            if part != second.read(CHUNK):
                return False
            if not part:
                return True


def is_same_place(one: str, other: str) -> bool:
    """Whether two paths are one entry of one folder."""
    if os.path.basename(one) != os.path.basename(other):
        return False
    first, second = os.path.dirname(one) or os.curdir, os.path.dirname(other) or os.curdir
    if os.path.realpath(first) == os.path.realpath(second):
        return True
    key = folder_key(first)
    return key is not None and key == folder_key(second)


def folder_key(folder: str | Path) -> tuple[int, int] | None:
    """What is the same for all paths to a folder, those by links and by mounts, too; None if it is not to be had."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None  # some network file systems number nothing


def _put(source: str, target: str, scratch: Path, move: bool) -> None:
    """Raises FileExistsError if the name is taken meanwhile."""
    if not move:
        _copy(source, target, scratch)
        return
    if not os.path.islink(source):  # of a link its photo is copied: moved, it might lead nowhere
        try:
            rename_unless_there(source, target)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    _check_removable(source)
    state = state_of(source)
    _copy(source, target, scratch, for_good=True)
    if state_of(source) not in (state, None):
        raise PhotoError(f"was changed just after it was copied to {target}: both are kept")
    with suppress(FileNotFoundError):  # another run was faster
        os.unlink(source)


def _check_removable(source: str) -> None:
    """Before a copy is made that would then be a second one. Raises PermissionError."""
    folder = os.path.dirname(source) or os.curdir
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), source)


def _copy(source: str, target: str, scratch: Path, for_good: bool = False) -> None:
    """A copy with the photo's dates; `for_good`: it is on the disk, and was compared, before it has its name."""
    copy = scratch / COPY
    try:
        try:
            shutil.copy2(source, copy)
        except OSError as error:
            if error.errno in FULL:
                raise OSError(error.errno, error.strerror, os.path.dirname(target)) from None
            raise
        if for_good:
            sync_all(copy)
            if not has_same_content(source, str(copy)):
                raise PhotoError("was changed while it was copied: run the same command again")
        rename_unless_there(copy, target)
    finally:
        copy.unlink(missing_ok=True)
    if for_good:
        sync_folder(Path(target).parent)
