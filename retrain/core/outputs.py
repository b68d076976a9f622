"""Puts results in their place: written aside first, then renamed, so that nothing of the user's is lost.

An export directory is known to be ours by its manifest, so a new one replaces it and the one
before is kept as `<name>.previous`. One that cannot be renamed (a mount point, or a folder in one that
may not be written to) is filled file by file, the manifest last, and the one before is in `previous` inside it.
A single file or folder asked for by name (`--output_graph`, `--saved_model_dir`) may hold anything: what
is there and differs is moved to `<name>.1`, `<name>.2`, … and never dropped.

At every moment, also after a kill, the export and the one before each lie complete under one of these two names:
so what lies under a temporary name is never anybody's last copy.
"""

import errno
import filecmp
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from label_image.errors import ForeignFileError
from label_image.files import sync_all, temporary_folder
from label_image.foreign_text import parse_json, read_limited
from label_image.manifest import FORMAT as FORMAT
from label_image.manifest import MANIFEST as MANIFEST
from label_image.manifest import UNFINISHED
from label_image.signals import deferred
from retrain.core.errors import ExportError, OptionError
from retrain.core.placing import (
    KEPT_INSIDE,
    NO_RENAME,
    alone_in,
    can_be_removed,
    can_be_replaced,
    exchange,
    existing_parent,
    fill_in_place,
    is_passed_over,
    put,
)
from retrain.exports.names import CLIENTS, FILES

MEANWHILE = {"format": FORMAT, UNFINISHED: "An export is being written here, or its run was killed: run it again."}
ATTEMPTS = 20  # to replace an export that another run is replacing, too
EXPORT_NAMES = frozenset(
    {
        MANIFEST, "labels.txt", "metrics.json", "skipped.csv", "model.tflite",
        "saved_model.pb", "fingerprint.pb", "variables", "assets",
        "learning_curves.png", "comparison.json", "seen_photos.npy", *FILES.values(), CLIENTS, KEPT_INSIDE,
    }
)  # fmt: skip


def check_export_dir(folder: Path) -> None:
    """Refuse, before any work, a folder where something else lies, or that cannot be written to. Raises ExportError."""
    folder_itself = Path(os.path.realpath(folder))
    if folder_itself in (Path.cwd(), *Path.cwd().parents):
        raise ExportError(f"--output_dir {folder} is the current folder or holds it: choose a folder inside it.")
    holder = next(filter(_is_export, folder_itself.parents), None)
    if holder is not None:
        raise ExportError(f"--output_dir {folder} lies in the export {holder}: choose a folder outside of it.")
    in_place = not can_be_replaced(folder_itself) and folder.is_dir()
    _check_previous(folder_itself / KEPT_INSIDE if in_place else previous_of(folder_itself))
    if os.path.lexists(folder_itself) and not folder_itself.is_dir():
        raise ExportError(f"--output_dir {folder} is not a folder: choose a folder.")
    require_writable(folder_itself if in_place else folder_itself.parent, f"--output_dir {folder}")
    if not folder.exists():
        return
    foreign = _foreign(folder)
    if foreign:
        raise ExportError(
            f"--output_dir {folder} holds {foreign[0]!r}, which is not part of an export: "
            "move it away, or choose another folder."
        )
    if not _is_empty(folder) and not _is_export(folder):
        raise ExportError(
            f"--output_dir {folder} is not empty and holds no {MANIFEST} of this project: choose another folder."
        )


def check_file(path: Path, option: str) -> None:
    """Refuse, before any work, what cannot become a new file. Raises OptionError or ExportError; makes nothing."""
    if _is_special(path):
        raise OptionError(f"{option} {path} is not a regular file, and would be replaced: choose another name.")
    require_writable(path.parent, f"{option} {path}")
    if not can_be_replaced(path.absolute()):
        raise ExportError(
            f"{option} {path} is mounted there or another user's, and cannot be replaced: choose another name."
        )


def check_folder(folder: Path, option: str) -> None:
    """Refuse, before any work, a folder that can be neither written to nor made. Raises ExportError; makes nothing."""
    require_writable(folder, f"{option} {folder}")


