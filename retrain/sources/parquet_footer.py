"""A program of its own: what the footers of Parquet files say of their columns, as JSON, a line for each file.

The files are named on standard input, with a NUL between them. At some damaged footers Arrow ends the process: it lets
exceptions of C++ through (seen in pyarrow 26). So it is this process that ends, and `retrain.sources.parquet_file`
knows which file it was. It imports nothing of ours.
"""

import sys

if __name__ == "__main__":
    del sys.path[0]  # the folder of this file, whose modules are none of this program's

import json
import os
from typing import Any

import pyarrow.parquet as pq


def columns_of(path: bytes) -> list[dict[str, Any]]:
    """Each column of each group of rows. Raises OSError, ArrowException, ValueError."""
    with open(path, "rb") as file:
        metadata = pq.read_metadata(file)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    return [
        {
            "column": chunk.path_in_schema,
            "values": chunk.num_values,
            "packed": chunk.total_compressed_size,
            "size": chunk.total_uncompressed_size,
            "repeats": any("DICTIONARY" in encoding for encoding in chunk.encodings),
        }
        for chunk in chunks
    ]


def main() -> None:
    for path in sys.stdin.buffer.read().split(b"\0"):
        try:
            print(json.dumps(columns_of(path)), flush=True)
        except Exception as error:  # whatever Arrow raises: the one who reads the file says it
            print(json.dumps(str(error)), flush=True)
            os._exit(1)


if __name__ == "__main__":
    main()
