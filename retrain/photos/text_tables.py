"""Tables that people write as text, `.csv` and `.tsv`, and lists of JSON objects, one a line.

They are read line by line, so that one of gigabytes takes no more memory than its longest row, and that is bounded.
"""

import codecs
import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from label_image.files import reason_of
from retrain.core.errors import DatasetError

LONGEST = 2**20  # characters of a line
LONGEST_ROW = 2**21  # characters: line breaks may stand in quotation marks
FIRST_ROWS = 50  # that say whether there are blanks after the separators


def table_rows(path: Path, *, blanks: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The rows of a .csv or .tsv with their line numbers; comma, semicolon (Excel's) or tab. Raises DatasetError.

    `blanks` after a separator belong to no cell.
    """
    lines = text_lines(path)
    first = next(lines, "")
    is_tabbed = path.suffix.lower() == ".tsv" and ("\t" in first or not any(other in first for other in ",;"))
    delimiter = "\t" if is_tabbed else max(",;\t", key=first.count)
    length = 0  # of the row that is being read

    def bounded() -> Iterator[str]:
        nonlocal length
        for line in chain([first], lines):
            length += len(line)
            if length > LONGEST_ROW:
                raise csv.Error(f"a row has more than {LONGEST_ROW} characters; is a quotation mark not closed?")
            yield line

    reader = csv.reader(bounded(), delimiter=delimiter, skipinitialspace=blanks)
    try:
        for row in reader:
            length = 0
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: {error}.") from None


def has_blanks_after_separators(path: Path) -> bool:
    """Whether a table is written `1.jpg, cat`: in all of its first rows; the header may be written otherwise."""
    rows = [_begin_with_blanks(row[1:]) for _, row in islice(table_rows(path), FIRST_ROWS)]
    if len(rows) > 2:
        rows = rows[1:]
    return True in rows and False not in rows


def _begin_with_blanks(cells: Sequence[str]) -> bool | None:
    """Whether all cells do that are not empty; None where all are."""
    filled = [cell for cell in cells if cell]
    return all(cell.startswith(" ") for cell in filled) if filled else None


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text in UTF-8, or UTF-16 as Excel writes it, with their ends. Raises DatasetError."""
    encoding = "utf-8-sig"
    try:
        encoding = _encoding(path)
        with open(path, encoding=encoding, newline="") as file:
            number = 0
            while line := file.readline(LONGEST + 1):
                number += 1
                if "\0" in line:  # Python 3.10's csv would stop at it, later ones would not
                    raise DatasetError(f"{path} holds NUL characters; save it as UTF-8 text.")
                if len(line) > LONGEST:
                    raise DatasetError(f"{path}, line {number} has more than {LONGEST} characters.")
                yield line
    except UnicodeError:
        name = "UTF-8" if encoding == "utf-8-sig" else "UTF-16 that can be read"
        raise DatasetError(f"{path} is not {name}; save it as UTF-8.") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {reason_of(error)}.") from None


def _encoding(path: Path) -> str:
    """UTF-16 is known by its mark, or by the zeros beside its first two characters; all else should be UTF-8."""
    with open(path, "rb") as file:
        start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = "".join("0" if byte == 0 else "x" for byte in start)
    return {"x0x0": "utf-16-le", "0x0x": "utf-16-be"}.get(zeros, "utf-8-sig")
