"""Bottlenecks of some photos in float32, as exports compute them, whatever precision those of a run have."""

from collections.abc import Sequence

import numpy as np

from label_image.files import reason_of
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Vectors
from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.extraction import extract
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, Photo, PhotoFile
from retrain.photos.object_states import status_of


def are_as_exported(backbone: Backbone) -> bool:
    """Whether its bottlenecks have the precision of an export already."""
    return (backbone.compute_dtype, backbone.stored_dtype) == ("float32", "float32")


def float32_rows(bottlenecks: Bottlenecks, rows: Sequence[int], start: StartEngine) -> Vectors:
    """The bottlenecks (len(rows), dim) of these rows in float32, from the store where it has them.

    `start` makes the engine for the others. Raises DatasetError if a photo is not what it was when the run began, and
    UnwritableStoreError where what is computed could not be kept.
    """
    backbone = bottlenecks.backbone
    if are_as_exported(backbone):
        return np.asarray(bottlenecks.matrix[rows], np.float32)
    photos = [bottlenecks.photos[row] for row in rows]
    dataset = Dataset(tuple(_file(photo) for photo in photos))
    store = bottlenecks.config.bottleneck_dir
    again = extract(dataset, backbone.in_float32(), store, start=start, accept_truncated=True)
    row_of = {photo.sha256: row for row, photo in enumerate(again.photos)}
    for photo in photos:
        if photo.sha256 not in row_of:
            raise DatasetError(f"{photo.path} changed during the run: run the same command again.")
    vectors: Vectors = np.asarray(again.matrix[[row_of[photo.sha256] for photo in photos]])
    return vectors


def _file(photo: Photo) -> PhotoFile:
    try:
        return PhotoFile.of(photo.path, photo.label, status_of(photo.path), photo.split)
    except OSError as error:
        raise DatasetError(
            f"{photo.path} cannot be read any more ({reason_of(error)}): run the command again."
        ) from None
