"""Putting results in their place: written aside first, renamed, and nothing of the user's lost.

An export directory is known to be ours by its manifest, so a new one replaces it and the one
before is kept as `<name>.previous`. A single file or folder asked for by name
(`--output_graph`, `--saved_model_dir`) may hold anything: what is there and differs is moved to
`<name>.1`, `<name>.2`, … and never dropped.
"""

import ctypes
import errno
import filecmp
import os
import shutil
from itertools import count
from pathlib import Path

from label_image.errors import ForeignFileError
from label_image.foreign_text import parse_json, read_limited
from label_image.manifest import FORMAT as FORMAT
from label_image.manifest import MANIFEST as MANIFEST
from retrain.errors import ExportError, OptionError
from retrain.exports.names import CLIENTS, FILES

EXPORT_NAMES = frozenset(
    {
        MANIFEST, "labels.txt", "metrics.json", "skipped.csv", "model.tflite",
        "saved_model.pb", "fingerprint.pb", "variables", "assets",
        "learning_curves.png", "comparison.json", "seen_photos.npy", *FILES.values(), CLIENTS,
    }
)  # fmt: skip


def check_export_dir(folder: Path) -> None:
    """Refuse, before any work, to write an export where something else lies. Raises ExportError."""
    folder_itself = Path(os.path.realpath(folder))
    if folder_itself in (Path.cwd(), *Path.cwd().parents):
        raise ExportError(f"--output_dir {folder} is the current folder or holds it: name a folder inside it.")
    _check_previous(_previous(folder_itself))
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExportError(f"--output_dir {folder} is a file; name a folder.")
    foreign = _foreign(folder)
    if foreign:
        raise ExportError(
            f"--output_dir {folder} holds {foreign[0]!r}, which is not part of an export: "
            "move it away or name another folder."
        )
    if os.listdir(folder) and not _is_export(folder):
        raise ExportError(f"--output_dir {folder} is not empty and holds no {MANIFEST} of this project: name another.")


def check_outside(folder: Path, others: dict[str, Path | None], holder: str = "--output_dir") -> None:
    """Refuse other outputs inside the export, which is replaced as a whole, or inside the folder of another `holder`.

    Raises OptionError.
    """
    for option, path in others.items():
        if path is not None and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
            raise OptionError(f"{option} {path} lies in {holder} {folder}: name a path outside of it.")


def temporary_beside(path: Path) -> Path:
    """A new empty folder on the same file system as `path`, to write into and rename from."""
    target = Path(os.path.realpath(path))
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    except OSError as error:
        raise ExportError(f"{path.parent} cannot be written to: {error.strerror}.") from None
    return temporary


def replace_export(new: Path, folder: Path) -> None:
    """Put a finished export in place; readers see the old one or the new one, never half of one."""
    folder = Path(os.path.realpath(folder))  # of a link to a folder, the folder is replaced
    if not folder.exists() or _is_empty_folder(folder):
        os.rename(new, folder)
        return
    previous = _previous(folder)
    _check_previous(previous)
    if previous.exists():
        shutil.rmtree(previous)
    if _exchange(new, folder):
        os.rename(new, previous)
    else:
        os.rename(folder, previous)
        os.rename(new, folder)


def put_into_export(new: Path, target: Path) -> None:
    """Put a finished file or folder into an export; readers see the old one or the new one. Raises OSError.

    What was there is gone: it was made from the same export, and can be made again.
    """
    if not target.is_dir():
        os.replace(new, target)
        return
    if not _exchange(new, target):
        old = new.with_name(f"{new.name}.old")
        os.rename(target, old)
        os.rename(new, target)
        new = old
    shutil.rmtree(new)


def place(new: Path, target: Path) -> Path | None:
    """Move a finished file or folder to `target`; returns where a differing earlier one went."""
    target.parent.mkdir(parents=True, exist_ok=True)
    kept = None
    if target.is_file() and new.is_file() and filecmp.cmp(new, target, shallow=False):
        new.unlink()
        return None
    if target.is_dir() and new.is_dir() and _same_files(target, new):
        shutil.rmtree(new)
        return None
    if target.exists() and not _is_empty_folder(target):
        kept = next(path for number in count(1) if not (path := target.with_name(f"{target.name}.{number}")).exists())
        os.rename(target, kept)
    elif target.exists():
        target.rmdir()
    shutil.move(new, target)
    return kept


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


def _previous(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.previous")


def _check_previous(previous: Path) -> None:
    if not os.path.lexists(previous) or _is_empty_folder(previous):
        return
    if previous.is_symlink() or not _is_export(previous) or _foreign(previous):
        raise ExportError(f"{previous} holds more than an earlier export and is in the way: move it.")


def _foreign(folder: Path) -> list[str]:
    return sorted(set(os.listdir(folder)) - EXPORT_NAMES)


def _is_export(folder: Path) -> bool:
    try:
        return bool(parse_json(read_limited(folder / MANIFEST), dict).get("format") == FORMAT)
    except (OSError, ForeignFileError):
        return False


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths in one step (Linux's renameat2); False where the system cannot."""
    at_fdcwd, rename_exchange = -100, 2
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if renameat2(at_fdcwd, os.fsencode(one), at_fdcwd, os.fsencode(other), rename_exchange) == 0:
        return True
    if ctypes.get_errno() in (errno.ENOSYS, errno.EINVAL):
        return False  # an old kernel, or a file system without it (NFS, FUSE)
    raise ExportError(f"{other} cannot be replaced: {os.strerror(ctypes.get_errno())}.")
