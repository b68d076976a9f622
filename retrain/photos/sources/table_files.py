"""The rows of a table, whatever kind of file it is: .csv, .tsv, .jsonl, .ndjson or .parquet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from label_image.errors import ForeignFileError
from label_image.foreign_text import parse_json
from retrain.core.errors import DatasetError
from retrain.photos.text_tables import has_blanks_after_separators, table_rows, text_lines

Row = tuple[int, list[Any]]  # where it stands, counted from 1, and its cells

JSON_LINES = (".jsonl", ".ndjson")
TEXT = (".csv", ".tsv")
SAMPLE = 1000  # rows that are looked at to see which column is what
SAMPLE_CHARACTERS = 2**21
MOST_NAMES = 10_000
PARQUET_ROWS = 4096  # in memory at a time


@dataclass(frozen=True)
class Table:
    """A table that can be read several times. `header` is None where the first row may be one, or not."""

    path: Path
    rows: Callable[[], Iterator[Row]]
    header: tuple[str, ...] | None = None
    unit: str = "line"
    blanks: bool = False  # after its separators

    def sample(self) -> list[Row]:
        """The first rows, as far as they fit into little memory."""
        rows: list[Row] = []
        room = SAMPLE_CHARACTERS
        for number, cells in islice(self.rows(), SAMPLE):
            rows.append((number, [[] if isinstance(cell, list | dict) else cell for cell in cells]))
            room -= sum(len(cell) + 1 if isinstance(cell, str) else 1 for cell in cells)
            if room < 0:
                break
        return rows


def open_table(path: Path) -> Table:
    """The table that a file holds, by its name. Raises DatasetError where its first rows cannot be read."""
    suffix = path.suffix.lower()
    if suffix in JSON_LINES:
        return _json_lines(path)
    if suffix == ".parquet":
        return _parquet(path)
    blanks = has_blanks_after_separators(path)
    return Table(path, lambda: table_rows(path, blanks=blanks), blanks=blanks)


def _json_lines(path: Path) -> Table:
    """Objects, one a line; the columns are the names in the first of them."""

    def objects() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(text_lines(path), 1):
            if line.strip():
                yield number, _object(line, f"{path}, line {number}")

    names: dict[str, None] = {}
    for _, row in islice(objects(), SAMPLE):
        names.update(dict.fromkeys(row))
        if len(names) > MOST_NAMES:
            break  # too many for any table: whoever chooses columns says so
    header = tuple(names)
    return Table(path, lambda: ((number, [row.get(name) for name in header]) for number, row in objects()), header)


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        return parse_json(line.encode(), dict[str, Any])
    except ForeignFileError as error:
        raise DatasetError(
            f'{where}: expected an object such as {{"path": "1.jpg", "label": "cat"}}; the line {error}.'
        ) from None


def _parquet(path: Path) -> Table:
    # Here, and not above: the other kinds need no Arrow.
    from retrain.photos.sources.parquet_columns import columns_of_values, values_of
    from retrain.photos.sources.parquet_file import batches, opened_parquet

    header = columns_of_values(path)

    def rows() -> Iterator[Row]:
        row = 0
        with opened_parquet(path) as file:
            for batch in batches(file, path, list(header), PARQUET_ROWS):
                columns = [values_of(batch.column(name)) for name in header]
                for cells in zip(*columns, strict=True):
                    row += 1
                    yield row, list(cells)

    return Table(path, rows, header, unit="row")
