"""Bottlenecks into the store, and none out of it: for runs on more photos than a matrix holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from retrain.backbones.backbone import Backbone
from retrain.bottlenecks.contents import Contents
from retrain.bottlenecks.executors.base import Session
from retrain.bottlenecks.extraction import Filling, Observer
from retrain.core.places import Place
from retrain.photos.dataset import PhotoFile, Skipped
from retrain.photos.portion_hashes import PortionHashes, Stretches
from retrain.photos.views import View


@dataclass(frozen=True)
class Filled:
    """What came of files whose bottlenecks are all in the store now: how many photos, and how many were computed."""

    photos: int
    computed: int
    set_aside: int
    fingerprint: str
    skipped: tuple[Skipped, ...]


def fill_store(
    files: Sequence[PhotoFile],
    backbone: Backbone,
    place: Place,
    view: View,
    session: Session,
    stretches: Stretches,
    *,
    paranoid: bool = False,
    observe: Observer = lambda done, computed: None,
    accept_truncated: bool = False,
) -> Filled:
    """See that the store has the bottleneck of one view of each photo, and read no photo that it is known to have.

    `backbone` is a single one; `stretches` are those of the portions before. Raises what `extract` raises.
    """
    contents = Contents(files, PortionHashes(place, files, stretches), not paranoid, accept_truncated)
    filling = Filling(contents, backbone, place, view, observe, reads=False)
    try:
        filling.fill(session)
    finally:
        contents.save()
    photos = len(contents.usable()[0])
    set_aside = filling.set_aside + filling.store.set_aside
    return Filled(photos, filling.computed, set_aside, filling.store.fingerprint, tuple(contents.skipped()))
