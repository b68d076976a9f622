"""One photo tried on the studio's model: what it is, where that is seen on it, and which photos are like it.

The answers are those of the exports, which need not be there: the head stands on a bottleneck in float32, whatever
precision those of the training have. So does the heat map: the head is linear, and the bottleneck an average over
places (see `label_image.heatmap`).
"""

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from label_image.heatmap import overlay
from label_image.model import Model
from label_image.pictures import visible_photo
from label_image.preprocessing import Pixels, Preprocessing, completed
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.one_photo import OnePhoto, Values, one_photo_engine
from retrain.core.unit_rows import unit_rows
from retrain.exports.top import Top
from retrain.photos.groups import content_groups
from retrain.photos.thumbnails import data_uri
from retrain.studio.seeing import Seen
from retrain.training.head import Head
from retrain.training.trained import TrainedHead

TOP = 5  # answers
NEAREST = 3  # photos

Plain = dict[str, object]
_one_at_a_time = threading.Lock()


def try_photo(data: bytes, trained: TrainedHead, seen: Seen, heat: bool = True) -> Plain:
    """What a calibrated head says of an encoded photo, as JSON; `seen` says what the training photos are called now.

    `heat` is a data URI, or None where it was not asked for, or cannot be had: of a head with hidden layers, and of a
    network that does not end in an average over places. Raises PhotoError.
    """
    backbone, confidence = trained.bottlenecks.backbone, trained.confidence
    assert confidence is not None
    if trained.bottlenecks.config.accept_truncated:
        data = completed(data)
    found = _engine(backbone.in_float32())(backbone.preprocessing.pixels(data))
    said = Top(trained.head, confidence.familiar.means).outputs(found.vector[None])
    threshold = confidence.familiar.threshold
    verdict = Model(trained.labels, backbone.preprocessing, lambda pixels: said, threshold).verdict(said, TOP)
    return {
        "top": [{"label": one.label, "probability": one.probability} for one in verdict.answers],
        "unknown": verdict.unknown,
        "similarity": verdict.similarity,
        "threshold": verdict.threshold,
        "heat": _heat(data, backbone.preprocessing, trained.head, found) if heat else None,
        "nearest": [one.plain() for one in nearest(found.vector, trained, seen)],
    }


@dataclass(frozen=True)
class Near:
    """A training photo by its id in the studio, its class there, and the cosine of its bottleneck to another."""

    id: str
    label: str
    similarity: float

    def plain(self) -> Plain:
        """As JSON."""
        return {"id": self.id, "label": self.label, "similarity": self.similarity}


def nearest(vector: Values, trained: TrainedHead, seen: Seen, count: int = NEAREST) -> tuple[Near, ...]:
    """The training photos most like a bottleneck (dim,), one of each content group, the most similar first.

    Those that are not in the folder any more are left out; one that has another name since is known by its content.
    """
    cosines = _directions(trained) @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
    known, groups = _by_content(seen), _groups(trained)
    found: dict[object, Near] = {}
    for row in np.argsort(-cosines, kind="stable").tolist():
        if len(found) == count:
            break
        now = known.get(trained.bottlenecks.photos[row].sha256)
        if now is not None and groups[row] not in found:
            found[groups[row]] = Near(*now, float(cosines[row]))
    return tuple(found.values())


def _heat(photo: bytes, preprocessing: Preprocessing, head: Head, found: OnePhoto) -> str | None:
    """The photo with the map of its first answer over it."""
    if found.places is None or head.hidden:
        return None
    first = int(head.logits(found.vector[None])[0].argmax())
    heat = found.places @ head.kernel[:, first] + head.bias[first]
    return data_uri(overlay(visible_photo(photo, preprocessing), heat))


def prepare(backbone: Backbone) -> None:
    """Make now what the first photo would wait for: where no photo had to be computed, that is TensorFlow's import."""
    _engine(backbone.in_float32())


def _engine(backbone: Backbone) -> Callable[[Pixels], OnePhoto]:
    """One for the life of the studio, whichever thread asks first."""
    with _one_at_a_time:
        return _kept_engine(backbone)


@functools.lru_cache(maxsize=1)
def _kept_engine(backbone: Backbone) -> Callable[[Pixels], OnePhoto]:
    return one_photo_engine(backbone)


@functools.lru_cache(maxsize=1)
def _directions(trained: TrainedHead) -> Values:
    """The bottlenecks of the training photos, (n, dim), each of length 1."""
    return unit_rows(trained.bottlenecks.matrix)


@functools.lru_cache(maxsize=1)
def _groups(trained: TrainedHead) -> Sequence[object]:
    """The content group of each training photo."""
    return trained.division.groups or content_groups(trained.bottlenecks.photos)


@functools.lru_cache(maxsize=1)
def _by_content(seen: Seen) -> Mapping[str, tuple[str, str]]:
    """The id and the class of the labelled photos that are in the folder now, by their SHA-256."""
    ids = {photo.file.path: photo.id for photo in seen.listing.photos}
    photos = seen.extraction.photos
    return {photo.sha256: (ids[photo.path], photo.label) for photo in photos if photo.label and photo.path in ids}
