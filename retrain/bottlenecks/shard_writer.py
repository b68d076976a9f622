"""Shards from anywhere: what a process needs to add to a store without opening it, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from retrain.bottlenecks.shards import Key, Vectors, bottleneck_schema, bottleneck_table, key_table
from retrain.core.errors import StoreError
from retrain.core.places import Place
from retrain.core.sealed import write_shard


@dataclass(frozen=True)
class ShardWriter:
    """Adds shards to the bottlenecks of one fingerprint; can be pickled, and used in many processes at once.

    `dtype` is float32 or float16. Each shard gets the rows of `extra_keys`, too: `extra_vectors` (m, dim).
    """

    place: Place
    fingerprint: str
    dim: int
    dtype: str = "float32"
    extra_keys: tuple[Key, ...] = ()
    extra_vectors: Vectors | None = field(default=None, compare=False)

    def write(self, keys: Sequence[Key], vectors: Vectors) -> str:
        """Write a shard with the bottlenecks (n, dim) of `keys`, and return its name; it is there for good then.

        Raises StoreError, and writes nothing, if the shape is wrong or a number is not finite, and where the place
        cannot be written.
        """
        return self.write_with_extra(self.table(keys, vectors))

    def write_with_extra(self, table: pa.Table) -> str:
        """Write a table of bottlenecks with the rows that each shard gets."""
        if self.extra_vectors is not None:
            table = pa.concat_tables([table, self.table(self.extra_keys, self.extra_vectors)])
        return self.write_table(table, generation=0)

    def write_table(self, table: pa.Table, generation: int) -> str:
        """Write a table of bottlenecks as it is; a shard that takes the place of others is of a higher generation."""
        metadata = {"retrain.fingerprint": self.fingerprint, "retrain.generation": str(generation)}
        return write_shard(self.place, table.replace_schema_metadata(metadata))

    def table(self, keys: Sequence[Key], vectors: Vectors) -> pa.Table:
        """Bottlenecks as a table, converted to the stored dtype and copied. Raises StoreError as `write` does."""
        if vectors.shape != (len(keys), self.dim):
            raise StoreError(
                f"The store {self.place} holds bottlenecks of {self.dim} numbers; an array of shape "
                f"{vectors.shape} for {len(keys)} photos does not fit: check the feature layer."
            )
        dtype = np.dtype(self.dtype)
        with np.errstate(over="ignore"):  # what overflows is infinite, and refused below
            stored = np.array(vectors, dtype=dtype, order="C")
        finite = np.isfinite(stored).all(axis=1)
        if not finite.all():
            bad = keys[int(np.argmin(finite))]
            raise StoreError(
                f"The bottleneck of the photo with SHA-256 {bad.photo_sha256} (view {bad.view}) is not "
                f"finite as {dtype}: check the weights and the precision of the backbone."
            )
        return bottleneck_table(key_table(keys), stored, bottleneck_schema(self.dim, dtype))
