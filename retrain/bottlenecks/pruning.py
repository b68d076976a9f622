"""Removing what nobody asks for any more from a bottleneck store: `retrain store prune`.

First a plan, which changes nothing; then the work. Killed in between, a store holds something more than it was to
hold, and is sound: shards are written anew before the old ones go.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from label_image.files import reason_of
from retrain.bottlenecks.beside import INSIDE, damaged_of, description_name
from retrain.bottlenecks.kept_networks import remove_network
from retrain.bottlenecks.near_copies import FOLDER as THUMBNAILS
from retrain.bottlenecks.shards import rows_of_photos
from retrain.bottlenecks.store import Store
from retrain.bottlenecks.store_folders import StoreFolder, count_photos_and_vectors, store_folders
from retrain.core.errors import OptionError, StoreError, UnwritableStoreError
from retrain.core.places import place_of
from retrain.core.sealed import files_in, list_shards


@dataclass(frozen=True)
class PrunedFolder:
    """What is removed from one folder, in bottlenecks, and what stays. All of it: the folder goes, too."""

    folder: StoreFolder
    removed: int
    kept: int
    whole: bool


@dataclass(frozen=True)
class Pruning:
    """What is to be removed from a store; `photos` are those that stay, None for all.

    `is_empty`: there are no bottlenecks, and the folder may be no store.
    """

    bottleneck_dir: Path | str
    photos: Set[str] | None
    folders: tuple[PrunedFolder, ...]
    is_empty: bool = False

    @property
    def removed(self) -> int:
        """How many bottlenecks go."""
        return sum(folder.removed for folder in self.folders)


def plan_pruning(bottleneck_dir: Path | str, photos: Set[str] | None, fingerprints: Sequence[str]) -> Pruning:
    """Say what would go, were only these photos, and only these fingerprints, to stay.

    `photos` are SHA-256s, None for all; `fingerprints` are the first digits of some, none for all. Raises OptionError
    for a fingerprint that is not there, StoreError where the store cannot be read.
    """
    folders = store_folders(bottleneck_dir)
    for beginning in fingerprints:
        if not any(folder.fingerprint.startswith(beginning) for folder in folders):
            raise OptionError(
                f"{bottleneck_dir} has no fingerprint that begins with {beginning!r}; `retrain store info` lists them."
            )
    asked = [folder for folder in folders if not fingerprints or folder.fingerprint.startswith(tuple(fingerprints))]
    sha256s = pa.array(sorted(photos or ()), pa.string())
    planned = []
    for folder in folders:
        whole = folder not in asked
        if not whole and photos is None:
            continue
        keys = folder.read_keys().table
        kept = keys.slice(0, 0) if whole else keys.filter(rows_of_photos(keys, sha256s))
        (_, before), (_, after) = count_photos_and_vectors(keys), count_photos_and_vectors(kept)
        if not whole and before > after and folder.description is None:
            raise StoreError(
                f"{folder.path} has no {description_name(folder.fingerprint)} beside it that says whose bottlenecks it "
                "holds: move the folder away, or let a training use it once, which writes the file anew."
            )
        if whole or before > after:
            planned.append(PrunedFolder(folder, before - after, after, whole))
    return Pruning(bottleneck_dir, photos, tuple(planned), not folders)


def prune_store(pruning: Pruning) -> tuple[Path | str, ...]:
    """Do what was planned; returns folders that were to go and still hold files of others, or damaged ones.

    Thumbnails of photos that do not stay go, too. What other processes add meanwhile may stay. Raises StoreError.
    """
    left: list[Path | str] = []
    for planned in pruning.folders:
        if planned.whole:
            left += _remove(planned.folder)
        elif planned.folder.description is not None and pruning.photos is not None:
            made_for = planned.folder.description
            with Store(pruning.bottleneck_dir, made_for.covers, made_for.dim, made_for.dtype) as store:
                store.prune_to_photos(pruning.photos)
    place = place_of(pruning.bottleneck_dir)
    if pruning.photos is not None and THUMBNAILS in place.folders():
        left += prune_store(plan_pruning(place.below(THUMBNAILS).where, pruning.photos, ()))
    return tuple(left)


def _remove(folder: StoreFolder) -> list[Path | str]:
    """Remove the bottlenecks of a folder, and the folder where nothing else is in it; what is left then."""
    place, damaged = folder.place, damaged_of(folder.parent, folder.fingerprint)
    try:
        place.tidy()
        for name in list_shards(place):
            place.remove(name)
        place.remove(INSIDE)
        folder.parent.remove(description_name(folder.fingerprint))  # last: until then it says what the rest is
        remove_network(folder)
    except OSError as error:
        raise UnwritableStoreError(
            f"{place} cannot be removed ({reason_of(error)}): give this user the right to write there."
        ) from None
    left = [damaged.where] if files_in(damaged) else []
    return left if place.remove_if_empty() else [place.where, *left]
