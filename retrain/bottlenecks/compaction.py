"""Uniting the small shards of a store: `retrain store compact`, as a job of its own.

Each step makes one full shard of small ones, and removes these once that one is there for good. So it may be stopped at
any moment, others may read and write meanwhile, and two of it may run at once; see `retrain.bottlenecks.store`.
"""

from dataclasses import dataclass
from pathlib import Path

from retrain.bottlenecks.near_copies import thumbnail_folders
from retrain.bottlenecks.store import Store
from retrain.bottlenecks.store_folders import StoreFolder, store_folders
from retrain.core.sealed import list_shards


@dataclass(frozen=True)
class CompactedFolder:
    """How many shards a folder had, and has now; None where nothing says whose they are, and they were left alone."""

    folder: StoreFolder
    shards: tuple[int, int] | None


def compact_store(bottleneck_dir: Path | str) -> tuple[CompactedFolder, ...]:
    """Unite the small shards of each fingerprint, those of thumbnails among them. Raises StoreError."""
    folders = (*store_folders(bottleneck_dir), *thumbnail_folders(bottleneck_dir))
    return tuple(_compact(folder) for folder in folders)


def _compact(folder: StoreFolder) -> CompactedFolder:
    made_for = folder.description
    if made_for is None:
        return CompactedFolder(folder, None)
    before = len(list_shards(folder.place))
    Store(folder.parent, made_for.covers, made_for.dim, made_for.dtype).compact_all()
    return CompactedFolder(folder, (before, len(list_shards(folder.place))))
