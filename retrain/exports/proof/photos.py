"""The photos that an export is judged on, and those that an int8 one is calibrated with.

Judged is on photos that the model has not seen. Calibrated is with photos that it was trained on, so
that none of the first is used twice.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from label_image.errors import PhotoError
from label_image.preprocessing import Pixels, Preprocessing, load_pixels
from retrain.core.errors import DatasetError
from retrain.exports.proof.reference import spread
from retrain.photos.category_names import display_names, read_category_names, rename_classes
from retrain.photos.classes import index_by_label
from retrain.photos.dataset import Photo
from retrain.photos.layouts.reading import Layout
from retrain.photos.opening import list_photos
from retrain.photos.reading import identify, map_in_order, photo_threads
from retrain.photos.seen_photos import were_seen
from retrain.training.metrics import Classes

TEST_PHOTOS = 256  # at most; with them an accuracy of 90 % has an interval of 4 points to either side
CALIBRATION_PHOTOS = 100  # the ranges of activations hardly change with more
AHEAD = 64  # photos read in advance

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class LabelledPixels:
    """Photos as the network takes them: uint8 (n, size, size, 3), and their classes (n,)."""

    pixels: Pixels
    classes: Classes

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True)
class ExportPhotos:
    """`test` to judge with; `calibration` gives (n, size, size, 3) when it is asked for."""

    test: LabelledPixels
    calibration: Callable[[], Pixels]


def export_photos(
    export: Path,
    labels: Sequence[str],
    preprocessing: Preprocessing,
    source: str,
    bottleneck_dir: Path,
    category_names: Path | None,
    say: Callable[[str], None],
    layout: Layout = "auto",
) -> ExportPhotos:
    """Choose the photos of a source, spread over the classes of the export.

    Where not both kinds are there, or which is which is not known, the same ones serve for both, and
    `say` is told. `category_names` is the file that the training was given, if it was. Raises DatasetError if there is
    no photo of a class of the export.
    """
    index_of = index_by_label(labels)
    dataset = list_photos(source, bottleneck_dir, say=say, layout=layout)
    for remark in dataset.told():
        say(remark)
    if category_names is not None:
        name_of, _ = display_names(read_category_names(category_names), dataset.labels)
        dataset = rename_classes(dataset, name_of)
    files = [file for file in dataset.files if file.label in index_of]
    photos = _in_threads(identify, files)
    if files and all(file.gone for file in files):
        raise DatasetError(f"All photos of {source} are gone, and formats are judged on pixels: pass photos.")
    if not photos:
        raise DatasetError(f"{source} has no photo of a class that the model knows: it knows {', '.join(labels[:5])}.")
    unseen, seen = _divide(export, photos, say)

    def decode(photo: Photo) -> tuple[Pixels, int]:
        return load_pixels(photo.path, preprocessing), index_of[photo.label]

    def choose(candidates: list[Photo], count: int) -> LabelledPixels:
        chosen = _in_threads(decode, [candidates[index] for index in spread(len(candidates), count)])
        if not chosen:
            raise DatasetError(f"None of the photos that were tried of {source} can be decoded.")
        pixels, classes = zip(*chosen, strict=True)
        return LabelledPixels(np.stack(pixels), np.array(classes, np.intp))

    return ExportPhotos(choose(unseen, TEST_PHOTOS), lambda: choose(seen, CALIBRATION_PHOTOS).pixels)


def _divide(export: Path, photos: list[Photo], say: Callable[[str], None]) -> tuple[list[Photo], list[Photo]]:
    """The photos that the model has not seen, and those it has."""
    known = were_seen(export, photos)
    if known is None:
        say("Which photos the model was trained on is not known: its accuracies may be too good. Parity is as it is.")
        return photos, photos
    seen = [photo for photo, was_seen in zip(photos, known, strict=True) if was_seen]
    unseen = [photo for photo, was_seen in zip(photos, known, strict=True) if not was_seen]
    if not unseen:
        say("The model was trained on all of these photos: its accuracies are too good. Parity is as it is.")
    return unseen or photos, seen or photos


def _in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results in order, without those of photos that cannot be read or decoded."""

    def attempt(item: Item) -> Result | None:
        try:
            return function(item)
        except PhotoError:
            return None

    with photo_threads() as threads:
        return [result for result in map_in_order(attempt, items, threads, AHEAD) if result is not None]
