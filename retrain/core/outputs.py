"""Puts results in their place: written aside first, then renamed, so that nothing of the user's is lost.

A single file or folder asked for by name (`--output_graph`, `--saved_model_dir`) may hold anything: what
is there and differs is moved to `<name>.1`, `<name>.2`, … and never dropped.

What becomes of an export directory is in `retrain.exports.folder`.
"""

import errno
import filecmp
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from label_image.files import is_special, reason_of, sync_all, temporary_folder, why_not_writable
from label_image.kept import free_name
from label_image.kept import move_aside as move_aside
from label_image.manifest import FORMAT as FORMAT
from label_image.manifest import MANIFEST as MANIFEST
from label_image.manifest import format_of
from label_image.signals import deferred
from retrain.core.errors import ExportError, OptionError
from retrain.core.placing import (
    KEPT_INSIDE,
    can_be_replaced,
    fill_in_place,
    is_empty,
)


def check_file(path: Path, option: str) -> None:
    """Refuse, before any work, what cannot become a new file. Raises OptionError or ExportError; makes nothing."""
    _check_outside_exports(path, option)
    if is_special(path):
        raise OptionError(f"{option} {path} is not a regular file, and would be replaced: choose another name.")
    require_writable(path.parent, f"{option} {path}")
    if not can_be_replaced(path.absolute()):
        raise ExportError(
            f"{option} {path} is mounted there or another user's, and cannot be replaced: choose another name."
        )


def check_folder(folder: Path, option: str) -> None:
    """Refuse, before any work, a folder that can be neither written to nor made, or lies in an export.

    Raises OptionError or ExportError; makes nothing.
    """
    _check_outside_exports(folder, option)
    require_writable(folder, f"{option} {folder}")


def check_replaceable_folder(folder: Path, option: str) -> None:
    """Refuse, before any work, what cannot become a new folder. Raises OptionError or ExportError; makes nothing."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise OptionError(f"{option} {folder} is not a folder: choose a folder.")
    itself = Path(os.path.realpath(folder))
    require_writable(itself.parent if can_be_replaced(itself) else itself, f"{option} {folder}")


def require_writable(folder: Path, what: str) -> None:
    """Raises ExportError unless something can be made in a folder, or in the nearest one above it that is there."""
    if why := why_not_writable(folder):
        raise ExportError(f"{what} cannot be written: {why}.")


def cannot_be_written(what: str, error: OSError) -> str:
    """The sentence of a file that was to be written, and what to do where its disk is full."""
    reason = reason_of(error)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return f"{what} cannot be written: {reason}."
    return (
        f"{what} cannot be written: the disk that holds it is full ({reason}): free some space there and do it again, "
        "or choose another place."
    )


def check_outside(folder: Path, others: Mapping[str, Path | None], holder: str = "`output_dir`") -> None:
    """Refuse other outputs inside the export, which is replaced as a whole, or inside the folder of another `holder`.

    Raises OptionError.
    """
    for option, path in others.items():
        if path is not None and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
            raise OptionError(f"{option} {path} lies in {holder} {folder}: choose a path outside of it.")


def _check_outside_exports(path: Path, option: str) -> None:
    """Refuse what would be in the way of the next training into an export. Raises OptionError."""
    holder = next(filter(is_export, Path(os.path.realpath(path)).parents), None)
    if holder is not None:
        raise OptionError(f"{option} {path} lies in the export {holder}: choose a path outside of it.")


def is_export(folder: Path) -> bool:
    """Whether it is one of this project, by its manifest."""
    return format_of(folder) == FORMAT


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
            raise ExportError(f"{parent} cannot be written to: {reason_of(error)}.") from None
        yield folder


@contextmanager
def exported_beside(output_dir: Path) -> Iterator[Path]:
    """The same for an export: whatever the system refuses inside is an ExportError that names its directory."""
    try:
        with temporary_beside(output_dir) as folder:
            yield folder
    except OSError as error:
        raise ExportError(f"The export to {output_dir} failed: {reason_of(error)}.") from error


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
    if is_special(target) and not target.is_dir():
        raise ExportError(f"{target} is neither a file nor a folder, and is not replaced: choose another name.")
    if target.is_dir() and new.is_dir() and not can_be_replaced(Path(os.path.realpath(target))):
        return _place_inside(new, target)
    sync_all(new)
    with deferred():
        kept = None
        if target.is_dir() and not os.listdir(target):
            target.rmdir()
        elif target.exists():
            kept = move_aside(target)
        _move(new, target)
    return kept


def _place_inside(new: Path, target: Path) -> Path | None:
    """`place` for a folder that cannot be renamed: what is there goes to a new folder inside it."""
    kept = None if is_empty(target) else free_name(target / KEPT_INSIDE)
    with temporary_folder(target) as temporary:
        near = temporary / "new"
        shutil.move(new, near)
        fill_in_place(near, target, "saved_model.pb", kept)
    return kept


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
