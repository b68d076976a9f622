"""Bottlenecks as a table for other programs: one Parquet file with a row for each photo and view.

    path          absolute, or the address of an object; bytes that are no text are written as `\\xff`
    sha256        64 hex digits: the photo's content
    label         its class; null where the data set has none
    split         training, validation or testing as the data set gives it; null where it gives none
    view          "original", or a distorted view
    bottleneck    fixed_size_list<float32>[dim]

The schema's metadata say by which network, as JSON under `retrain.features`. No time is in it: the same photos by the
same network make the same bytes.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrain.core.matrix_file import Matrix, release_pages
from retrain.photos.dataset import Photo
from retrain.photos.reading import absolute_paths

METADATA = b"retrain.features"
VERSION = 1
BATCH_BYTES = 16 << 20  # of bottlenecks that are written at a time, as a row group


def feature_schema(dim: int, about: Mapping[str, object]) -> pa.Schema:
    """The columns; `about` says by which network."""
    number = pa.field("element", pa.float32(), nullable=False)
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("sha256", pa.string(), nullable=False),
            pa.field("label", pa.string()),
            pa.field("split", pa.string()),
            pa.field("view", pa.string(), nullable=False),
            pa.field("bottleneck", pa.list_(number, dim), nullable=False),
        ],
        {METADATA: json.dumps({"version": VERSION, **about}, ensure_ascii=False, sort_keys=True).encode()},
    )


def write_feature_table(
    path: Path,
    photos: Sequence[Photo],
    views: Matrix,
    view_ids: Sequence[str],
    about: Mapping[str, object],
    observe: Callable[[int], None] = lambda rows: None,
) -> None:
    """Write a file with the bottlenecks (len(view_ids) * n, dim) of n photos, view by view. Raises OSError.

    `observe` is told how many rows are written. Beside the photos no more than a batch is held.
    """
    dim = views.shape[1]
    schema = feature_schema(dim, about)
    batch = max(1, BATCH_BYTES // (4 * dim))
    # Floats do not get smaller; for texts that repeat themselves dictionaries do.
    compression = {name: "zstd" for name in schema.names[:-1]}
    with (
        open(path, "wb") as file,  # Arrow's own files have no names that are not UTF-8
        pq.ParquetWriter(file, schema, compression=compression, use_dictionary=["label", "split", "view"]) as writer,
    ):
        for number, view in enumerate(view_ids):
            for start in range(0, len(photos), batch):
                some = photos[start : start + batch]
                first = number * len(photos) + start
                writer.write_table(_table(some, view, views[first : first + len(some)], schema), row_group_size=batch)
                release_pages(views)
                observe(first + len(some))


def _table(photos: Sequence[Photo], view: str, vectors: Matrix, schema: pa.Schema) -> pa.Table:
    numbers = np.ascontiguousarray(vectors, np.float32).reshape(-1)
    cells = [
        [_as_text(path) for path in absolute_paths([photo.path for photo in photos])],
        [photo.sha256 for photo in photos],
        [photo.label or None for photo in photos],
        [photo.split for photo in photos],
        [view] * len(photos),
    ]
    column = pa.FixedSizeListArray.from_arrays(pa.array(numbers), type=schema.field("bottleneck").type)
    return pa.table([*(pa.array(cell, pa.string()) for cell in cells), column], schema=schema)


def _as_text(path: str) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")
