"""The photos of a training that were moved, removed or replaced since: nothing of them is there but what was seen."""

from dataclasses import replace

from retrain.training.trained import TrainedHead


def without_gone(trained: TrainedHead) -> TrainedHead:
    """The same head, with the photos marked as gone that are not at their places as they were.

    So an export can be written long after a training, and photos labelled meanwhile: it is proven on the others.
    """
    extraction = trained.bottlenecks.extraction
    there = {file.path for file in trained.bottlenecks.dataset.files if file.is_unchanged()}
    photos = tuple(photo if photo.path in there else replace(photo, gone=True) for photo in extraction.photos)
    if photos == extraction.photos:
        return trained
    return replace(trained, bottlenecks=replace(trained.bottlenecks, extraction=replace(extraction, photos=photos)))
