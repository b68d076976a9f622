"""Bottlenecks with all that they come from as one Parquet file: a table for anybody, and the way back.

    path, sha256, label, split      of the photo; a path on this machine is absolute, the split that of its source; null
                                    where there is no class, or no split
    view                            what the row shows of the photo: `original`, or how it was distorted
    bottleneck                      as many float32 as the backbone gives

The schema's metadata have the rest, as JSON under `retrain.bottlenecks`: the backbone, the classes in their order, and
how the photos were read.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from label_image.errors import ForeignFileError
from label_image.files import temporary_folder
from label_image.foreign_text import parse_json
from label_image.not_paths import is_object_address
from label_image.preprocessing import Preprocessing
from retrain.backbones.backbone import Backbone
from retrain.backbones.calibrated import CalibratedNetwork
from retrain.core.errors import DatasetError
from retrain.core.matrix_file import StoredMatrix, release_pages
from retrain.core.places import place_of
from retrain.photos.dataset import Photo
from retrain.photos.reading import absolute_paths
from retrain.photos.sources.parquet_file import opened_parquet

METADATA = b"retrain.bottlenecks"
VERSION = 1
BATCH_BYTES = 16 << 20  # of bottlenecks that are written at a time
PHOTO_COLUMNS = ("path", "sha256", "label", "split")


def write_table(
    path: str | os.PathLike[str],
    about: Mapping[str, object],
    photos: Sequence[Photo],
    views: StoredMatrix,
    view_ids: Sequence[str],
    observe: Callable[[int], object] = lambda rows: None,
) -> None:
    """Write the file, aside and then in its place. `views` is (views * n, dim). Raises OSError.

    `observe` is told how many rows are written. Of bottlenecks that are in a file a batch is held at a time.
    """
    target = Path(path)
    dim, count = views.shape[1], len(photos)
    batch = max(1, BATCH_BYTES // (4 * dim))
    columns = columns_of(photos)
    with temporary_folder(target.parent) as folder:
        aside = folder / target.name
        # Opened here: where a write fails, Arrow's writer would leave the file open, and a full disk full.
        with open(aside, "wb") as bare, pq.ParquetWriter(
            bare, _schema(about, dim), compression="zstd", write_statistics=False,
            use_dictionary=["label", "split", "view"],
        ) as file:  # fmt: skip
            for number, view in enumerate(view_ids):
                for start in range(0, count, batch):
                    rows = slice(start, min(start + batch, count))
                    some = views[number * count + rows.start : number * count + rows.stop]
                    vectors = np.asarray(some, np.float32)
                    cells = [pa.array(columns[name][rows], pa.string()) for name in PHOTO_COLUMNS]
                    cells.append(pa.array([view] * len(vectors), pa.string()))
                    cells.append(pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim))
                    file.write_batch(pa.record_batch(cells, schema=file.schema))
                    release_pages(views)
                    observe(number * count + rows.stop)
        os.replace(aside, target)


def is_table(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one that `write_table` has written."""
    try:
        return METADATA in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def columns_of(photos: Sequence[Photo]) -> dict[str, list[str | None]]:
    """What a table says of photos, a list for each column."""
    paths = absolute_paths(photo.path for photo in photos)
    return {
        "path": [os.fsencode(path).decode(errors="backslashreplace") for path in paths],
        "sha256": [photo.sha256 for photo in photos],
        "label": [photo.label or None for photo in photos],
        "split": [photo.split for photo in photos],
    }


