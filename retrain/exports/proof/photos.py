"""The photos that an export is judged on, and those that an int8 one is calibrated with.

How good a format is, is judged on photos that the model has not seen. Whether it answers as the SavedModel does may be
asked of any, since both answer for the same ones: where few are unseen, those of all sides; for an int8 one, which has
to be shown to be as good, more of them. Calibrated is with photos that the model was trained on; they come last where
formats are compared.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from label_image.errors import PhotoError
from label_image.preprocessing import Pixels, Preprocessing, load_pixels
from retrain.core.errors import DatasetError
from retrain.core.evenly import spread
from retrain.core.progress import SILENT, Progress
from retrain.photos.classes import index_by_label
from retrain.photos.dataset import Photo
from retrain.photos.division import group_numbers
from retrain.photos.reading import identify, map_in_order, photo_threads
from retrain.photos.seen_photos import were_seen
from retrain.photos.source import SourceConfig
from retrain.training.metrics import Classes, Groups

TEST_PHOTOS = 256  # at most; with them an accuracy of 90 % has an interval of 4 points to either side
COMPARED_PHOTOS = 1000  # at most, of all sides; one point of accuracy is ten of them
COMPARED_BYTES = 320_000_000  # of their pixels, at most; 1000 photos of 224 pixels are 150 MB, of 320 pixels 307 MB
CALIBRATION_PHOTOS = 100  # the ranges of activations hardly change with more
AHEAD = 64  # photos read in advance

UNAFFECTED = "How the formats differ from the SavedModel holds all the same."
SEEN_UNKNOWN = f"Which photos the model was trained on is not known: its accuracies may be too good. {UNAFFECTED}"
ALL_SEEN = f"The model was trained on all of these photos: its accuracies are too good. {UNAFFECTED}"

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class LabelledPixels:
    """Photos as the network takes them: uint8 (n, size, size, 3), and their classes (n,)."""

    photos: tuple[Photo, ...]
    pixels: Pixels
    classes: Classes

    def __len__(self) -> int:
        return len(self.pixels)

    def joined(self, others: "LabelledPixels") -> "LabelledPixels":
        """These photos, and then the others."""
        return LabelledPixels(
            self.photos + others.photos,
            np.concatenate([self.pixels, others.pixels]),
            np.concatenate([self.classes, others.classes]),
        )

    @property
    def groups(self) -> Groups:
        """The numbers of their content groups, (n,)."""
        return group_numbers(self.photos)


@dataclass(frozen=True)
class ExportPhotos:
    """`judged` is what each format is run on: the first `tested` tell how good it is, all how like the SavedModel.

    `groups` (tested,) are the content groups of the tested ones; `seen` is whether the model was trained on them, None
    where that is not known.
    `compared` gives more photos of all sides, those of `judged` first, on which formats that answer a little
    differently are compared; `calibration` gives (n, size, size, 3). Both are read when they are asked for.
    """

    judged: LabelledPixels
    tested: int
    groups: Groups
    seen: bool | None
    compared: Callable[[], LabelledPixels]
    calibration: Callable[[], Pixels]


def export_photos(
    export: Path,
    labels: Sequence[str],
    preprocessing: Preprocessing,
    source: SourceConfig,
    bottleneck_dir: Path,
    progress: Progress = SILENT,
) -> ExportPhotos:
    """Choose the photos of a source, spread over the classes of the export.

    Where not both kinds are there, or which is which is not known, the same ones serve for both, and
    that is said. Raises DatasetError if there is no photo of a class of the export.
    """
    index_of, say = index_by_label(labels), progress.say
    dataset, _ = source.open_named(bottleneck_dir, progress)
    named = source.image_dir
    files = [file for file in dataset.files if file.label in index_of]
    photos = _in_threads(identify, files)
    if files and all(file.gone for file in files):
        raise DatasetError(f"All photos of {named} are gone, and formats are judged on pixels: pass photos.")
    if not photos:
        raise DatasetError(f"{named} has no photo of a class that the model knows: it knows {', '.join(labels[:5])}.")

    def decode(photo: Photo) -> tuple[Photo, Pixels]:
        return photo, load_pixels(photo.path, preprocessing)

    def decoded(chosen: list[Photo]) -> LabelledPixels:
        found = _in_threads(decode, chosen)
        size = preprocessing.size
        pixels = np.array([one for _, one in found], np.uint8).reshape(-1, size, size, 3)
        classes = np.array([index_of[photo.label] for photo, _ in found], np.intp)
        return LabelledPixels(tuple(photo for photo, _ in found), pixels, classes)

    unseen, seen = _divide(export, photos)
    tried, test = _decodable(unseen or [], TEST_PHOTOS, decoded)
    were_tested_seen: bool | None = False
    if not len(test):  # what cannot be decoded is as if it were not there
        were_tested_seen = None if unseen is None else True
        say(SEEN_UNKNOWN if unseen is None else ALL_SEEN)
        tried, test = _decodable(seen, TEST_PHOTOS, decoded)
    if not len(test):
        raise DatasetError(f"None of the photos of {named} can be decoded: pass others.")
    most = max(len(test), min(COMPARED_PHOTOS, COMPARED_BYTES // test.pixels[0].nbytes))
    # Of a model that has seen all, not the test photos first.
    calibrating = _others(seen, [], tried, CALIBRATION_PHOTOS)
    beside = _others(seen, tried, calibrating, min(TEST_PHOTOS, most) - len(test))
    judged = test.joined(decoded(beside))

    def compared() -> LabelledPixels:
        return judged.joined(decoded(_others(photos, tried + beside, calibrating, most - len(judged))))

    def calibration() -> Pixels:
        pixels = decoded(calibrating).pixels
        if not len(pixels):
            raise DatasetError(f"None of the photos of {named} that were to calibrate can be decoded.")
        return pixels

    return ExportPhotos(judged, len(test), test.groups, were_tested_seen, compared, calibration)


def _decodable(
    photos: list[Photo], count: int, decoded: Callable[[list[Photo]], LabelledPixels]
) -> tuple[list[Photo], LabelledPixels]:
    """Up to `count` that can be decoded, spread over the photos; and all that were tried for them."""
    tried = _spread_over(photos, count)
    found = decoded(tried)
    while len(found) < count and (others := _others(photos, tried, [], count - len(found))):
        tried, found = tried + others, found.joined(decoded(others))
    return tried, found


def _others(photos: list[Photo], without: list[Photo], at_last: list[Photo], count: int) -> list[Photo]:
    """Up to `count` of the photos without some of them; those `at_last` only where there are too few others."""
    taken, last = ({photo.path for photo in some} for some in (without, at_last))
    rest = [photo for photo in photos if photo.path not in taken]
    first = _spread_over([photo for photo in rest if photo.path not in last], count)
    return first + _spread_over([photo for photo in rest if photo.path in last], count - len(first))


def _spread_over(photos: list[Photo], count: int) -> list[Photo]:
    return [photos[index] for index in spread(len(photos), count)] if count > 0 else []


def _divide(export: Path, photos: list[Photo]) -> tuple[list[Photo] | None, list[Photo]]:
    """The photos that the model has not seen, and those it has; None and all, where that is not known."""
    known = were_seen(export, photos)
    if known is None:
        return None, photos
    seen = [photo for photo, was_seen in zip(photos, known, strict=True) if was_seen]
    unseen = [photo for photo, was_seen in zip(photos, known, strict=True) if not was_seen]
    return unseen, seen or photos


def _in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results in order, without those of photos that cannot be read or decoded."""

    def attempt(item: Item) -> Result | None:
        try:
            return function(item)
        except PhotoError:
            return None

    with photo_threads() as threads:
        return [result for result in map_in_order(attempt, items, threads, AHEAD) if result is not None]
