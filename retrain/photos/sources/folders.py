"""Folders of photos, one for each class; or a folder for each side of the split, with class folders in it.

    cats/Bengal/1.jpg
    flowers/train/daisy/1.jpg, flowers/valid/daisy/2.jpg, flowers/test/daisy/3.jpg

No photo is opened; what is passed over is listed with the reason.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from label_image.folders import entries_of, is_litter, walk
from retrain.core.errors import DatasetError
from retrain.photos.dataset import SPLIT_FOLDERS, Dataset, PhotoFile, Skipped, Split
from retrain.photos.sources.base import Source, is_folder


def read_folder(root: Path) -> Dataset:
    """The photos of class folders, in the order in which they are found. Raises DatasetError."""
    children = [entry for entry in _entries(root) if _is_folder(entry) and not is_litter(entry.name)]
    if not _has_split_folders(children):
        return _list_class_folders([(root, None)])
    names = {child.name for child in children}
    skipped = [
        Skipped(entry.path, "is not in one of the split folders") for entry in _entries(root) if entry.name not in names
    ]
    dataset = _list_class_folders([(Path(child.path), SPLIT_FOLDERS[child.name.lower()]) for child in children])
    return replace(dataset, skipped=(*skipped, *dataset.skipped))


def _has_split_folders(children: Sequence["os.DirEntry[str]"]) -> bool:
    """Whether these are train/valid/test folders (and not classes that happen to be named so).

    The training folder decides: it holds class folders. A test folder may be empty or hold loose,
    unlabelled photos, as in many competitions; those are listed as skipped.
    """
    sides = {child.path: SPLIT_FOLDERS.get(child.name.lower()) for child in children}
    if None in sides.values() or len(set(sides.values())) < 2:
        return False
    return any(
        _is_folder(entry) for path, side in sides.items() if side == "training" for entry in _entries(Path(path))
    )


def _list_class_folders(roots: Sequence[tuple[Path, Split | None]]) -> Dataset:
    """The photos of class folders, which lie in one folder for each side, or in one for all."""
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    unlisted: list[str] = []
    folders: list[tuple[Path, os.DirEntry[str], Split | None]] = []
    for root, split in roots:
        for entry in _entries(root):
            reason = _no_class_folder(entry)
            if reason:
                skipped.append(Skipped(entry.path, reason))
                unlisted += [f"{entry.path} {reason}"] if reason.startswith("cannot") else []
            else:
                folders.append((root, entry, split))
    filled = set()
    for start, entries, passed_over in walk(entry.path for _, entry, _ in folders):
        _, class_folder, split = folders[start]
        before = len(files)
        for entry in entries:
            try:
                files.append(PhotoFile.of(entry.path, class_folder.name, entry.stat(), split))
            except OSError as error:
                skipped.append(Skipped(entry.path, f"cannot be read: {error.strerror}"))
        if len(files) > before:
            filled.add(start)
        skipped += (Skipped(item.path, item.reason) for item in passed_over)
        unlisted += (f"{item.path} {item.reason}" for item in passed_over if item.kind == "unlisted")
    remarks = []
    for root, _ in roots:
        of_root = ((start, entry.name) for start, (place, entry, _) in enumerate(folders) if place == root)
        if empty := [name for start, name in of_root if start not in filled]:
            remarks.append(f"{root} has class folders without photos, left out: {', '.join(empty)}.")
    if unlisted:
        more = f" ({len(unlisted) - 1} more so)" if len(unlisted) > 1 else ""
        remarks.append(f"Photos may be missing: {unlisted[0]}{more}.")
    return Dataset(tuple(files), tuple(skipped), tuple(remarks))


def _no_class_folder(entry: "os.DirEntry[str]") -> str:
    """Why an entry is no class folder, as a phrase that continues its path; empty if it is one."""
    if is_litter(entry.name):
        return "is hidden"
    try:
        return "" if entry.is_dir() else "is not in a class folder"
    except PermissionError as error:  # a link into a folder that may not be entered
        return f"cannot be read: {error.strerror}"
    except OSError:  # a link to itself
        return "is not in a class folder"


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder that may not be entered
        return False


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        return entries_of(folder)
    except OSError as error:
        raise DatasetError(f"The folder {folder} cannot be listed: {error.strerror}.") from None


FOLDERS = Source("folders", is_folder, lambda source, unpacking: read_folder(Path(source)))
