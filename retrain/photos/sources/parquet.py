"""Parquet files with image bytes, as Hugging Face writes them: one file, or a folder of shards.

The photo's column is `image` (or the only one of its kind), struct<bytes: binary, path: string> or plain
binary; the class's is `label` (or the only ClassLabel), an integer or text. Names of integer classes
are in the schema's metadata. Words in a shard's path (`train-00000-of-00002.parquet`,
`data/test/0000.parquet`) give its split, or a column `split` that of each photo.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from retrain.photos.dataset import SPLIT_FOLDERS, Dataset, Skipped, Split
from retrain.photos.layouts.words import kind_of
from retrain.photos.sources.base import Encoded, Source, Unpacking
from retrain.photos.sources.manifests import read_table
from retrain.photos.sources.unpack import unpack


def is_parquet(source: str) -> bool:
    """Whether a source is a Parquet file, by its name, or a folder that holds nothing but them."""
    try:
        return bool(parquet_files(Path(source)))
    except ValueError:  # no name that the system knows
        return False


def read_parquet(source: str, unpacking: Unpacking) -> Dataset:
    """The photos of such a file or folder, unpacked; or, where it holds their paths, as a table of them is read."""
    from retrain.photos.sources.parquet_columns import columns_of_values, holds_photos

    files = parquet_files(Path(source))
    if len(files) == 1 and not holds_photos(files[0]) and len(columns_of_values(files[0])) > 1:
        return read_table(files[0])
    return list_parquet(Path(source), files, unpacking)


def parquet_files(path: Path) -> list[Path]:
    """The Parquet files of a source: itself, or those of a folder that holds nothing but them.

    Shards lie in the folder, in `data/`, or in folders named after splits. None where the folder
    has other folders too, which are classes, or these hold folders or photos, whose table the file may be.
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
        if found and any(map(_holds_more, folders)):
            return []
    except OSError:
        return []
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))


def _holds_more(folder: Path) -> bool:
    """Whether a folder holds folders or photos. Raises OSError."""
    return any(
        not child.name.startswith(".") and (kind_of(child.name) == "photo" or child.is_dir())
        for child in folder.iterdir()
    )


def list_parquet(source: Path, files: Sequence[Path], unpacking: Unpacking) -> Dataset:
    """The photos of Parquet files, unpacked.

    The content of the files identifies them, wherever they lie. Raises DatasetError that names the file.
    """
    # Here, and not above: who has photos as files needs no Arrow to list them.
    from retrain.photos.sources.contents import content_hashes
    from retrain.photos.sources.parquet_columns import photo_rows, rows_in, same_columns

    splits, without = _splits(source, files)
    shards = [file for file in files if file not in without]
    columns = same_columns(shards)
    contents = content_hashes(shards, unpacking.bottleneck_dir, unpacking.paranoid)
    identity = {
        "parquet": [[splits[file] or "", sha256] for file, sha256 in zip(shards, contents, strict=True)],
        "columns": columns.all,
        "names": columns.names,
    }

    def entries() -> Iterator[Encoded | Skipped]:
        yield from (Skipped(str(file), "names no split, unlike the files beside it") for file in without)
        for file in shards:
            yield from photo_rows(file, columns, splits[file])

    total = len(without) + sum(rows_in(file) for file in shards)
    return unpack(entries(), identity, str(source), unpacking, total)


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


PARQUET = Source("Parquet", is_parquet, read_parquet)
