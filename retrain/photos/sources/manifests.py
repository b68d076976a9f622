"""Tables of photos: .csv, .tsv, .jsonl or .parquet with a column of paths and one of classes.

    path,label,split            id,breed                       {"image": "img/1.jpg", "class": "red"}
    img/1.jpg,red,train         000bec180eb18c76,boston_bull   {"image": "img/2.jpg", "class": "green"}

Which column is what, and where the photos lie, is found out by `table_columns` and `table_places`.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from label_image.errors import StorageError
from label_image.not_paths import is_object_address
from retrain.core.collecting import no_collecting
from retrain.core.errors import DatasetError
from retrain.photos.dataset import SPLIT_FOLDERS, Dataset, PhotoFile, Root, Skipped, Split, Status
from retrain.photos.object_states import states_of
from retrain.photos.sources.base import Source, Unpacking, is_file
from retrain.photos.sources.table_columns import Columns, as_text, choose_columns
from retrain.photos.sources.table_files import JSON_LINES, TEXT, Table, open_table
from retrain.photos.sources.table_places import Place
from retrain.photos.text_tables import table_rows

DETOUR = re.compile(r"(^|/)\.{1,2}/|//")  # to normalise all of a million paths would take seconds
LONGEST = 200  # characters of a cell in a sentence: some tables hold whole photos
UNKNOWN = "unknown"
TRUE = ("true", "verdadeiro")  # as spreadsheets write it, also in Portuguese
AT_ONCE = 100_000  # rows whose addresses are asked for together


def is_manifest(source: str) -> bool:
    """Whether a source is a table of photos, by its name."""
    return Path(source).suffix.lower() in (*TEXT, *JSON_LINES) and is_file(source)


def read_manifest(path: Path) -> Dataset:
    """The photos of a table that this program wrote: path,label,split below a header. Raises DatasetError."""
    usual = Columns(0, 1, 2, ("column path", "column label", "column split"), Place(str(path.parent)), has_header=True)
    return _read(Table(path, lambda: table_rows(path)), usual)


def read_table(path: Path) -> Dataset:
    """The photos that a table names, in its order. Raises DatasetError that names the line."""
    table = open_table(path)
    columns = choose_columns(table)
    dataset = _read(table, columns, one_class=True)
    if not dataset.files:
        raise _nothing_found(table, columns, dataset.skipped)
    if columns.are_usual and not table.blanks:
        return dataset
    remark = _remark(columns, any(file.split for file in dataset.files))
    return replace(dataset, remarks=(remark, *_of_unknown(table, columns)))


class _Entry(NamedTuple):
    """What a row says of a photo, and where it stands."""

    line: int
    name: str
    label: str
    split: Split | None


def _read(table: Table, columns: Columns, one_class: bool = False) -> Dataset:
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    find, paths = columns.place.find, columns.place.paths
    for (line, name, label, split), state in _with_states(_entries(table, columns, one_class)):
        found = find(name) if state is None else (name, state)
        if label and found is not None and stat.S_ISREG(found[1].st_mode):
            files.append(PhotoFile.of(found[0], label, found[1], split))
        elif label and found is not None:
            skipped.append(Skipped(found[0], "is not a regular file"))
        else:
            reason = "does not exist" if label else "has no class"
            skipped.append(Skipped(paths(name)[0], f"{reason} ({table.path.name}, {table.unit} {line})"))
    return Dataset(_each_once(table.path, files), tuple(skipped), roots=(Root(str(table.path.parent)),))


def _with_states(entries: Iterator[_Entry]) -> Iterator[tuple[_Entry, Status | None]]:
    """The entries with what their storages say of those that are addresses, many at a time. Raises DatasetError."""
    while some := list(islice(entries, AT_ONCE)):
        try:
            states = states_of(entry.name for entry in some)
        except StorageError as error:
            raise DatasetError(str(error)) from None
        for entry in some:
            yield entry, states.get(entry.name)


def _entries(table: Table, columns: Columns, one_class: bool) -> Iterator[_Entry]:
    """What the rows say, without the header. Raises DatasetError that names the line."""
    twins = _Twins(columns)
    width, split = len(columns.names), None
    padding = [""] * width
    for number, (line, row) in enumerate(table.rows()):
        if number == 0 and columns.has_header:
            continue
        cells = row if len(row) >= width else [*row, *padding]
        try:
            if one_class:
                _refuse_several(cells[columns.label])
            name, label = as_text(cells[columns.photo]), as_text(cells[columns.label])
            if name is None or label is None:
                raise _no_text(columns, cells)
            if not name or not label or len(row) > width or len(row) < 2:
                _check_row(columns, row, name, label)
            if columns.twins:
                twins.check(label, cells)
            if columns.split is not None:
                split = _split(cells[columns.split])
        except _RowError as error:
            raise DatasetError(f"{table.path}, {table.unit} {line}{error}") from None
        yield _Entry(line, name, label, split)


class _RowError(Exception):
    """What is wrong with a row, as it goes on after the line's number."""