def check_replaceable_folder(folder: Path, option: str) -> None:
    """Refuse, before any work, what cannot become a new folder. Raises OptionError or ExportError; makes nothing."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise OptionError(f"{option} {folder} is not a folder: choose a folder.")
    itself = Path(os.path.realpath(folder))
    require_writable(itself.parent if can_be_replaced(itself) else itself, f"{option} {folder}")


def require_writable(folder: Path, what: str) -> None:
    """Raises ExportError unless something can be made in a folder, or in the nearest one above it that is there.

    It is tried: what a user may do on a network's disk is not seen otherwise. What killed runs left there is removed.
    """
    there = folder if os.path.lexists(folder) else existing_parent(folder)
    if not there.is_dir():
        raise ExportError(f"{what} cannot be written: {there} is not a folder.")
    try:
        with temporary_folder(there):
            pass
    except OSError as error:
        raise ExportError(
            f"{what} cannot be written: nothing may be written in {there.absolute()} ({error.strerror})."
        ) from None


def check_outside(folder: Path, others: Mapping[str, Path | None], holder: str = "--output_dir") -> None:
    """Refuse other outputs inside the export, which is replaced as a whole, or inside the folder of another `holder`.

    Raises OptionError.
    """
    for option, path in others.items():
        if path is not None and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
            raise OptionError(f"{option} {path} lies in {holder} {folder}: choose a path outside of it.")


def check_distinct(outputs: Mapping[str, Path | None]) -> None:
    """Refuse two outputs of one name. Raises OptionError."""
    options: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        other = options.setdefault(os.path.realpath(path), option)
        if other != option:
            raise OptionError(f"{other} and {option} are both {path}: choose two different paths.")


def check_not_among_photos(image_dir: Path, outputs: Mapping[str, Path | None]) -> None:
    """Refuse outputs where the next run would take them for photos: inside a class folder, or as one of them.

    Files beside the class folders, and whatever is hidden, are not read. Raises OptionError.
    """
    photos = Path(os.path.realpath(image_dir))
    if not photos.is_dir():
        return
    for option, path in outputs.items():
        if path is None:
            continue
        output = Path(os.path.realpath(path))
        if not output.is_relative_to(photos):
            continue
        inside = output.relative_to(photos).parts
        is_file_beside_classes = len(inside) == 1 and output.suffix and not output.is_dir()
        if not is_file_beside_classes and not any(part.startswith(".") for part in inside):
            raise OptionError(f"{option} {path} lies among the photos of {image_dir}: choose a path outside of it.")


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A new empty folder, to write into and rename from to `path`, or to its files where that cannot be renamed.

    Raises ExportError.
    """
    itself = Path(os.path.realpath(path))
    parent = itself.parent if can_be_replaced(itself) else itself
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder(parent))
        except OSError as error:
            raise ExportError(f"{parent} cannot be written to: {error.strerror}.") from None
        yield folder


def replace_export(new: Path, folder: Path) -> Path | None:
    """Put a finished export in place; readers see the old one or the new one, never half of one.

    What it holds is on the disk before. Returns where the old one went. Of two runs at the same time, the last one's
    is there, and the other's is the one before. Raises ExportError or OSError.
    """
    folder = Path(os.path.realpath(folder))  # of a link to a folder, the folder is replaced
    sync_all(new)
    if can_be_replaced(folder):
        with alone_in(folder.parent), alone_in(folder):  # in itself, another run may just write a further format
            try:
                return _replace(new, folder)
            except OSError as error:
                if error.errno not in NO_RENAME or not folder.is_dir():
                    raise
    with alone_in(folder):
        kept = folder / KEPT_INSIDE
        _check_previous(kept)
        is_whole = _is_export(folder) and not _manifest(folder).get(UNFINISHED)
        fill_in_place(new, folder, MANIFEST, kept if is_whole else None, json.dumps(MEANWHILE).encode())
        return kept if is_whole else None


