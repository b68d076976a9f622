"""`dataset.parquet` in an export: which photos a run used, so that a later one can go on without them.

One row for each photo, sorted by class and path, all columns text:

    photo_sha256    64 hex digits: the photo's content, under which the store keeps its bottlenecks
    label           its class, by the name that it has in the model
    side            training, validation or testing; null where folds took turns
    path            where it was, as the run was told; bytes that are no text are written as `\\xff`

The schema's metadata say the rest, as JSON under `retrain.dataset`: the version of this format, as what the source was
read, and how it was split. No pixels, no bottlenecks and no time: the same run writes the same bytes.
`retrain.photos.sources.recorded` reads it.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.photos.dataset import Photo
from retrain.photos.division import Division

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "dataset.parquet"
VERSION = 1
METADATA = b"retrain.dataset"
COLUMNS = ("photo_sha256", "label", "side", "path")


def write_record(folder: Path, photos: Sequence[Photo], division: Division, read_as: str) -> None:
    """Write the file into a folder. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    order = sorted(range(len(photos)), key=lambda row: (photos[row].label, photos[row].path, photos[row].sha256))
    cells = {
        "photo_sha256": [photos[row].sha256 for row in order],
        "label": [photos[row].label for row in order],
        "side": [None if division.folds is not None else division.splits[row] for row in order],
        "path": [os.fsencode(photos[row].path).decode(errors="backslashreplace") for row in order],
    }
    schema = _schema(pa, {METADATA: json.dumps(_about(division, read_as), ensure_ascii=False).encode()})
    table = pa.table([pa.array(cells[name], pa.string()) for name in COLUMNS], schema=schema)
    with open(folder / NAME, "wb") as file:  # Arrow's own files have no names that are not UTF-8
        pq.write_table(table, file, compression="zstd", use_dictionary=["label", "side"], write_statistics=False)


def _schema(pa: Any, metadata: dict[bytes, bytes]) -> "pa.Schema":
    fields = [pa.field(name, pa.string(), nullable=name == "side") for name in COLUMNS]
    return pa.schema(fields, metadata)


def _about(division: Division, read_as: str) -> dict[str, object]:
    return {
        "version": VERSION,
        "read_as": read_as,
        "split": {
            **division.plain(),
            "folds": None if division.folds is None else max(division.folds) + 1,
        },
    }
