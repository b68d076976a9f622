"""In which columns a Parquet file has its photos and their classes, and its rows as photos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from label_image.foreign_text import parse_json
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Skipped, Split
from retrain.photos.sources.base import Encoded, has_no_class, side_in
from retrain.photos.sources.parquet_file import batches, opened_parquet

SHOWN = 3  # members of a list
ROWS = 64  # photos in memory at a time, besides the page of Parquet that they are in


@dataclass(frozen=True)
class Columns:
    """Where a Parquet file keeps its photos: their columns, and the names of integer classes."""

    image: str
    label: str
    names: tuple[str, ...] | None = None
    split: str | None = None

    @property
    def all(self) -> list[str]:
        """The names of the columns that are read."""
        return [self.image, self.label, *([self.split] if self.split else [])]


def same_columns(files: Sequence[Path]) -> Columns:
    """The columns of all files. Raises DatasetError where they differ, or there are none for photos and classes."""
    columns = {file: _columns(file) for file in files}
    first, *others = columns
    for file in others:
        if columns[file] != columns[first]:
            raise DatasetError(f"{first} and {file} have other columns or class names: they are not parts of one set.")
    return columns[first]


def _columns(path: Path) -> Columns:
    with opened_parquet(path) as file:
        schema: pa.Schema = file.schema_arrow
    features = _hugging_face_features(schema)
    shown = ", ".join(schema.names) or "none"
    images = [field.name for field in schema if _holds_bytes(field.type)]
    image = "image" if "image" in images else images[0] if len(images) == 1 else None
    if image is None:
        raise DatasetError(f"{path} has no column `image` with the bytes of photos; its columns are: {shown}.")
    class_labels = [name for name in schema.names if features.get(name, {}).get("_type") == "ClassLabel"]
    label = "label" if "label" in schema.names else class_labels[0] if len(class_labels) == 1 else None
    if label is None:
        raise DatasetError(f"{path} has no column `label` with the classes; its columns are: {shown}.")
    kind = schema.field(label).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DatasetError(f"{path}: the column {label!r} is {kind}, where one class for each photo is needed.")
    names = features.get(label, {}).get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        names = []
    return Columns(image, label, tuple(names) or None, _split_column(schema))


def _split_column(schema: pa.Schema) -> str | None:
    if "split" not in schema.names:
        return None
    kind = schema.field("split").type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return "split" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else None


def columns_of_values(path: Path) -> tuple[str, ...]:
    """The columns that hold texts, numbers or lists of them, as a table of paths has them: no photos."""
    with opened_parquet(path) as file:
        schema: pa.Schema = file.schema_arrow
    names = [field.name for field in schema if not pa.types.is_nested(field.type) or pa.types.is_list(field.type)]
    return tuple(name for name in names if schema.names.count(name) == 1)


def values_of(column: pa.Array) -> list[Any]:
    """The cells of a column; of lists only the first few members, for messages."""
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    values: list[Any] = (pc.list_slice(column, 0, SHOWN) if is_list else column).to_pylist()
    return values


def holds_photos(path: Path) -> bool:
    """Whether there is a column with the bytes of photos."""
    with opened_parquet(path) as file:
        return any(_holds_bytes(field.type) for field in file.schema_arrow)


def rows_in(path: Path) -> int:
    """How many rows there are, by the footer."""
    with opened_parquet(path) as file:
        rows: int = file.metadata.num_rows
    return rows


def _hugging_face_features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """What the writer says of the columns: {"label": {"_type": "ClassLabel", "names": [...]}, ...}."""
    try:
        features = parse_json((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}  # not written by Hugging Face's library


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def photo_rows(path: Path, columns: Columns, split: Split | None) -> Iterator[Encoded | Skipped]:
    """The photo of each row, or why it is not used; `split` is that of the whole file, if its name says one."""
    row = 0
    with opened_parquet(path) as file:
        for batch in batches(file, path, columns.all, ROWS):
            images = batch.column(columns.image)
            if pa.types.is_struct(images.type):
                images = pc.struct_field(images, "bytes")
            labels = batch.column(columns.label).to_pylist()
            sides = batch.column(columns.split).to_pylist() if columns.split else [None] * len(labels)
            for data, label, side in zip(images, labels, sides, strict=True):
                row += 1
                where = f"{path}, row {row}"
                yield _entry(where, data.as_py(), label, columns, split or side_in(side, where))


def _entry(
    where: str, data: bytes | None, label: int | str | None, columns: Columns, split: Split | None
) -> Encoded | Skipped:
    if not data:
        return Skipped(where, "holds no image")
    if has_no_class(label):
        return Skipped(where, "has no class")
    if columns.names is not None and isinstance(label, int):
        if not 0 <= label < len(columns.names):
            return Skipped(where, f"has the class {label}, and there are {len(columns.names)} names")
        label = columns.names[label]
    return Encoded(data, str(label), split)
