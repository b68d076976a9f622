"""What exports are compared with: photos of the run and their bottlenecks in float32."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from label_image.errors import PhotoError
from label_image.preprocessing import Pixels, load_pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Bottlenecks, Engine
from retrain.bottlenecks.extraction import Extraction, extract
from retrain.bottlenecks.probe import probe_photos
from retrain.core.errors import ExportError
from retrain.photos.dataset import Dataset, Photo, PhotoFile
from retrain.photos.split import Division

if TYPE_CHECKING:
    from retrain.backbones.network import Network

BATCH = 16


def spread(length: int, count: int) -> list[int]:
    """Up to `count` of the indices 0..length-1, evenly spread."""
    step = max(1, length / count)
    return [int(position * step) for position in range(min(length, count))]


def parity_photos(extraction: Extraction, division: Division, count: int) -> list[int]:
    """Rows of up to `count` photos: test photos first, spread over the classes. None where all photos are gone.

    Where some are gone and few test photos are there, photos that were trained on are taken, too.
    """
    there = [index for index, photo in enumerate(extraction.photos) if not photo.gone]
    testing = [index for index in there if division.splits[index] == "testing"]
    candidates = testing or there
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


def parity_bottlenecks(
    extraction: Extraction,
    rows: list[int],
    backbone: Backbone,
    bottleneck_dir: Path,
    start: Callable[[Backbone], Engine],
) -> Bottlenecks:
    """Their bottlenecks (n, dim) in float32, from the store where it has them.

    `backbone` is the run's; where its precision is another one, those few photos have bottlenecks in
    float32 of their own. `start` makes the engine for that.
    """
    if (backbone.compute_dtype, backbone.stored_dtype) == ("float32", "float32"):
        return extraction.matrix[rows]
    photos = [extraction.photos[row] for row in rows]
    dataset = Dataset(tuple(_file(photo) for photo in photos))
    again = extract(dataset, backbone.in_float32(), bottleneck_dir, start=start, accept_truncated=True)
    row_of = {photo.sha256: row for row, photo in enumerate(again.photos)}
    for photo in photos:
        if photo.sha256 not in row_of:
            raise ExportError(f"{photo.path} changed during the run: run the same command again.")
    vectors: Bottlenecks = again.matrix[[row_of[photo.sha256] for photo in photos]]
    return vectors


def network_engine(network: "Network") -> Engine:
    """A loaded network as an engine: TensorFlow as it comes, nothing frozen."""
    from retrain.core.tensorflow import tf

    def run(pixels: Pixels) -> Bottlenecks:
        batches = [tf.constant(pixels[start : start + BATCH], tf.float32) for start in range(0, len(pixels), BATCH)]
        return np.concatenate([network.function(batch).numpy() for batch in batches])

    return run


def _load(path: str, backbone: Backbone) -> Pixels:
    try:
        return load_pixels(path, backbone.preprocessing, accept_truncated=True)
    except PhotoError as error:
        raise ExportError(f"{path} {error}, though it was there a moment ago: run the same command again.") from None


def _file(photo: Photo) -> PhotoFile:
    try:
        return PhotoFile.of(photo.path, photo.label, os.stat(photo.path), photo.split)
    except OSError as error:
        raise ExportError(f"{photo.path} cannot be read any more ({error.strerror}): run the command again.") from None
