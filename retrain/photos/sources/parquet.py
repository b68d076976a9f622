"""Parquet files with image bytes, as Hugging Face writes them: one file, or a folder of shards.

The photo's column is `image` (or the only one of its kind), struct<bytes: binary, path: string> or plain
binary; the class's is `label` (or the only ClassLabel), an integer or text. Names of integer classes
are in the schema's metadata. Words in a shard's path (`train-00000-of-00002.parquet`,
`data/test/0000.parquet`) give its split.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from label_image.foreign_text import parse_json
from retrain.core.errors import DatasetError
from retrain.photos.dataset import SPLIT_FOLDERS, Dataset, Skipped, Split
from retrain.photos.sources.contents import content_hashes
from retrain.photos.sources.parquet_file import batches, opened_parquet
from retrain.photos.sources.unpack import Encoded, Observer, unpack

ROWS = 64  # photos in memory at a time, besides the page of Parquet that they are in


@dataclass(frozen=True)
class Columns:
    """Where a Parquet file keeps its photos: the two columns, and the names of integer classes."""

    image: str
    label: str
    names: tuple[str, ...] | None = None


def parquet_files(path: Path) -> list[Path]:
    """The Parquet files of a source: itself, or those of a folder that holds nothing but them.

    Shards lie in the folder, in `data/`, or in folders named after splits. None where the folder
    has other folders too: those are classes.
    """
    if path.suffix.lower() == ".parquet" and not path.is_dir():
        return [path]
    try:
        children = sorted(child for child in path.iterdir() if not child.name.startswith("."))
        folders = [child for child in children if child.is_dir()]
        if any(folder.name.lower() not in (*SPLIT_FOLDERS, "data") for folder in folders):
            return []
        # No deeper: below given splits with class folders there may be a million photos.
        found = [file for pattern in ("*.parquet", "*/*.parquet") for file in path.glob(pattern) if file.is_file()]
    except OSError:
        return []
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))


def list_parquet(
    source: Path,
    files: Sequence[Path],
    bottleneck_dir: Path,
    paranoid: bool,
    say: Callable[[str], None],
    observe: Observer,
) -> Dataset:
    """The photos of Parquet files, unpacked.

    The content of the files identifies them, wherever they lie. Raises DatasetError that names the file.
    """
    splits, without = _splits(source, files)
    shards = [file for file in files if file not in without]
    columns = _same_columns(shards)
    contents = content_hashes(shards, bottleneck_dir, paranoid)
    identity = {
        "parquet": [[splits[file] or "", sha256] for file, sha256 in zip(shards, contents, strict=True)],
        "columns": [columns.image, columns.label],
        "names": columns.names,
    }

    def entries() -> Iterator[Encoded | Skipped]:
        yield from (Skipped(str(file), "names no split, unlike the files beside it") for file in without)
        for file in shards:
            yield from _rows(file, columns, splits[file])

    total = len(without) + sum(_rows_in(file) for file in shards)
    return unpack(entries(), identity, str(source), bottleneck_dir, say, total, observe)


def _splits(source: Path, files: Sequence[Path]) -> tuple[dict[Path, Split | None], list[Path]]:
    """The split that each file's name gives, and the files whose names give none though others' do.

    Where all files are of one side there is no split to keep.
    """
    root = source if source.is_dir() else source.parent
    splits = {file: _split_in_name(file.relative_to(root)) for file in files}
    if len({split for split in splits.values() if split}) < 2:
        return dict.fromkeys(files), []
    return splits, [file for file, split in splits.items() if split is None]


def _split_in_name(path: Path) -> Split | None:
    words = re.split(r"[^a-z]+", path.as_posix().lower())
    return next((SPLIT_FOLDERS[word] for word in reversed(words) if word in SPLIT_FOLDERS), None)


def _same_columns(files: Sequence[Path]) -> Columns:
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
    return Columns(image, label, tuple(names) or None)


def _rows_in(path: Path) -> int:
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


def _rows(path: Path, columns: Columns, split: Split | None) -> Iterator[Encoded | Skipped]:
    row = 0
    with opened_parquet(path) as file:
        for batch in batches(file, path, [columns.image, columns.label], ROWS):
            images = batch.column(columns.image)
            if pa.types.is_struct(images.type):
                images = pc.struct_field(images, "bytes")
            for data, label in zip(images, batch.column(columns.label).to_pylist(), strict=True):
                row += 1
                yield _entry(f"{path}, row {row}", data.as_py(), label, columns, split)


def _entry(
    where: str, data: bytes | None, label: int | str | None, columns: Columns, split: Split | None
) -> Encoded | Skipped:
    if not data:
        return Skipped(where, "holds no image")
    if label is None or label == -1:  # what Hugging Face's test sets have instead of a class
        return Skipped(where, "has no class")
    if columns.names is not None and isinstance(label, int):
        if not 0 <= label < len(columns.names):
            return Skipped(where, f"has the class {label}, and there are {len(columns.names)} names")
        label = columns.names[label]
    return Encoded(data, str(label), split)
