"""Putting an export in place: written aside first, renamed, and nothing of the user's lost.

An export directory is known to be ours by its manifest, so a new one replaces it and the one
before is kept as `<name>.previous`. One that cannot be renamed (a mount point, or a folder in one that
may not be written to) is filled file by file, the manifest last, and the one before is in `previous` inside it.
The one before that is dropped, unless it holds formats that the one before lacks, or files of the user in its folders:
then it is kept under a number.

At every moment, also after a kill, the export and the one before each lie complete under one of these two names:
so what lies under a temporary name is never anybody's last copy.
"""

import errno
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from label_image.files import sha256_of_all, sync_all
from label_image.manifest import FORMAT, MANIFEST, UNFINISHED, unchecked_manifest
from label_image.signals import deferred
from retrain.core.errors import ExportError
from retrain.core.outputs import is_export, move_aside, require_writable
from retrain.core.placing import (
    KEPT_INSIDE,
    NO_RENAME,
    alone_in,
    can_be_removed,
    can_be_replaced,
    exchange,
    fill_in_place,
    is_empty,
    is_kept,
    is_passed_over,
    put,
)
from retrain.exports.card import CARD
from retrain.exports.clients import CLIENTS, FILES, changed_clients
from retrain.exports.registry import FORMATS
from retrain.photos.record import NAME as DATASET

MEANWHILE = {"format": FORMAT, UNFINISHED: "An export is being written here, or its run was killed: run it again."}
ATTEMPTS = 20  # to replace an export that another run is replacing, too
REMARKS = "remarks.csv"  # on photos that are used: what is missing of those that end early
EXPORT_NAMES = frozenset(
    {
        MANIFEST, "labels.txt", "metrics.json", "skipped.csv", REMARKS, "learning_curves.png", "comparison.json",
        "seen_photos.npy", DATASET, CARD, CLIENTS, KEPT_INSIDE,
        *(name for format in FORMATS.values() for name in format.files),
    }
)  # fmt: skip


def check_export_dir(folder: Path) -> None:
    """Refuse, before any work, a folder where something else lies, or that cannot be written to. Raises ExportError."""
    folder_itself = Path(os.path.realpath(folder))
    if folder_itself in (Path.cwd(), *Path.cwd().parents):
        raise ExportError(f"`output_dir` {folder} is the current folder or holds it: choose a folder inside it.")
    holder = next(filter(is_export, folder_itself.parents), None)
    if holder is not None:
        raise ExportError(f"`output_dir` {folder} lies in the export {holder}: choose a folder outside of it.")
    in_place = not can_be_replaced(folder_itself) and folder.is_dir()
    _check_previous(folder_itself / KEPT_INSIDE if in_place else previous_of(folder_itself))
    if os.path.lexists(folder_itself) and not folder_itself.is_dir():
        raise ExportError(f"`output_dir` {folder} is not a folder: choose a folder.")
    require_writable(folder_itself if in_place else folder_itself.parent, f"`output_dir` {folder}")
    if not folder.exists():
        return
    foreign = _foreign(folder)
    if foreign:
        raise ExportError(
            f"`output_dir` {folder} holds {foreign[0]!r}, which is not part of an export: "
            "move it away, or choose another folder."
        )
    if not is_empty(folder) and not is_export(folder):
        raise ExportError(
            f"`output_dir` {folder} is not empty and holds no {MANIFEST} of this project: choose another folder."
        )


def replace_export(new: Path, folder: Path, say: Callable[[str], None] = lambda sentence: None) -> Path | None:
    """Put a finished export in place; readers see the old one or the new one, never half of one.

    What it holds is on the disk before. Returns where the old one went. Of two runs at the same time, the last one's
    is there, and the other's is the one before. `say` is told of an older one that is kept. Raises ExportError or
    OSError.
    """
    folder = Path(os.path.realpath(folder))  # of a link to a folder, the folder is replaced
    sync_all(new)
    if can_be_replaced(folder):
        with alone_in(folder.parent), alone_in(folder):  # in itself, another run may just write a further format
            try:
                return _replace(new, folder, say)
            except OSError as error:
                if error.errno not in NO_RENAME or not folder.is_dir():
                    raise
    with alone_in(folder):
        kept = folder / KEPT_INSIDE
        _check_previous(kept)
        is_whole = is_export(folder) and not unchecked_manifest(folder).get(UNFINISHED)
        if is_whole:
            _keep_further_formats(kept, folder, say)
        fill_in_place(new, folder, MANIFEST, kept if is_whole else None, json.dumps(MEANWHILE).encode())
        return kept if is_whole else None


