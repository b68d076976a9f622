"""Where a store keeps the networks in int8 by which it computes: `calibrated/<fingerprint>/`, beside the bottlenecks.

That fingerprint is the one of the bottlenecks without the network itself, so that there is one network for each
backbone, which every folder of its bottlenecks names.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from retrain.backbones.calibrated import CalibratedNetwork, read_network_file
from retrain.bottlenecks.fingerprint_file import cannot_open, fingerprint
from retrain.bottlenecks.store_folders import DamagedFile, StoreFolder, store_folders
from retrain.core.places import Place, place_of
from retrain.core.sealed import Damaged, copy_shard, list_shards

FOLDER = "calibrated"
NOT_OF_THE_NETWORK = ("calibrated", "environment")  # of what a fingerprint covers


def network_folder(bottleneck_dir: Place, covers: Mapping[str, object]) -> Place:
    """Where the network lies by which the bottlenecks are computed that a fingerprint covers."""
    base = {name: value for name, value in covers.items() if name not in NOT_OF_THE_NETWORK}
    return bottleneck_dir.below(FOLDER).below(fingerprint(base))


def network_of(folder: StoreFolder) -> CalibratedNetwork | None:
    """The network by which a folder of bottlenecks was computed; None of other precisions than int8."""
    covers = folder.description.covers if folder.description is not None else {}
    if "calibrated" not in covers:
        return None
    return CalibratedNetwork(network_folder(folder.parent, covers), str(covers["calibrated"]))


def copy_network(folder: StoreFolder, target: StoreFolder) -> bool:
    """Copy the network of a folder of bottlenecks into the store of another one.

    False where that has another network for the same backbone: it was calibrated on other photos. Raises Damaged, and
    StoreError where the store cannot be written.
    """
    network = network_of(folder)
    if network is None or folder.description is None:
        return True
    place = network_folder(target.parent, folder.description.covers)
    found = CalibratedNetwork.find(place)
    if found is not None and found.sha256 != network.sha256:
        return False
    make(place)
    with suppress(FileNotFoundError):  # its bottlenecks are as true without it
        copy_shard(network.place, network.name, place)
    return True


def make(place: Place) -> None:
    """Make the folder of a network, and find out whether it can be written. Raises StoreError."""
    try:
        place.make()
        place.tidy()
        place.try_writing()
    except OSError as error:
        raise cannot_open(place, error, "networks in int8") from error


def remove_network(folder: StoreFolder) -> None:
    """Remove the network of a folder of bottlenecks that is gone, unless another folder names it. Raises OSError."""
    network = network_of(folder)
    if network is None or network in map(network_of, store_folders(folder.parent)):
        return
    network.place.remove(network.name)
    network.place.remove_if_empty()


def damaged_networks(bottleneck_dir: Path | str) -> list[DamagedFile]:
    """Those whose bytes are not the ones that their names promise, or are no network. Raises StoreError."""
    networks = place_of(bottleneck_dir).below(FOLDER)
    damaged = []
    try:
        names = networks.folders()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise cannot_open(networks, error, "networks in int8") from error
    for place in map(networks.below, names):
        for name in list_shards(place):
            try:
                read_network_file(place, name)
            except FileNotFoundError:
                continue
            except Damaged as why:
                damaged.append(DamagedFile(place, name, str(why)))
    return damaged
