"""Adding the bottlenecks of other stores to one: `retrain store merge`.

Shards are copied, each in one step and after it was hashed; nothing is changed in the stores that they come from.
What two machines computed under one fingerprint must be the same numbers: the probe of both says whether it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrain.bottlenecks import fingerprint_file, probe
from retrain.bottlenecks.kept_networks import copy_network, network_of
from retrain.bottlenecks.shards import KEY_COLUMNS, Vectors, vector_array
from retrain.bottlenecks.store_folders import DamagedFile, StoreFolder, store_folders
from retrain.core.errors import OptionError, StoreError
from retrain.core.places import Place, place_of
from retrain.core.sealed import Damaged, Shard, copy_shard

Probe = dict[str, Vectors]  # the bottleneck of each of the probe's photos, by its SHA-256


@dataclass(frozen=True)
class Merged:
    """What was added to a store, and what was not: damaged files, and folders of other numbers.

    These are another environment's, or those of a network in int8 that was calibrated on other photos.
    """

    copied: int
    there_already: int
    damaged: tuple[DamagedFile, ...]
    other_numbers: tuple[Path | str, ...]


def merge_stores(others: Sequence[Path | str], bottleneck_dir: Path | str) -> Merged:
    """Add the bottlenecks of other stores. Raises OptionError, and StoreError where one cannot be read or written."""
    here = place_of(bottleneck_dir)
    folders = {other: _folders(place_of(other), here) for other in others}  # before anything is written
    copied = there_already = 0
    damaged: list[DamagedFile] = []
    other_numbers: list[Path | str] = []
    for found in folders.values():
        for folder in found:
            target = replace(folder, parent=here)
            try:
                same = _agree(folder, target) and copy_network(folder, target)
            except Damaged as why:
                network = network_of(folder)
                assert network is not None
                damaged.append(DamagedFile(network.place, network.name, str(why)))
                continue
            if not same:
                other_numbers.append(folder.path)
                continue
            _make(target)

            def look(shard: Shard, target: StoreFolder = target) -> None:
                nonlocal copied, there_already
                if copy_shard(shard.place, shard.name, target.place):
                    copied += 1
                else:
                    there_already += 1

            damaged += folder.each_shard(look)
    return Merged(copied, there_already, tuple(damaged), tuple(other_numbers))


def _folders(other: Place, here: Place) -> list[StoreFolder]:
    if _resolved(other) == _resolved(here):
        raise OptionError(f"{other} is the store itself; pass another one to merge into it.")
    folders = store_folders(other, "stores")
    if not folders:
        raise StoreError(f"{other} holds no bottlenecks; pass the `bottleneck_dir` of other runs.")
    return folders


def _resolved(place: Place) -> Path | str:
    return place.where.resolve() if isinstance(place.where, Path) else place.where


def _make(target: StoreFolder) -> None:
    """Make a folder for a fingerprint, or check that it is one. Raises StoreError."""
    made_for = target.description
    if made_for is not None:
        described = {"covers": dict(made_for.covers), "dim": made_for.dim, "dtype": made_for.dtype}
        fingerprint_file.open_folder(target.parent, target.fingerprint, described, lambda: False)
        return
    try:
        target.place.make()
    except OSError as error:
        raise fingerprint_file.cannot_open(target.place, error) from error


def _agree(folder: StoreFolder, target: StoreFolder) -> bool:
    """Whether two folders of one fingerprint were computed by environments with the same numbers, as far as is known.

    The second one may not be there yet.
    """
    one, other = _probe(folder), _probe(target)
    shared = sorted(one.keys() & other.keys())
    if not shared:
        return True
    dtype = str(folder.description.covers.get("compute_dtype")) if folder.description else ""
    tolerance = probe.TOLERANCES.get(dtype, min(probe.TOLERANCES.values()))
    found, expected = (np.stack([vectors[sha256] for sha256 in shared]) for vectors in (one, other))
    return found.shape == expected.shape and probe.relative_error(found, expected) <= tolerance


def _probe(folder: StoreFolder) -> Probe:
    found: Probe = {}

    def look(shard: Shard) -> None:
        if found:
            return
        keys = shard.read(KEY_COLUMNS)
        rows = [row for row, view in enumerate(keys["view"].to_pylist()) if view == probe.VIEW]
        if rows:
            vectors = vector_array(shard.read().take(rows))
            sha256s = keys["photo_sha256"].take(rows).to_pylist()
            found.update(zip(sha256s, vectors, strict=True))

    folder.each_shard(look)
    return found
