"""Parquet files that anyone may have written, read in batches that are bounded by memory, not by rows alone.

A file of kilobytes may hold a cell of gigabytes, packed, or have a thousand rows repeat one cell of megabytes. What its
footer says of the columns is looked at before they are read.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from label_image.errors import first_line
from label_image.photo_files.reading import MAX_BYTES
from label_image.plain_paths import plain_path
from retrain.core.errors import DatasetError

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
        raise DatasetError(f"There is no file {path}; check `image_dir`.") from None
    except DatasetError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError) as error:  # also of texts that are no UTF-8
        raise DatasetError(f"{path} is not a readable Parquet file ({_reason(error)}).") from None


def batches(file: pq.ParquetFile, path: Path, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Some columns in batches of at most so many rows. Raises DatasetError, before it reads, for what is too large."""
    largest_repeated = 1
    for chunk in _chunks(file, columns):
        _check_size(chunk, path)
        if any("DICTIONARY" in encoding for encoding in chunk.encodings):
            largest_repeated = max(largest_repeated, chunk.total_uncompressed_size)
    rows = max(1, min(rows, BUDGET // largest_repeated))
    row = 0
    try:
        for batch in file.iter_batches(rows, columns=columns, use_threads=False):
            yield batch
            row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} cannot be read at row {row + 1} ({_reason(error)}).") from None


def _check_size(chunk: Any, path: Path) -> None:
    size, packed = chunk.total_uncompressed_size, chunk.total_compressed_size
    if size > MAX_BYTES * max(1, chunk.num_values) or (size > LARGE and size > PACKED * packed):
        raise DatasetError(
            f"{path} is not read: its column {chunk.path_in_schema} has {size >> 20} MiB in {chunk.num_values} cells, "
            f"packed in {packed >> 20} MiB; photos have at most {MAX_BYTES >> 20} MiB and cannot be packed so."
        )


def _chunks(file: pq.ParquetFile, columns: Iterable[str]) -> Iterator[Any]:
    """What the footer says of each of the columns in each group of rows."""
    wanted, schema = set(columns), file.schema
    numbers = [number for number in range(len(schema)) if schema.column(number).path.partition(".")[0] in wanted]
    for group in range(file.metadata.num_row_groups):
        # Of a damaged footer pyarrow 26 ends the process where it describes a column, and raises where it reads one: so
        # no rows are read first, which opens each of the columns.
        for _ in file.reader.iter_batches(0, row_groups=[group], column_indices=numbers, use_threads=False):
            pass
        row_group = file.metadata.row_group(group)
        for number in numbers:
            yield row_group.column(number)


def _reason(error: BaseException) -> str:
    return first_line(error).rstrip(".")