def _check_row(columns: Columns, row: list[Any], name: str, label: str) -> None:
    """Raises _RowError for a row that does not fit the columns; in the usual table a class may not be missing."""
    width = len(columns.names)
    too_long = len(row) > width and (columns.are_usual or any(row[width:]))
    if columns.are_usual and (too_long or len(row) < 2 or not name or not label):
        raise _RowError(f": expected path,label or path,label,split, got {row}.")
    if too_long:
        raise _RowError(
            f" has {len(row)} cells, and the table {width} columns; text that holds a separator must be in "
            '"quotation marks".'
        )
    if not name:
        raise _RowError(f": {columns.names[columns.photo]} names no photo, got {row}.")


def _no_text(columns: Columns, cells: Sequence[Any]) -> _RowError:
    column = columns.photo if as_text(cells[columns.photo]) is None else columns.label
    cell = _short(repr(cells[column]))
    return _RowError(f": {columns.names[column]} holds {cell}, which is neither a text nor a whole number.")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text):,} characters)"


def _refuse_several(cell: Any) -> None:
    """Raises _RowError: only one class for each photo can be trained."""
    if isinstance(cell, str):
        several = "|" in cell or ";" in cell or (cell[:1] == "[" and cell[-1:] == "]")
    else:
        several = isinstance(cell, list)
    if several:
        raise _RowError(
            f": {cell!r} names several classes (multi-label), and a photo can have one here; "
            "keep one in each row, or join them with another sign if they are one class."
        )


class _Twins:
    """Columns that may both be meant as the classes: harmless while each value of one has one of the other."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.pairs: list[tuple[dict[str, str], dict[str, str]]] = [({}, {}) for _ in columns.twins]

    def check(self, label: str, cells: Sequence[Any]) -> None:
        """Raises _RowError where they disagree."""
        for twin, (there, back) in zip(self.columns.twins, self.pairs, strict=True):
            other = as_text(cells[twin])
            if label and other and (there.setdefault(label, other) != other or back.setdefault(other, label) != label):
                names = self.columns.names
                raise _RowError(
                    f": {names[self.columns.label]} and {names[twin]} may both be the classes, and do not divide "
                    "the photos alike; leave one of them in the table, or call it label."
                )


def _split(cell: Any) -> Split | None:
    name = (cell if isinstance(cell, str) else str(as_text(cell))).strip().lower()
    if not name:
        return None
    try:
        return SPLIT_FOLDERS[name]
    except KeyError:
        raise _RowError(f": the split {cell!r} is not train, validation or test.") from None


def _each_once(path: Path, files: Sequence[PhotoFile]) -> tuple[PhotoFile, ...]:
    """The photos, each of them once. Raises DatasetError for one of two classes or sides."""
    first: dict[str, PhotoFile] = {}
    for file in files:
        other = first.setdefault(_plainly(file.path), file)
        if (other.label, other.split) != (file.label, file.split):
            raise DatasetError(
                f"{path} lists {file.path} twice, as {_describe(other)} and as {_describe(file)}; "
                "keep one of the lines."
            )
    return tuple(first.values())


def _plainly(path: str) -> str:
    """A path without detours, as in `./cat/1.jpg`; an address as it is."""
    return path if is_object_address(path) or not DETOUR.search(path) else os.path.normpath(path)


def _describe(file: PhotoFile) -> str:
    return f"{file.label!r} ({file.split})" if file.split else repr(file.label)


def _nothing_found(table: Table, columns: Columns, skipped: Sequence[Skipped]) -> DatasetError:
    if not skipped:
        return DatasetError(f"{table.path} has a header and no rows; it needs one for each photo.")
    first = skipped[0]
    return DatasetError(
        f"{table.path}: no photo in {columns.names[columns.photo]} can be used. The first is {_short(first.path)}, "
        f"which {first.reason}; looked for it also with .jpg, .png and the like added, and in the folders below and "
        "above the table. Paths are written from the folder of the table."
    )


def _remark(columns: Columns, has_sides: bool) -> str:
    """What was understood, in one line for the screen."""
    names = columns.names
    parts = [f"{names[columns.photo]} for the photos{columns.place.describe()}"]
    parts.append(f"{names[columns.label]} for the classes")
    if columns.split is not None and has_sides:
        parts.append(f"{names[columns.split]} for the sides")
    unused = ", ".join(names[column].removeprefix("column ") for column in columns.unused)
    return f"Read as: {', '.join(parts)}{f'; not read: {unused}' if unused else ''}."


def _of_unknown(table: Table, columns: Columns) -> Iterator[str]:
    """What is to be said of a table of answers of `label_image`: a photo may be of none of the classes."""
    names = [name.removeprefix("column ") for name in columns.names]
    if UNKNOWN not in names:
        return
    from label_image.many.tables import ANSWERS  # here, and not above: other tables need no model

    if not set(ANSWERS) <= set(names):  # a column of that name in a table of one's own
        return
    column = names.index(UNKNOWN)
    cells = (row[column] for _, row in table.rows() if len(row) > column)
    if count := sum(str(cell).strip().lower() in TRUE for cell in cells):
        rows = "row" if count == 1 else "rows"
        yield (
            f"In {count:,} {rows} {UNKNOWN} is true, and the label only the nearest class: correct it and write false, "
            "or take such rows out."
        )


def _read_source(source: str, unpacking: Unpacking) -> Dataset:
    with no_collecting():
        return read_table(Path(source))


MANIFESTS = Source("manifests", is_manifest, _read_source)
