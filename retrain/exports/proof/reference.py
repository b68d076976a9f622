"""What exports are compared with: photos of the run, and the network as it comes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from label_image.errors import PhotoError
from label_image.preprocessing import Pixels, load_pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Engine, Vectors
from retrain.bottlenecks.extraction import Extraction
from retrain.bottlenecks.probe import probe_photos
from retrain.core.errors import ExportError
from retrain.core.evenly import spread
from retrain.photos.division import Division
from retrain.training.as_exported import compared

if TYPE_CHECKING:
    from retrain.backbones.network import Network

BATCH = 16
# That prove a template. What goes wrong in a conversion (weights, channels, arithmetic) shows on every photo; a fault
# that shows on 1 of 16 is found by 48 with a chance of 95 %. On two cores Inception-V3 takes 0.4 s for each.
PROOF_PHOTOS = 48
CHECK_PHOTOS = 16  # of them, that check a head put into a proven one


@dataclass(frozen=True)
class ProofPhotos:
    """What exports are run on: uint8 (n, size, size, 3), and the rows of a run's photos; none of built-in pictures."""

    rows: list[int]
    pixels: Pixels


def proof_rows(extraction: Extraction, division: Division) -> list[list[int]]:
    """The rows of CHECK_PHOTOS photos, and of the others that prove a template; where all photos are gone, no row."""
    rows = parity_photos(extraction, division, PROOF_PHOTOS)
    check = [rows[index] for index in spread(len(rows), CHECK_PHOTOS)]
    others = sorted(set(rows) - set(check))
    return [check, others] if others else [check]


def proof_photos(extraction: Extraction, rows: list[int], backbone: Backbone) -> ProofPhotos:
    """Those rows as photos, or built-in pictures. Raises ExportError if one cannot be read any more."""
    return ProofPhotos(rows, parity_pixels(extraction, rows, backbone) if rows else built_in_pixels(backbone))


def parity_photos(extraction: Extraction, division: Division, count: int) -> list[int]:
    """Rows of up to `count` photos: test photos first, spread over the classes. None where all photos are gone.

    They are some of those that a run computes in float32 anyway. Where some are gone and few test photos are there,
    photos that were trained on are taken, too.
    """
    there = [index for index, photo in enumerate(extraction.photos) if not photo.gone]
    testing = [index for index in there if division.splits[index] == "testing"]
    candidates = compared(testing or there)
    rows = [candidates[index] for index in spread(len(candidates), count)]
    if len(there) < len(extraction.photos) and len(rows) < count:
        others = sorted(set(there) - set(rows))
        rows += [others[index] for index in spread(len(others), count - len(rows))]
    return rows


def parity_pixels(extraction: Extraction, rows: list[int], backbone: Backbone) -> Pixels:
    """Those photos as pixels (n, size, size, 3). Raises ExportError if one cannot be read any more."""
    return np.stack([_load(extraction.photos[row].path, backbone) for row in rows])


def built_in_pixels(backbone: Backbone) -> Pixels:
    """The built-in pictures instead, as they are and turned: for a proof where no photo is there."""
    pictures = np.stack([backbone.preprocessing.pixels(data) for data in probe_photos()])
    return np.concatenate([np.rot90(pictures, turns, axes=(1, 2)) for turns in range(4)])


def network_engine(network: "Network") -> Engine:
    """A loaded network as an engine: TensorFlow as it comes, nothing frozen."""
    from retrain.core.tensorflow import tf

    def run(pixels: Pixels) -> Vectors:
        batches = [tf.constant(pixels[start : start + BATCH], tf.float32) for start in range(0, len(pixels), BATCH)]
        return np.concatenate([network.function(batch).numpy() for batch in batches])

    return run


def _load(path: str, backbone: Backbone) -> Pixels:
    try:
        return load_pixels(path, backbone.preprocessing, accept_truncated=True)
    except PhotoError as error:
        raise ExportError(f"{path} {error}, though it was there a moment ago: run the same command again.") from None