def _replace(new: Path, folder: Path) -> Path | None:
    previous = previous_of(folder)
    for attempt in range(ATTEMPTS):
        _check_previous(previous)
        try:
            with deferred():
                if not folder.exists() or not os.listdir(folder):
                    os.rename(new, folder)
                    return None
                if not _is_export(folder) and _is_empty(folder):  # of what is not passed over
                    if not exchange(new, folder):
                        os.rename(folder, new.with_name("passed_over"))
                        os.rename(new, folder)
                    return None
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

    What was there is gone: it was made from the same export, and can be made again.
    """
    sync_all(new)
    with deferred():
        put(new, target)


def place(new: Path, target: Path) -> Path | None:
    """Move a finished file or folder to `target`; returns where a differing earlier one went.

    Raises ExportError where something else than a file or folder is there, and OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_file() and new.is_file() and filecmp.cmp(new, target, shallow=False):
        new.unlink()
        return None
    if target.is_dir() and new.is_dir() and _same_files(target, new):
        shutil.rmtree(new)
        return None
    if _is_special(target) and not target.is_dir():
        raise ExportError(f"{target} is neither a file nor a folder, and is not replaced: choose another name.")
    if target.is_dir() and new.is_dir() and not can_be_replaced(Path(os.path.realpath(target))):
        return _place_inside(new, target)
    sync_all(new)
    with deferred():
        kept = None
        if target.is_dir() and not os.listdir(target):
            target.rmdir()
        elif target.exists():
            kept = _move_aside(target)
        _move(new, target)
    return kept


def _place_inside(new: Path, target: Path) -> Path | None:
    """`place` for a folder that cannot be renamed: what is there goes to a new folder inside it."""
    kept = None if _is_empty(target) else _free_name(target / KEPT_INSIDE)
    with temporary_folder(target) as temporary:
        near = temporary / "new"
        shutil.move(new, near)
        fill_in_place(near, target, "saved_model.pb", kept)
    return kept


def _move_aside(target: Path) -> Path:
    """Rename what is there to the first number that is free, and stays so: another run may look for one, too."""
    while True:
        kept = _free_name(target)
        try:
            if target.is_dir():
                os.rename(target, kept)  # fails on a folder that is not empty
            else:
                os.link(target, kept, follow_symlinks=False)  # fails if it is there
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                continue
            os.rename(target, kept)  # a file system without links
        return kept


def _free_name(path: Path) -> Path:
    return next(free for number in count(1) if not os.path.lexists(free := path.with_name(f"{path.name}.{number}")))


def _move(new: Path, target: Path) -> None:
    """Rename, by way of a copy beside the target where that is on another file system."""
    try:
        os.replace(new, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with temporary_folder(target.parent) as temporary:
            shutil.move(new, temporary / target.name)
            os.replace(temporary / target.name, target)


def _is_special(path: Path) -> bool:
    """Whether something else than a regular file is there, or a name by which the system gives a stream or device.

    /dev/stdout is a regular file while it is redirected to one; to replace its name would break the machine.
    """
    where = Path(os.path.realpath(path.parent))
    names_streams = where == Path("/dev") or where.is_relative_to("/proc")
    return names_streams or (os.path.lexists(path) and not path.is_file())


def _same_files(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files, byte for byte; links and the like are never the same."""
    names, other_names = ({path.relative_to(folder) for path in folder.rglob("*")} for folder in (one, other))
    return names == other_names and all(_same_path(one / name, other / name) for name in names)


def _same_path(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return False
    if one.is_file() and other.is_file():
        return filecmp.cmp(one, other, shallow=False)
    return one.is_dir() and other.is_dir()


def previous_of(folder: Path) -> Path:
    """Where an export goes when the next one takes its place."""
    folder = Path(os.path.realpath(folder))
    return folder.with_name(f"{folder.name}.previous")


def _check_previous(previous: Path) -> None:
    if not os.path.lexists(previous):
        return
    if previous.is_symlink() or not previous.is_dir() or not (_is_empty(previous) or _is_export(previous)):
        raise ExportError(f"{previous} is not an earlier export, and is in the way: move it away.")
    if _foreign(previous):
        raise ExportError(f"{previous} holds more than an earlier export, and is in the way: move it away.")
    if not can_be_removed(previous):
        raise ExportError(
            f"{previous}, an earlier export, is in the way and may not be removed by this user: "
            "move it away, or choose another --output_dir."
        )


def _foreign(folder: Path) -> list[str]:
    return sorted(name for name in set(os.listdir(folder)) - EXPORT_NAMES if not is_passed_over(name))


def _is_export(folder: Path) -> bool:
    return _manifest(folder).get("format") == FORMAT


def _manifest(folder: Path) -> dict[str, object]:
    try:
        return parse_json(read_limited(folder / MANIFEST), dict[str, object])
    except (OSError, ForeignFileError):
        return {}


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and all(map(is_passed_over, os.listdir(folder)))
