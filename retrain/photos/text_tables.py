"""Tables that people write as text, `.csv` and `.tsv`, and lists of JSON objects, one a line.

They are read line by line, so that one of gigabytes takes no more memory than its longest row, and that is bounded.
"""

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from retrain.core.errors import DatasetError

LONGEST = 2**20  # characters of a line
LONGEST_ROW = 2**21  # characters: line breaks may stand in quotation marks


def table_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a .csv or .tsv with their line numbers; comma, semicolon (Excel's) or tab. Raises DatasetError."""
    lines = text_lines(path)
    first = next(lines, "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    length = 0  # of the row that is being read

    def bounded() -> Iterator[str]:
        nonlocal length
        for line in chain([first], lines):
            length += len(line)
            if length > LONGEST_ROW:
                raise csv.Error(f"a row has more than {LONGEST_ROW} characters; is a quotation mark not closed?")
            yield line

    reader = csv.reader(bounded(), delimiter=delimiter)
    try:
        for row in reader:
            length = 0
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: {error}.") from None


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a file of UTF-8 text, with their ends. Raises DatasetError."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            number = 0
            while line := file.readline(LONGEST + 1):
                number += 1
                if "\0" in line:  # UTF-16, as a rule; Python 3.10's csv would stop at it, later ones would not
                    raise DatasetError(f"{path} holds NUL characters; save it as UTF-8 text.")
                if len(line) > LONGEST:
                    raise DatasetError(f"{path}, line {number} has more than {LONGEST} characters.")
                yield line
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not UTF-8; save it as UTF-8.") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from None
