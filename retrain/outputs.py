"""Putting results in their place: written aside first, renamed, and nothing of the user's lost.

An export directory is known to be ours by its manifest, so a new one replaces it and the one
before is kept as `<name>.previous`. A single file or folder asked for by name
(`--output_graph`, `--saved_model_dir`) may hold anything: what is there and differs is moved to
`<name>.1`, `<name>.2`, … and never dropped.
"""

import ctypes
import errno
import filecmp
import json
import os
import shutil
from itertools import count
from pathlib import Path

from retrain.errors import ExportError

MANIFEST = "model.json"
FORMAT = "retrain-export"
EXPORT_NAMES = frozenset(
    {
        MANIFEST, "labels.txt", "metrics.json", "skipped.csv", "model.tflite",
        "saved_model.pb", "fingerprint.pb", "variables", "assets",
    }
)  # fmt: skip


def check_export_dir(folder: Path) -> None:
    """Refuse, before any work, to write an export where something else lies. Raises ExportError."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExportError(f"--output_dir {folder} is a file; name a folder.")
    foreign = sorted(set(os.listdir(folder)) - EXPORT_NAMES)
    if foreign:
        raise ExportError(
            f"--output_dir {folder} holds {foreign[0]!r}, which is not part of an export: "
            "move it away or name another folder."
        )
    if os.listdir(folder) and not _is_export(folder):
        raise ExportError(f"--output_dir {folder} is not empty and holds no {MANIFEST} of this project: name another.")


def temporary_beside(path: Path) -> Path:
    """A new empty folder on the same file system as `path`, to write into and rename from."""
    temporary = path.absolute().parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    except OSError as error:
        raise ExportError(f"{path.parent} cannot be written to: {error.strerror}.") from None
    return temporary


def replace_export(new: Path, folder: Path) -> None:
    """Put a finished export in place; readers see the old one or the new one, never half of one."""
    previous = folder.with_name(f"{folder.name}.previous")
    if not folder.exists():
        os.rename(new, folder)
        return
    if _is_export(previous):
        shutil.rmtree(previous)
    elif previous.exists():
        raise ExportError(f"{previous} is not an export of this project and is in the way: move it.")
    if _exchange(new, folder):
        os.rename(new, previous)
    else:
        os.rename(folder, previous)
        os.rename(new, folder)


def place(new: Path, target: Path) -> Path | None:
    """Move a finished file or folder to `target`; returns where a differing earlier one went."""
    target.parent.mkdir(parents=True, exist_ok=True)
    kept = None
    if target.is_file() and new.is_file() and filecmp.cmp(new, target, shallow=False):
        new.unlink()
        return None
    if target.exists() and not _is_empty_folder(target):
        kept = next(path for number in count(1) if not (path := target.with_name(f"{target.name}.{number}")).exists())
        os.rename(target, kept)
    elif target.exists():
        target.rmdir()
    shutil.move(new, target)
    return kept


def _is_export(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("format") == FORMAT)
    except (OSError, ValueError, AttributeError):
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
