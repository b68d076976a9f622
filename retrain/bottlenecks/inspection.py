"""What is in a bottleneck store, and whether it is sound: `retrain store info` and `retrain store verify`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from label_image.files import reason_of
from retrain.bottlenecks.beside import SUFFIX, damaged_of
from retrain.bottlenecks.kept_networks import damaged_networks
from retrain.bottlenecks.near_copies import thumbnail_folders
from retrain.bottlenecks.shards import KEY_COLUMNS, KeyIndex, vector_array
from retrain.bottlenecks.store_folders import DamagedFile, StoreFolder, store_folders
from retrain.core.errors import UnwritableStoreError
from retrain.core.places import place_of
from retrain.core.sealed import Damaged, Shard, files_in, list_shards, read_shard
from retrain.photos.hashes import PREFIX


@dataclass(frozen=True)
class FolderInfo:
    """One fingerprint: the photos that have a bottleneck, their bottlenecks in all views, and the files.

    `damaged` counts files that do not match their names, `set_aside` those that were renamed for that.
    """

    fingerprint: str
    backbone: str
    photos: int
    vectors: int
    shards: int
    bytes: int
    damaged: int
    set_aside: int


@dataclass(frozen=True)
class StoreInfo:
    """A store: its fingerprints, and how many files are known by the table of hashes."""

    path: Path | str
    folders: tuple[FolderInfo, ...]
    known_files: int


@dataclass(frozen=True)
class Verification:
    """What is sound of a store, and what is not. `repaired`: the damaged files were set aside.

    `is_empty`: the folder holds no bottlenecks, sound or damaged, and may be no store.
    """

    shards: int
    vectors: int
    damaged: tuple[DamagedFile, ...]
    repaired: bool = False
    is_empty: bool = False


def inspect_store(bottleneck_dir: Path | str) -> StoreInfo:
    """Say what a store holds. Reads every shard, and changes nothing. Raises StoreError."""
    folders = tuple(_folder_info(folder) for folder in store_folders(bottleneck_dir))
    paths: set[bytes] = set()
    _each_table_of_hashes(bottleneck_dir, lambda table: paths.update(table["path"].to_pylist()))
    return StoreInfo(bottleneck_dir, folders, len(paths))


def verify_store(bottleneck_dir: Path | str, repair: bool = False) -> Verification:
    """Read every shard of a store completely, and hash it again.

    `repair` renames what is damaged to `….damaged`: its photos are computed again. Raises StoreError.
    """
    shards = vectors = 0

    def look(shard: Shard) -> None:
        nonlocal shards, vectors
        _check(shard)
        shards += 1
        vectors += shard.rows

    folders = store_folders(bottleneck_dir)
    damaged = [file for folder in folders for file in folder.each_shard(look)]
    damaged += [file for folder in thumbnail_folders(bottleneck_dir) for file in folder.each_shard(_check)]
    damaged += _each_table_of_hashes(bottleneck_dir, lambda table: None) + damaged_networks(bottleneck_dir)
    if repair:
        damaged = [_set_aside(file) for file in damaged]
    return Verification(shards, vectors, tuple(damaged), repair, not folders)


def _check(shard: Shard) -> None:
    KeyIndex(shard.read(KEY_COLUMNS))  # it knows what is no key
    for group, _, _ in shard.row_groups():
        if not np.isfinite(vector_array(shard.read_row_group(group))).all():
            raise Damaged("it holds numbers that are not finite")


def _folder_info(folder: StoreFolder) -> FolderInfo:
    keys = folder.read_keys()
    photos, vectors = keys.count()
    size = sum(keys.shards.values())
    kept = (*files_in(damaged_of(folder.parent, folder.fingerprint)), *files_in(folder.place))
    aside = sum(name.endswith(SUFFIX) for name, _ in kept)
    return FolderInfo(
        folder.fingerprint, folder.backbone, photos, vectors, len(keys.shards), size, len(keys.damaged), aside
    )


def _each_table_of_hashes(bottleneck_dir: Path | str, look: Callable[[pa.Table], None]) -> list[DamagedFile]:
    damaged = []
    place = place_of(bottleneck_dir)
    for name in list_shards(place, PREFIX):
        try:
            look(read_shard(place, name))
        except FileNotFoundError:
            continue
        except Damaged as why:
            damaged.append(DamagedFile(place, name, str(why)))
    return damaged


def _set_aside(file: DamagedFile) -> DamagedFile:
    """The file as it is called then."""
    try:
        where = file.place.set_aside(file.name, file.into)
        name = Path(where).name
        into = file.into
        return replace(file, place=into if into is not None and where == into.at(name) else file.place, name=name)
    except OSError as error:
        raise UnwritableStoreError(
            f"{file.path} is damaged and cannot be renamed ({reason_of(error)}): "
            "give this user the right to write there."
        ) from None
