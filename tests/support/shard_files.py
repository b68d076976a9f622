"""Shards in a folder, by their paths."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from retrain.core import sealed
from retrain.core.places import LocalPlace


def list_shards(folder: Path | str, prefix: str = "") -> list[Path]:
    return [Path(folder) / name for name in sealed.list_shards(LocalPlace(Path(folder)), prefix)]


def open_shard(path: Path) -> sealed.Shard:
    return sealed.Shard(LocalPlace(path.parent), path.name)


def read_shard(path: Path) -> pa.Table:
    return sealed.read_shard(LocalPlace(path.parent), path.name)


def write_shard(folder: Path, table: pa.Table, *options: Any) -> Path:
    return folder / sealed.write_shard(LocalPlace(folder), table, *options)


def other_files(folder: Path) -> list[Path]:
    return [folder / name for name in sealed.other_files(LocalPlace(folder))]
