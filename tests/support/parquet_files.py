"""Parquet files with photos, as Hugging Face's library writes them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from shades import photo

NAMES = ["gato", "São Bernardo"]


def parquet(
    path: Path,
    labels: Sequence[object],
    *,
    names: Sequence[str] | None = None,
    image: str = "image",
    label: str = "label",
    first: int = 0,
    **columns: list[Any],
) -> Path:
    """A file as Hugging Face's library writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": photo(first + row), "path": f"{row}.png"} for row in range(len(labels))]
    table = pa.table({image: images, label: list(labels), **columns})
    if names is not None:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=3)
    return path