def read_table(path: str | os.PathLike[str]) -> tuple[dict[str, Any], tuple[Photo, ...], StoredMatrix]:
    """What `write_table` was given: the metadata, the photos and the views. Raises DatasetError.

    A table that was changed since, but for rows that were left out, has its labels from its own column.
    """
    with opened_parquet(Path(path)) as file:
        about = _about(Path(path), file.schema_arrow.metadata or {})
        table = file.read()
    count = _photos_of(Path(path), table, about["view_ids"])
    cells = [table.column(name).slice(0, count).to_pylist() for name in PHOTO_COLUMNS]
    photos = tuple(
        Photo(where, label or "", sha256, split, gone=not is_object_address(where) and not os.path.isfile(where))
        for where, sha256, label, split in zip(*cells, strict=True)
    )
    places = {label: place for place, label in enumerate(about["labels"])}
    used = {photo.label for photo in photos}
    about["labels"] = sorted(used, key=lambda label: (places.get(label, len(places)), label))
    vectors = table.column("bottleneck").combine_chunks()
    values = vectors.flatten().to_numpy(zero_copy_only=False)
    return about, photos, np.ascontiguousarray(values, np.float32).reshape(table.num_rows, -1)


def plain_backbone(backbone: Backbone) -> dict[str, Any]:
    """A backbone as JSON."""
    calibrated = backbone.calibrated
    return {
        "architecture": backbone.architecture,
        "preprocessing": str(backbone.preprocessing),
        "dim": backbone.dim,
        "weights_sha256": backbone.weights_sha256,
        "weights_file": None if backbone.weights_file is None else os.path.abspath(backbone.weights_file),
        "feature_layer": backbone.feature_layer,
        "compute_dtype": backbone.compute_dtype,
        "stored_dtype": backbone.stored_dtype,
        "parts": [plain_backbone(part) for part in backbone.parts],
        "calibrated": None if calibrated is None else [str(calibrated.place.where), calibrated.sha256],
    }


def backbone_of(plain: Mapping[str, Any], kind: type[Backbone] = Backbone) -> Backbone:
    """The backbone that `plain_backbone` described."""
    found = kind(**{**plain, "preprocessing": Preprocessing.parse(plain["preprocessing"]), "calibrated": None})
    calibrated, file = plain["calibrated"], plain["weights_file"]
    return replace(
        found,
        weights_file=None if file is None else Path(file),
        parts=tuple(backbone_of(part, kind) for part in plain["parts"]),
        calibrated=None if calibrated is None else CalibratedNetwork(place_of(calibrated[0]), calibrated[1]),
    )


def _schema(about: Mapping[str, object], dim: int) -> pa.Schema:
    fields = [pa.field(name, pa.string(), nullable=name in ("label", "split")) for name in (*PHOTO_COLUMNS, "view")]
    fields.append(pa.field("bottleneck", pa.list_(pa.float32(), dim)))
    return pa.schema(fields, {METADATA: json.dumps({"version": VERSION, **about}, ensure_ascii=False).encode()})


def _photos_of(path: Path, table: pa.Table, view_ids: Sequence[str]) -> int:
    """How many photos a table has, in which every view has all of them in one order. Raises DatasetError."""
    missing = [name for name in (*PHOTO_COLUMNS, "view", "bottleneck") if name not in table.column_names]
    if missing:
        raise DatasetError(f"{path} has no column {missing[0]} any more, which `to_parquet` wrote.")
    count = int(table.num_rows) // max(1, len(view_ids))
    parts = [table.slice(number * count, count) for number in range(len(view_ids))]
    same = all(
        part["view"].to_pylist() == [view] * count and part["sha256"].equals(parts[0]["sha256"])
        for part, view in zip(parts, view_ids, strict=True)
    )
    if count * len(view_ids) != table.num_rows or not same or table["bottleneck"].null_count:
        raise DatasetError(
            f"{path} was changed since `to_parquet` wrote it: its views are not of the same photos any more."
        )
    return count


def _about(path: Path, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    try:
        about = parse_json(metadata[METADATA], dict[str, Any])
    except (KeyError, ForeignFileError):
        raise DatasetError(f"{path} was not written by `to_parquet` of bottlenecks.") from None
    if about.get("version") != VERSION:
        raise DatasetError(f"{path} is in another version of its format, and this program reads {VERSION}.")
    return about
