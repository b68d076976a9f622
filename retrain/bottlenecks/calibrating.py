"""A network that computes in int8 is calibrated on some of the photos: once, and what comes of it is in the store.

The photos are those whose SHA-256 come first, so that names, folders and their order do not count. Who finds a
calibrated network in the store takes that, whatever photos there are by now: a store that grows, or is copied, goes on
with the numbers that it has. Where two calibrate at once, both take the one that was kept first.

A CPU without VNNI makes a network that computes everywhere. One that was made with VNNI computes nothing on such a CPU
(its sums would be wrong), but what it has computed is used there.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.calibrated import CalibratedNetwork
from retrain.backbones.engines.int8 import calibrated_network, import_quantiser
from retrain.backbones.engines.openvino import OPENVINO_BATCH
from retrain.bottlenecks.contents import Contents
from retrain.bottlenecks.executors.local import Prepare
from retrain.bottlenecks.kept_networks import make, network_folder
from retrain.core.errors import OptionError
from retrain.core.evenly import spread
from retrain.core.machine import has_vnni
from retrain.core.places import Place
from retrain.photos.dataset import PhotoFile
from retrain.photos.hashes import PhotoHashes
from retrain.photos.reading import photo_threads, read_photos
from retrain.photos.views import ORIGINAL

# 32, 100 and 300 photos give heads of the same accuracy (research/compare_int8.py).
PHOTOS = 100
LEAST = 32
MOST_READ = 10_000  # files that are read to choose among; of more, so many evenly over all
AHEAD = 64


def calibrated(
    backbone: Backbone,
    files: Sequence[PhotoFile],
    bottleneck_dir: Place,
    say: Callable[[str], None] = lambda sentence: None,
    photos: int = PHOTOS,
) -> Backbone:
    """The backbone with its network in int8 where it computes in that: the store's, or one that is made of the photos.

    `say` is told when one is made, of so many `photos` at most. Raises OptionError where photos are too few or NNCF is
    missing, StoreError, and BackboneError.
    """
    if backbone.compute_dtype != "int8" or backbone.parts or backbone.calibrated is not None:
        return backbone
    place = network_folder(bottleneck_dir, backbone.covers())
    found = CalibratedNetwork.find(place)
    if found is None:
        import_quantiser()
        make(place)
        pixels = _photos(backbone, files, bottleneck_dir, photos)
        say(f"{backbone.architecture} is calibrated for int8 on {len(pixels)} of the photos, once for this store.")
        found = CalibratedNetwork.keep(place, calibrated_network(backbone, pixels, has_vnni()))
    return replace(backbone, calibrated=found)


def _photos(backbone: Backbone, files: Sequence[PhotoFile], bottleneck_dir: Place, most: int) -> Pixels:
    """The photos with the first hashes that can be decoded, in whole batches. Raises OptionError: too few."""
    some = [files[index] for index in spread(len(files), MOST_READ)]
    contents = Contents(some, PhotoHashes(bottleneck_dir), trusted=True)
    contents.read_unknown()
    contents.save()
    first = {sha256: index for index, sha256 in enumerate(contents.sha256s) if sha256 and not some[index].gone}
    wanted = [(first[sha256], sha256) for sha256 in sorted(first)]
    pixels: list[Pixels] = []
    prepare = Prepare(backbone.preprocessing, ORIGINAL)
    with photo_threads() as threads:
        for photo in read_photos(wanted, some, frozenset(), prepare, False, threads, AHEAD):
            if photo.pixels is not None:
                pixels.append(photo.pixels)
            if len(pixels) == most:
                break
    if len(pixels) < LEAST:
        raise OptionError(
            f"`precision` int8 is calibrated on photos, and {len(pixels)} are too few: at least {LEAST} are needed, "
            "all different, that can be decoded. Leave it out."
        )
    return np.stack(pixels[: len(pixels) - len(pixels) % OPENVINO_BATCH])
