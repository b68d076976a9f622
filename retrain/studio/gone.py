"""The photos of a training that were moved, removed or replaced since: nothing of them is there but what was seen."""

import os
from dataclasses import replace

from retrain.photos.dataset import Photo, PhotoFile
from retrain.training.trained import TrainedHead


def without_gone(trained: TrainedHead) -> TrainedHead:
    """The same head, with the photos marked as gone that are not at their places as they were.

    So an export can be written long after a training, and photos labelled meanwhile: it is proven on the others.
    """
    extraction = trained.bottlenecks.extraction
    files = {file.path: file for file in trained.bottlenecks.dataset.files}
    photos = tuple(
        photo if _is_there(photo, files.get(photo.path)) else replace(photo, gone=True) for photo in extraction.photos
    )
    if photos == extraction.photos:
        return trained
    return replace(trained, bottlenecks=replace(trained.bottlenecks, extraction=replace(extraction, photos=photos)))


def _is_there(photo: Photo, file: PhotoFile | None) -> bool:
    if file is None:
        return False
    try:
        return PhotoFile.of(photo.path, file.label, os.stat(photo.path), file.split) == file
    except OSError:
        return False
