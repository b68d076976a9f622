"""Rows as a table: CSV, Parquet or JSON lines, written aside and put in place in one step.

The columns are those of `retrain evaluate --csv`; what is `predicted` there is `label` here, as in `--json`: nobody
knows another one.
"""

import csv
import filecmp
import importlib.util
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from label_image.answers import json_object
from label_image.column_names import distinct
from label_image.csv_cells import cell, path_cell
from label_image.files import is_special, names_stream, reason_of, sync_all, temporary_folder, why_not_writable
from label_image.foreign_text import is_text
from label_image.installing import how_to_install
from label_image.kept import move_aside
from label_image.many.errors import TableError
from label_image.not_paths import STANDARD_INPUT
from label_image.rows import Asked, Row, State, state_of
from label_image.signals import deferred

BLOCK = 4096  # rows that are in memory at once
ANSWERS = ("label", "probability", "unknown", "similarity", "threshold")


@dataclass(frozen=True)
class Kind:
    """A kind of table, by its option."""

    option: str
    write: Callable[["Table", Iterable[Row], Path], None]
    is_parquet: bool = False


@dataclass(frozen=True)
class Table:
    """A table that was asked for. `placed` is the name of the column that says where a photo was put, if any was."""

    kind: Kind
    path: Path
    asked: Asked
    placed: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns before the probabilities."""
        return ("path", *ANSWERS, *((self.placed,) if self.placed else ()), "error")

    @property
    def probability_columns(self) -> list[str]:
        """One for each class."""
        return [f"p_{name}" for name in distinct(self.asked.model.labels)]


def check_table(kind: Kind, path: Path) -> None:
    """Refuse, before any work, what cannot become a table. Raises TableError; what it makes is gone again."""
    if kind.is_parquet and importlib.util.find_spec("pyarrow") is None:
        raise TableError(f"{kind.option} needs pyarrow, which is not installed: {how_to_install('train')}.")
    real = Path(os.path.realpath(path))  # where a link leads
    if names_stream(path) or is_special(real):
        raise TableError(f"{kind.option} {path} is not a regular file, and would be replaced: choose another name.")
    if why := why_not_writable(real.parent):
        raise TableError(f"{kind.option} {path} cannot be written: {why}.")


def write_table(table: Table, rows: Iterable[Row], ours: State | None) -> Path | None:
    """Write it; returns where one went that was there and differs. One in the state `ours` is replaced.

    A name that is a link stays one: what it leads to is written. Raises TableError.
    """
    target = Path(os.path.realpath(table.path)) if table.path.is_symlink() else table.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target.parent) as temporary:
            new = temporary / target.name
            table.kind.write(table, rows, new)
            return _take_place(new, target, ours)
    except OSError as error:
        raise TableError(f"{table.kind.option} {table.path} cannot be written: {reason_of(error)}.") from None


def _take_place(new: Path, target: Path, ours: State | None) -> Path | None:
    kept = None
    if os.path.lexists(target) and state_of(str(target)) != ours:
        if target.is_file() and filecmp.cmp(new, target, shallow=False):
            return None
        sync_all(new)
        with deferred():
            kept = move_aside(target)
            os.replace(new, target)
        return kept
    sync_all(new)
    os.replace(new, target)
    return kept


def _write_jsonl(table: Table, rows: Iterable[Row], path: Path) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            value = json_object(table.asked, row, **({table.placed: row.to} if row.to else {}))
            line = json.dumps(value, ensure_ascii=False)
            # A name that is not UTF-8 in ASCII, with its bytes as \udcff.
            file.write((line if is_text(line) else json.dumps(value)) + "\n")


def _write_csv(table: Table, rows: Iterable[Row], path: Path) -> None:
    # surrogateescape: a file name that is not UTF-8 is written as the bytes it has.
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow((*table.columns, *table.probability_columns))  # path is the first
        for row in rows:
            path_text = row.path if row.path == STANDARD_INPUT else path_cell(row.path)
            values = _values(table, row)
            texts = [cell(values[name]) for name in table.columns if name != "path"]
            numbers = [""] * len(table.asked.model.labels) if row.probabilities is None else row.probabilities.tolist()
            writer.writerow((path_text, *texts, *map(cell, numbers)))


def _write_parquet(table: Table, rows: Iterable[Row], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = dict.fromkeys(("path", "label", table.placed, "error"), pa.string())
    kinds = {**texts, "unknown": pa.bool_()}
    names = (*table.columns, *table.probability_columns)
    schema = pa.schema([(name, kinds.get(name, pa.float32())) for name in names])
    with pq.ParquetWriter(path, schema) as writer:
        for block in _blocks(rows):
            writer.write_table(pa.Table.from_arrays(list(_arrays(table, block, schema)), schema=schema))


def _arrays(table: Table, block: Sequence[Row], schema: Any) -> Iterator[Any]:
    import pyarrow as pa

    values = [_values(table, row) for row in block]
    for name in table.columns:
        column = [_readable(value[name]) for value in values]
        yield pa.array(column, schema.types[table.columns.index(name)])
    lacking = np.array([row.probabilities is None for row in block])
    nothing = np.zeros(len(table.asked.model.labels), np.float32)
    numbers = np.stack([nothing if row.probabilities is None else row.probabilities for row in block])
    for column in numbers.T:
        yield pa.array(np.ascontiguousarray(column), pa.float32(), mask=lacking)


def _write_embeddings(table: Table, rows: Iterable[Row], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    size, embed = table.asked.model.preprocessing.size, table.asked.embed
    assert embed is not None
    dim = embed(np.zeros((1, size, size, 3), np.uint8)).shape[1]  # of no photo, too, the column has its length
    embedding = pa.list_(pa.float32(), dim)
    schema = pa.schema(
        [("path", pa.string()), ("sha256", pa.string()), ("embedding", embedding), ("error", pa.string())]
    )
    nothing = np.zeros(dim, np.float32)
    with pq.ParquetWriter(path, schema) as writer:
        for block in _blocks(rows):
            lacking = pa.array([row.embedding is None for row in block])
            flat = np.concatenate([nothing if row.embedding is None else row.embedding for row in block])
            columns = [
                pa.array([_readable(row.path) for row in block], pa.string()),
                pa.array([row.sha256 or None for row in block], pa.string()),
                pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), type=embedding, mask=lacking),
                pa.array([_readable(row.error) if row.error else None for row in block], pa.string()),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _readable(value: Any) -> Any:
    """Bytes of a name that is not UTF-8 as `\\xff`: Parquet has no others."""
    return os.fsencode(value).decode(errors="backslashreplace") if isinstance(value, str) else value


def _values(table: Table, row: Row) -> dict[str, Any]:
    """The values of a row by column, but for the probabilities of each class; None where there is nothing to say."""
    values: dict[str, Any] = dict.fromkeys(table.columns)
    values["path"] = row.path
    if row.probabilities is None:
        return {**values, "error": row.error}
    said = (*table.asked.best(row), row.similarity, table.asked.model.threshold)
    values.update(zip(ANSWERS, said, strict=True))
    if row.to:
        values[table.placed] = row.to
    return values


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rest = iter(rows)
    while block := list(islice(rest, BLOCK)):
        yield block


CSV, PARQUET, JSONL = Kind("--csv", _write_csv), Kind("--parquet", _write_parquet, True), Kind("--jsonl", _write_jsonl)
EMBED = Kind("--embed", _write_embeddings, True)
KINDS = {kind.option: kind for kind in (CSV, PARQUET, JSONL, EMBED)}