def _replace(new: Path, folder: Path, say: Callable[[str], None]) -> Path | None:
    previous = previous_of(folder)
    for attempt in range(ATTEMPTS):
        _check_previous(previous)
        try:
            with deferred():
                if not folder.exists() or not os.listdir(folder):
                    os.rename(new, folder)
                    return None
                if not is_export(folder) and is_empty(folder):  # of what is not passed over
                    if not exchange(new, folder):
                        os.rename(folder, new.with_name("passed_over"))
                        os.rename(new, folder)
                    return None
                _keep_further_formats(previous, folder, say)
                if not _exchange_through(new, folder, previous):
                    if os.path.lexists(previous):
                        os.rename(previous, new.with_name(f"older.{attempt}"))
                    os.rename(folder, previous)
                    os.rename(new, folder)
                return previous
        except OSError as error:  # another run, on a file system without locks
            if error.errno not in (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY) or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _keep_further_formats(previous: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Give the export before a number if it holds formats that the one which takes its name lacks, or the user's."""
    further = sorted(_formats(previous) - _formats(folder)) or _the_user_s(previous)
    if further:
        kept = move_aside(previous)
        say(f"{previous} holds {', '.join(further)}, the export after it does not: it is kept as {kept}.")


def _the_user_s(export: Path) -> list[str]:
    """Files in folders of an export that no export writes so: of the user, or changed by hand."""
    changed = changed_clients(export) if (export / CLIENTS).is_dir() else []
    return sorted({*foreign_inside(export), *(path.relative_to(export).as_posix() for path in changed)})


def foreign_inside(export: Path) -> list[str]:
    """What lies in the folders of an export and is of no export, by its path there."""
    variables = (path for path in (export / "variables").glob("*") if not path.name.startswith("variables."))
    clients = (path for path in (export / CLIENTS).glob("*") if path.name not in FILES)
    return sorted(path.relative_to(export).as_posix() for path in (*variables, *clients))


def _formats(folder: Path) -> set[str]:
    """Those that lie in an export, if there is one."""
    return {name for name, format in FORMATS.items() if any((folder / file).exists() for file in format.files)}


def _exchange_through(new: Path, folder: Path, previous: Path) -> bool:
    """Put a new export in place and the old one to `previous`, where there is a step for it; else nothing is done.

    The new one comes to `previous` first and changes places with the old one there: whenever this is cut off, both
    are complete under a name that a user knows, and only the one before them is under a temporary one.
    """
    had_previous = os.path.lexists(previous)
    if not had_previous:
        os.rename(new, previous)
    elif not exchange(new, previous):
        return False
    done = False
    try:
        done = exchange(previous, folder)
    finally:
        if not done and had_previous:
            exchange(new, previous)
        elif not done:
            os.rename(previous, new)
    return done


def put_into_export(new: Path, target: Path) -> None:
    """Put a finished file or folder into an export; readers see the old one or the new one. Raises OSError.

    What was there is gone: it was made from the same export, and can be made again. See `keep_if_changed`.
    """
    sync_all(new)
    with deferred():
        put(new, target)


def keep_if_changed(target: Path, new: Path, proof: Mapping[str, object]) -> Path | None:
    """Move aside what lies where a format comes, unless the export wrote it, by its `proof`; returns where it is.

    Formats of trainings, and of older exports, have no digest in theirs: then they count as unchanged. Raises OSError.
    """
    if not os.path.lexists(target):
        return None
    if not target.is_symlink() and target.is_dir() == new.is_dir():
        digest = sha256_of_all(target)
        if digest == sha256_of_all(new) or digest == proof.get("sha256", digest if proof else None):
            return None
    kept = move_aside(target)
    if new.is_dir() and not target.is_dir() and os.path.lexists(target):
        target.unlink()  # a file, which has both names until another takes its place: a folder cannot
    return kept


def previous_of(folder: Path) -> Path:
    """Where an export goes when the next one takes its place."""
    folder = Path(os.path.realpath(folder))
    return folder.with_name(f"{folder.name}.previous")


def _check_previous(previous: Path) -> None:
    if not os.path.lexists(previous):
        return
    if previous.is_symlink() or not previous.is_dir() or not (is_empty(previous) or is_export(previous)):
        raise ExportError(f"{previous} is not an earlier export, and is in the way: move it away.")
    if _foreign(previous):
        raise ExportError(f"{previous} holds more than an earlier export, and is in the way: move it away.")
    if not can_be_removed(previous):
        raise ExportError(
            f"{previous}, an earlier export, is in the way and may not be removed by this user: "
            "move it away, or choose another `output_dir`."
        )


def _foreign(folder: Path) -> list[str]:
    names = set(os.listdir(folder)) - EXPORT_NAMES
    return sorted(name for name in names if not is_passed_over(name) and not is_kept(name))
