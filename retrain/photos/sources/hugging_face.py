"""Hugging Face's image folders: photos with a metadata.csv, .jsonl or .parquet of `file_name` and `label`.

The metadata lie beside the photos: in the folder, or in each of its train/, validation/ and test/.
A photo's split is the folder that it lies in, or what a column `split` says. Metadata without a column
`label` (captions, boxes) say nothing about classes; then the class folders do.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from label_image.errors import ForeignFileError
from label_image.folders import walk
from label_image.foreign_text import parse_json
from retrain.core.errors import DatasetError
from retrain.photos.composed import ways_to_compose
from retrain.photos.dataset import SPLIT_FOLDERS, Dataset, PhotoFile, Skipped, Split, in_order
from retrain.photos.sources.base import Source, Unpacking, has_no_class, is_folder, side_in
from retrain.photos.sources.folders import read_folder
from retrain.photos.text_tables import table_rows, text_lines

ROWS = 4096  # of Parquet, in memory at a time
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
OTHERS = {"readme.md", ".gitattributes", "dataset_infos.json", *METADATA}  # no photos, and nobody expects them to be


def is_metadata_folder(source: str) -> bool:
    """Whether a source is a folder with metadata files of these names."""
    return is_folder(source) and bool(metadata_files(Path(source)))


def read_metadata_folder(source: str, unpacking: Unpacking) -> Dataset:
    """The photos of such a folder."""
    return list_metadata_folder(Path(source), metadata_files(Path(source)))


def metadata_files(root: Path) -> list[Path]:
    """The metadata files of a folder: its own, and those of its split folders."""
    try:
        folders = [root, *sorted(child for child in root.iterdir() if child.name.lower() in SPLIT_FOLDERS)]
    except OSError:
        return []
    return [folder / name for folder in folders for name in METADATA if (folder / name).is_file()]


def list_metadata_folder(root: Path, metadata: Sequence[Path]) -> Dataset:
    """The photos that metadata files name, with their classes. Raises DatasetError that names file and line."""
    files: dict[str, PhotoFile] = {}
    skipped: list[Skipped] = []
    columns: set[str] = set()
    for path in metadata:
        for where, row in _rows(path):
            columns |= row.keys()
            if "file_name" not in row or "label" not in row:
                continue
            found = _photo(root, path, where, row)
            if isinstance(found, Skipped):
                skipped.append(found)
            elif files.setdefault(found.path, found) != found:
                raise DatasetError(
                    f"{where}: {found.path} has the class {found.label!r} here and {files[found.path].label!r} "
                    "before; keep one."
                )
    if not files and not skipped:
        return _class_folders(root, metadata, columns)
    sides = {file.split for file in files.values()}
    if len(sides - {None}) < 2:  # all on one side: there is no split to keep
        files = {path: replace(file, split=None) for path, file in files.items()}
    skipped += _unlisted(root, files, skipped)
    return Dataset(tuple(files.values()), tuple(skipped))


def _class_folders(root: Path, metadata: Sequence[Path], columns: set[str]) -> Dataset:
    try:
        return in_order(read_folder(root), root)
    except DatasetError:
        shown = ", ".join(sorted(columns)) or "none"
        raise DatasetError(
            f"{metadata[0]} needs the columns file_name and label; its columns are: {shown}. "
            "There are no class folders either."
        ) from None


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows as {column: value}, each with where it stands."""
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
    elif path.suffix == ".csv":
        rows = table_rows(path)
        _, columns = next(rows, (0, []))
        for line, row in rows:
            yield f"{path}, line {line}", {name: cell for name, cell in zip(columns, row, strict=False) if name}
    else:
        for number, text in enumerate(text_lines(path), 1):
            if text.strip():
                yield f"{path}, line {number}", _json_object(text, f"{path}, line {number}")


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        return parse_json(line.encode(), dict[str, Any])
    except ForeignFileError as error:
        raise DatasetError(
            f'{where}: expected an object such as {{"file_name": "1.jpg", "label": "cat"}}; the line {error}.'
        ) from None


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    # Here, and not above: the other two kinds need no Arrow.
    from retrain.photos.sources.parquet_file import batches, opened_parquet

    row = 0
    with opened_parquet(path) as file:
        names = file.schema_arrow.names
        wanted = [name for name in ("file_name", "label", "split") if name in names]
        if "file_name" not in names or "label" not in names:
            yield f"{path}", dict.fromkeys(set(names) - {"label"})  # for the message
            return
        for batch in batches(file, path, wanted, ROWS):
            for values in batch.to_pylist():
                row += 1
                yield f"{path}, row {row}", values


def _photo(root: Path, metadata: Path, where: str, row: dict[str, Any]) -> PhotoFile | Skipped:
    """The photo that a row names, or why it is not used."""
    name, label = row["file_name"], row["label"]
    if not isinstance(name, str) or not name:
        raise DatasetError(f"{where}: the file_name {name!r} is not the name of a file.")
    if isinstance(label, bool | float | list | dict):
        raise DatasetError(f"{where}: the label {label!r} is neither a text nor a whole number.")
    path, status = _found(metadata.parent, name)
    if not Path(path).is_relative_to(os.path.normpath(root)):
        return Skipped(path, f"lies outside of {root} ({where})")
    if has_no_class(label):
        return Skipped(path, f"has no class ({where})")
    if status is None:
        return Skipped(path, f"does not exist ({where})")
    if not stat.S_ISREG(status.st_mode):
        return Skipped(path, "is not a regular file")
    split = _split(os.path.relpath(path, root)) or side_in(row.get("split"), where)
    return PhotoFile.of(path, str(label), status, split)


def _found(folder: Path, name: str) -> tuple[str, os.stat_result | None]:
    """The path that a name leads to, and what the system says of it; None, and as it is written, where nothing is."""
    for written in ways_to_compose(name):
        path = os.path.normpath(folder / written)
        try:
            return path, os.stat(path)
        except (OSError, ValueError):
            continue
    return os.path.normpath(folder / name), None


def _split(path: str) -> Split | None:
    return SPLIT_FOLDERS.get(Path(path).parts[0].lower())


def _unlisted(root: Path, files: dict[str, PhotoFile], skipped: Sequence[Skipped]) -> list[Skipped]:
    """Files that no metadata name. Hidden ones are passed over."""
    named = {*files, *(item.path for item in skipped)}
    found = []
    for _, entries, passed_over in walk([os.path.normpath(root)]):
        for entry in entries:
            if entry.path not in named and entry.name.lower() not in OTHERS:
                found.append(Skipped(entry.path, "is not in the metadata"))
        found += (Skipped(item.path, item.reason) for item in passed_over if item.kind == "unlisted")
    return found


HUGGING_FACE = Source("Hugging Face image folder", is_metadata_folder, read_metadata_folder)
