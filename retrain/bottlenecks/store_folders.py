"""The folders of a bottleneck store, one for each fingerprint, as they lie there; looking changes nothing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from label_image.files import reason_of
from retrain.bottlenecks import probe
from retrain.bottlenecks.beside import damaged_of
from retrain.bottlenecks.fingerprint_file import Description, read_description
from retrain.bottlenecks.shards import KEY_COLUMNS, bottleneck_schema, first_rows, key_table, open_shard
from retrain.core.errors import StoreError
from retrain.core.places import Place, place_of
from retrain.core.sealed import Damaged, Shard, list_shards

FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class DamagedFile:
    """A file of a store that cannot be trusted, and why, as a phrase that continues its path."""

    place: Place
    name: str
    reason: str
    into: Place | None = None  # where it goes when it is set aside; None: it stays where it is, by another name

    @property
    def path(self) -> Path | str:
        """Where it is: a path, or an address."""
        return self.place.at(self.name)


@dataclass(frozen=True)
class Keys:
    """The keys of all sound shards of a folder, in the columns KEY_COLUMNS; the bytes of each; which are unsound."""

    table: pa.Table
    shards: Mapping[str, int]
    damaged: tuple[DamagedFile, ...]

    def count(self) -> tuple[int, int]:
        """How many photos there are, and how many bottlenecks of them."""
        return count_photos_and_vectors(self.table)


@dataclass(frozen=True)
class StoreFolder:
    """The bottlenecks of one fingerprint; without a description where that is missing or damaged."""

    parent: Place
    fingerprint: str  # 64 hex digits, the folder's name
    description: Description | None

    @property
    def place(self) -> Place:
        """The folder itself."""
        return self.parent.below(self.fingerprint)

    @property
    def path(self) -> Path | str:
        """Where it is: a path, or an address."""
        return self.place.where

    @property
    def backbone(self) -> str:
        """Whose bottlenecks they are, for people; beside bottlenecks a store has small copies of photos."""
        if self.description is None:
            return "unknown"
        covers = self.description.covers
        if "architecture" not in covers:
            return "what photos look like"
        size = covers.get("input_size", "?")
        return f"{covers['architecture']}, {size} px, {covers.get('compute_dtype', 'unknown')}"

    def read_keys(self) -> "Keys":
        """Whose bottlenecks they are, the probe's among them; a key may come more than once. Raises StoreError."""
        tables = [key_table([])]
        sizes = {}

        def look(shard: Shard) -> None:
            tables.append(shard.read(KEY_COLUMNS).cast(tables[0].schema))
            sizes[shard.name] = shard.size

        damaged = self.each_shard(look)
        return Keys(pa.concat_tables(tables), sizes, tuple(damaged))

    def each_shard(self, look: Callable[[Shard], None]) -> list[DamagedFile]:
        """Show every sound shard to `look`, which may find it Damaged, too; returns the damaged ones.

        Shards that other processes merge meanwhile are looked for until nothing new shows up. Raises StoreError.
        """
        schema = None
        if self.description is not None:
            schema = bottleneck_schema(self.description.dim, np.dtype(self.description.dtype))
        damaged: list[DamagedFile] = []
        seen: set[str] = set()
        while fresh := [name for name in list_shards(self.place) if name not in seen]:
            for name in fresh:
                seen.add(name)
                try:
                    look(open_shard(self.place, name, self.fingerprint, schema))
                except FileNotFoundError:
                    continue
                except Damaged as why:
                    damaged.append(DamagedFile(self.place, name, str(why), damaged_of(self.parent, self.fingerprint)))
        return damaged


def count_photos_and_vectors(keys: pa.Table) -> tuple[int, int]:
    """How many photos there are among keys, and how many bottlenecks of them; the probe is not a photo."""
    keys = keys.filter(pc.not_equal(keys["view"], probe.VIEW))
    return pc.count_distinct(keys["photo_sha256"]).as_py(), len(first_rows(keys))


def store_folders(bottleneck_dir: Path | str | Place, field: str = "bottleneck_dir") -> list[StoreFolder]:
    """The folders of a store, which the user named by a `field`.

    Raises StoreError where there is no such folder, or it cannot be read.
    """
    place = place_of(bottleneck_dir)
    try:
        names = [name for name in place.folders() if FINGERPRINT.fullmatch(name)]
    except FileNotFoundError:
        what = "no folder" if place.is_local else "nothing at"
        raise StoreError(f"There is {what} {place}; check `{field}`.") from None
    except OSError as error:
        raise StoreError(f"{place} cannot be read ({reason_of(error)}); check `{field}`.") from None
    return [StoreFolder(place, name, read_description(place, name)) for name in names]
