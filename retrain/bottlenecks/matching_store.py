"""Which store of a backbone belongs to this environment: the one whose probe it computes alike."""

import logging
from itertools import count

import numpy as np

from label_image.files import sha256_of_bytes
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Engine
from retrain.bottlenecks import probe
from retrain.bottlenecks.store import Key, Store
from retrain.core.places import Place

log = logging.getLogger(__name__)


def matching_store(store: Store, place: Place, backbone: Backbone, embed: Engine) -> Store:
    """The store whose probe agrees with this network: the given one, or one for this environment.

    An environment that computes other numbers under the same fingerprint gets a fingerprint of
    its own, and says so. A photo set that is complete in the given store never comes here, so
    its network does not have to be built.
    """
    pixels = np.stack([backbone.preprocessing.pixels(data) for data in probe.probe_photos()])
    vectors = embed(pixels)
    keys = [Key(sha256_of_bytes(data), probe.VIEW) for data in probe.probe_photos()]
    for drift in count(1):
        recorded, found = store.get_many(keys)
        if not found.any():
            store.put_many(keys, vectors)
            store.flush()
        error = probe.relative_error(vectors[found], recorded[found])
        if error <= probe.TOLERANCES[backbone.compute_dtype]:
            # A shard that loses its probe to damage then loses its photos with it: none is left without.
            store.put_into_every_shard(keys, np.where(found[:, np.newaxis], recorded, vectors))
            return store
        log.warning(
            "The bottlenecks in %s were computed by an environment whose numbers differ from this one's by %.2g "
            "(relative): they stay as they are, and new ones are kept apart.",
            store.folder,
            error,
        )
        store = Store(place, {**backbone.covers(), "environment": drift}, backbone.dim, backbone.stored_dtype)
    raise AssertionError("count() has no end")
