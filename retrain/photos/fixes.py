"""Decisions of the user about single photos: `--fixes fixes.csv` leaves photos out, or counts them as another class.

The file has a header with the columns `file` and `action` (others are not looked at); actions are

    keep             nothing changes; so does an empty cell
    remove           the photo is left out
    relabel:CLASS    the photo counts as one of CLASS, by its folder or by its name in `--category_names`

The photos themselves are never touched. `retrain doctor` writes such a file, with `keep` in every row.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType

from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, PhotoFile
from retrain.photos.photo_names import PhotoNames
from retrain.photos.reading import absolute_paths
from retrain.photos.text_tables import table_rows

KEEP, REMOVE, RELABEL = "keep", "remove", "relabel:"


@dataclass(frozen=True, slots=True)
class Fix:
    """One row: `file` as it is written there, and one of keep, remove and relabel:CLASS."""

    line: int
    file: str
    action: str

    @property
    def label(self) -> str | None:
        """The class of a relabel."""
        return self.action.removeprefix(RELABEL) if self.action.startswith(RELABEL) else None


def read_fixes(path: Path) -> tuple[Fix, ...]:
    """The rows of a file of fixes. Raises DatasetError, naming the line, for an action that is not known."""
    rows = table_rows(path)
    try:
        _, header = next(rows)
    except StopIteration:
        raise DatasetError(f"{path} is empty; it needs a header with the columns file and action.") from None
    columns = [cell.strip().lower() for cell in header]
    if not {"file", "action"} <= set(columns):
        raise DatasetError(f"{path}, line 1: the header must have the columns file and action, got {header}.")
    file_column, action_column = columns.index("file"), columns.index("action")
    fixes = []
    for line, row in rows:
        cells = [*row, *[""] * len(columns)]
        if cells[file_column] or cells[action_column].strip():
            fixes.append(Fix(line, cells[file_column], _action(path, line, cells[action_column])))
    return tuple(fixes)


def apply_fixes(
    dataset: Dataset,
    path: Path | None,
    source: str | os.PathLike[str],
    added: Sequence[str | os.PathLike[str]] = (),
    name_of: Mapping[str, str] = MappingProxyType({}),
) -> Dataset:
    """The photos of `source` as a file of fixes wants it, with a remark that says what it did.

    Files are named by their path, or by that from `source`, else from one of those that were `added` (see
    `photo_names`); classes by their folder, or by the name that is shown for it (`name_of`). Raises DatasetError,
    naming the line, for a file or a class that `source` does not have, and where photos of less than two classes are
    left.
    """
    if path is None:
        return dataset
    action_of = _decided(dataset, path, source, added, name_of)
    files = [fixed for file in dataset.files if (fixed := _fixed(file, action_of)) is not None]
    _require_two_classes({file.label for file in files}, path, source)
    removed = len(dataset.files) - len(files)
    labels_before = {file.path: file.label for file in dataset.files}
    relabelled = sum(file.label != labels_before[file.path] for file in files)
    files.sort(key=attrgetter("path"))
    files.sort(key=attrgetter("label"))
    remark = f"{path}: photos left out: {removed}; photos that count as another class: {relabelled}."
    return replace(dataset, files=tuple(files), remarks=(*dataset.remarks, remark))


def _decided(
    dataset: Dataset,
    path: Path,
    source: str | os.PathLike[str],
    added: Sequence[str | os.PathLike[str]],
    name_of: Mapping[str, str],
) -> dict[str, Fix]:
    """The decision on each photo, by its path; a class is named by its folder."""
    names = PhotoNames.of(dataset, source, added)
    classes = _classes_by_name(dataset.labels, name_of)
    action_of: dict[str, Fix] = {}
    for fix in read_fixes(path):
        photo = _photo_meant(fix.file, names, f"{path}, line {fix.line}")
        if fix.label is not None:
            fix = replace(fix, action=RELABEL + _class_meant(fix.label, classes, f"{path}, line {fix.line}", source))
        other = action_of.setdefault(photo, fix)
        if other.action != fix.action:
            raise DatasetError(
                f"{path}, line {fix.line}: {fix.file!r} is in line {other.line} too, with another action; keep one."
            )
    return action_of


def _require_two_classes(labels: Collection[str], path: Path, source: str | os.PathLike[str]) -> None:
    """Raise DatasetError where fixes leave too little; later it would be said of the source, after the long work."""
    if len(labels) < 2:
        left = f"only photos of the class {next(iter(labels))!r}" if labels else "no photo"
        raise DatasetError(f"{path} leaves {left} in {source}: write keep for photos of two classes at least.")


def _photo_meant(name: str, names: PhotoNames, where: str) -> str:
    found = names.meant(name) or names.meant(name.replace("\\", "/"))
    if not found:
        raise DatasetError(f"{where}: {names.source} has no photo {name!r}; take the line out.")
    if len(found) > 1:
        one, other = absolute_paths(found)[:2]
        raise DatasetError(f"{where}: {name!r} may be {one} or {other}: write one of these.")
    return found[0]


def _classes_by_name(labels: Sequence[str], name_of: Mapping[str, str]) -> dict[str, list[str]]:
    """The classes that a name may mean: the one whose folder is called so, and the one for which it is shown."""
    classes = {label: [label] for label in labels}
    for label, name in name_of.items():
        if name != label:
            classes.setdefault(name, []).append(label)
    return classes


def _class_meant(name: str, classes: Mapping[str, Sequence[str]], where: str, source: str | os.PathLike[str]) -> str:
    found = classes.get(name, ())
    if not found:
        raise DatasetError(
            f"{where}: {source} has no class {name!r} to relabel a photo to: write the name of a folder, or one of "
            "`category_names` where these are passed, too."
        )
    if len(found) > 1:
        raise DatasetError(
            f"{where}: {name!r} is a folder and, in `category_names`, the name of the folder {found[1]!r}: call that "
            "class something else there."
        )
    return found[0]


def _fixed(file: PhotoFile, action_of: Mapping[str, Fix]) -> PhotoFile | None:
    fix = action_of.get(file.path)
    if fix is None or fix.action == KEEP:
        return file
    if fix.action == REMOVE:
        return None
    assert fix.label is not None
    return replace(file, label=fix.label)


def _action(path: Path, line: int, cell: str) -> str:
    action = cell.strip()
    if action.lower() in ("", KEEP):
        return KEEP
    if action.lower() == REMOVE:
        return REMOVE
    name = action[len(RELABEL) :].strip()
    if action.lower().startswith(RELABEL) and name:
        return RELABEL + name
    raise DatasetError(f"{path}, line {line}: the action {action!r} is not keep, remove or relabel:CLASS.")
