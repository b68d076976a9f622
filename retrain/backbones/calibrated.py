"""A network in int8, calibrated on photos: a sealed file that lies in the store beside what it computes.

Which numbers a network in int8 gives depends on the photos on which the range of each of its layers was measured. So it
is made once and kept, and its digest is part of the bottlenecks' fingerprint.
"""

from dataclasses import dataclass

import pyarrow as pa

from retrain.core.errors import StoreError
from retrain.core.places import Place
from retrain.core.sealed import Damaged, Shard, list_shards, put_aside, write_shard

SCHEMA = pa.schema([("description", pa.binary()), ("weights", pa.binary())])  # of OpenVINO: a file of XML, and numbers
ALL_BITS = 8  # all that a byte has; fewer for a CPU without VNNI: see `retrain.core.machine.weight_bits`
FOR = b"retrain.fingerprint"  # the name of its folder, which is that of its backbone


@dataclass(frozen=True)
class CalibratedNetwork:
    """A network in int8 in its folder, known by the SHA-256 of its file; nothing is read before it has to run."""

    place: Place
    sha256: str
    weight_bits: int = ALL_BITS

    @classmethod
    def find(cls, place: Place, weight_bits: int = ALL_BITS) -> "CalibratedNetwork | None":
        """The one of a folder; of several, which writers at the same moment may have left, the first by name."""
        name = next(iter(list_shards(place)), None)
        return None if name is None else cls(place, name.removesuffix(".parquet"), weight_bits)

    @classmethod
    def keep(cls, place: Place, description: bytes, weights: bytes, weight_bits: int = ALL_BITS) -> "CalibratedNetwork":
        """Write a network into a folder, unless one is there by now; returns that of the folder. Raises StoreError."""
        found = cls.find(place, weight_bits)
        if found is None:
            schema = SCHEMA.with_metadata({FOR: _fingerprint(place)})
            write_shard(place, pa.table([[description], [weights]], schema=schema))
            found = cls.find(place, weight_bits)
        assert found is not None
        return found

    def covers(self) -> dict[str, object]:
        """What the bottleneck fingerprint covers of it, as plain JSON."""
        return {"calibrated": self.sha256, **covers_bits(self.weight_bits)}

    @property
    def name(self) -> str:
        """That of its file."""
        return f"{self.sha256}.parquet"

    def read(self) -> tuple[bytes, bytes]:
        """OpenVINO's description of the network, and its weights. Raises StoreError where they are gone or damaged."""
        try:
            return read_network_file(self.place, self.name)
        except FileNotFoundError:
            raise StoreError(f"{self.place.at(self.name)} is gone: {_AGAIN}") from None
        except Damaged as why:
            put_aside(self.place, self.name, str(why))
            raise StoreError(f"{self.place.at(self.name)} is damaged: {_AGAIN}") from None


def covers_bits(weight_bits: int) -> dict[str, object]:
    """What a fingerprint covers of the bits of a network's weights: nothing where it has all."""
    return {} if weight_bits == ALL_BITS else {"weight_bits": weight_bits}


def read_network_file(place: Place, name: str) -> tuple[bytes, bytes]:
    """OpenVINO's description of the network in a file, and its weights. Raises what `Shard` raises."""
    shard = Shard(place, name)
    if not shard.schema.equals(SCHEMA) or shard.rows != 1:
        raise Damaged("it holds no network")
    if shard.metadata.get(FOR) != _fingerprint(place):
        raise Damaged("it is the network of another backbone")
    (row,) = shard.read().to_pylist()
    return row["description"], row["weights"]


def _fingerprint(place: Place) -> bytes:
    return str(place.where).rpartition("/")[2].encode()


_AGAIN = "run the same command again, which calibrates the network anew and computes its bottlenecks again."
