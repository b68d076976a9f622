"""A network in int8, calibrated on photos: a sealed file that lies in the store beside what it computes.

Which numbers a network in int8 gives depends on the photos on which the range of each of its layers was measured. So it
is made once and kept, and its digest is part of the bottlenecks' fingerprint.
"""

from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from retrain.core.errors import StoreError
from retrain.core.places import Place
from retrain.core.sealed import Damaged, Shard, list_shards, put_aside, write_shard

SCHEMA = pa.schema([("description", pa.binary()), ("weights", pa.binary())])  # of OpenVINO: a file of XML, and numbers
FOR = b"retrain.fingerprint"  # the name of its folder, which is that of its backbone
WITHOUT_VNNI = b"retrain.without_vnni"  # is there where the network was made for CPUs that have none


class NetworkFile(NamedTuple):
    """OpenVINO's description of a network, its weights, and whether sums are right without VNNI, too."""

    description: bytes
    weights: bytes
    without_vnni: bool = False


@dataclass(frozen=True)
class CalibratedNetwork:
    """A network in int8 in its folder, known by the SHA-256 of its file; nothing is read before it has to run."""

    place: Place
    sha256: str

    @classmethod
    def find(cls, place: Place) -> "CalibratedNetwork | None":
        """The one of a folder; of several, which writers at the same moment may have left, the first by name."""
        name = next(iter(list_shards(place)), None)
        return None if name is None else cls(place, name.removesuffix(".parquet"))

    @classmethod
    def keep(cls, place: Place, network: NetworkFile) -> "CalibratedNetwork":
        """Write a network into a folder, unless one is there by now; returns that of the folder. Raises StoreError."""
        found = cls.find(place)
        if found is None:
            kind = {WITHOUT_VNNI: b"true"} if network.without_vnni else {}
            schema = SCHEMA.with_metadata({FOR: _fingerprint(place), **kind})
            write_shard(place, pa.table([[network.description], [network.weights]], schema=schema))
            found = cls.find(place)
        assert found is not None
        return found

    @property
    def name(self) -> str:
        """That of its file."""
        return f"{self.sha256}.parquet"

    def read(self) -> NetworkFile:
        """The network itself. Raises StoreError where it is gone or damaged."""
        try:
            return read_network_file(self.place, self.name)
        except FileNotFoundError:
            raise StoreError(f"{self.place.at(self.name)} is gone: {_AGAIN}") from None
        except Damaged as why:
            put_aside(self.place, self.name, str(why))
            raise StoreError(f"{self.place.at(self.name)} is damaged: {_AGAIN}") from None


def read_network_file(place: Place, name: str) -> NetworkFile:
    """The network in a file. Raises what `Shard` raises."""
    shard = Shard(place, name)
    if not shard.schema.equals(SCHEMA) or shard.rows != 1:
        raise Damaged("it holds no network")
    if shard.metadata.get(FOR) != _fingerprint(place):
        raise Damaged("it is the network of another backbone")
    (row,) = shard.read().to_pylist()
    return NetworkFile(row["description"], row["weights"], WITHOUT_VNNI in shard.metadata)


def _fingerprint(place: Place) -> bytes:
    return str(place.where).rpartition("/")[2].encode()


_AGAIN = "run the same command again, which calibrates the network anew and computes its bottlenecks again."
