"""Parquet files that anyone may have written, read in batches that are bounded by memory, not by rows alone.

A file of kilobytes may hold a cell of gigabytes, packed, or have a thousand rows repeat one cell of megabytes. What its
footer says of the columns is looked at before they are read.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from label_image.plain_paths import plain_path
from retrain.errors import DatasetError
from retrain.photos.reading import MAX_BYTES

FOOTER = Path(__file__).with_name("parquet_footer.py")
CHUNK = 2**20
LARGE = 2**28  # bytes of a column in a group of rows: only there is a suspicion worth the user's time
PACKED = 20  # times smaller than its content a column of photos or of names of large size cannot be
BUDGET = 2**27  # bytes of a batch that repeats its cells


@contextlib.contextmanager
def opened_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file, open; what Arrow raises inside, for a file that is damaged, too, is a DatasetError."""
    try:
        # Buffered, and nothing ahead: a row group of gigabytes is not held as a whole.
        with plain_path(path) as plain, pq.ParquetFile(plain, buffer_size=CHUNK, pre_buffer=False) as file:
            yield file
    except FileNotFoundError:
        raise DatasetError(f"There is no file {path}; check --image_dir.") from None
    except DatasetError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:  # also of texts that are no UTF-8
        raise DatasetError(f"{path} is no Parquet file that can be read ({_one_line(error)}).") from None


def rows_at_a_time(paths: Sequence[Path], columns: Sequence[str], most: int) -> dict[Path, int]:
    """How many rows of each file, of some of its columns, are read in one batch: `most`, or fewer where cells repeat.

    Raises DatasetError for a file whose cells are too large, or whose footer is damaged: before any of them is read.
    """
    rows = {}
    for path, chunks in zip(paths, _footers(paths), strict=True):
        largest_repeated = 1
        for chunk in chunks:
            if chunk["column"].partition(".")[0] in columns:
                _check_size(chunk, path)
                largest_repeated = max(largest_repeated, chunk["size"] if chunk["repeats"] else 1)
        rows[path] = max(1, min(most, BUDGET // largest_repeated))
    return rows


def batches(file: pq.ParquetFile, path: Path, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Some columns in batches of so many rows; see `rows_at_a_time`. Raises DatasetError."""
    row = 0
    try:
        for batch in file.iter_batches(rows, columns=columns, use_threads=False):
            yield batch
            row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} cannot be read at row {row + 1} ({_one_line(error)}).") from None


def _footers(paths: Sequence[Path]) -> Iterator[list[dict[str, Any]]]:
    """The columns of each file by its footer, which another process has read: a damaged one may end that."""
    names = b"\0".join(os.fsencode(os.path.abspath(path)) for path in paths)
    asked = subprocess.run([sys.executable, FOOTER], input=names, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    lines = asked.stdout.splitlines()
    for number, path in enumerate(paths):
        found = json.loads(lines[number]) if number < len(lines) else "its footer is damaged"
        if isinstance(found, str):
            raise DatasetError(f"{path} is no Parquet file that can be read ({_one_line(found)}).")
        yield found


def _check_size(chunk: Mapping[str, Any], path: Path) -> None:
    size, packed, values = chunk["size"], chunk["packed"], chunk["values"]
    if size > MAX_BYTES * max(1, values) or (size > LARGE and size > PACKED * packed):
        raise DatasetError(
            f"{path} is not read: its column {chunk['column']} has {size >> 20} MiB in {values} cells, "
            f"packed in {packed >> 20} MiB; photos have at most {MAX_BYTES >> 20} MiB and cannot be packed so."
        )


def _one_line(error: BaseException | str) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
