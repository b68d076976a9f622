"""How good an export is, run as the file it is on photos in class folders.

Of photos that it was trained on it is not asked: what its training found is quoted in their place.

The photos are prepared as `label_image` prepares them. Those of classes that the model does not know
have no right answer; of them it counts how many are called unknown.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from label_image.errors import PhotoError
from label_image.model import Model, ModelError, Outputs, load_model
from label_image.preprocessing import Pixels, load_pixels
from label_image.terminal import shown
from retrain.core.defaults import BOTTLENECK_DIR
from retrain.core.errors import DatasetError, ExportError, OptionError
from retrain.core.places import place_of
from retrain.core.progress import SILENT, Progress
from retrain.exports.quoted import Quoted, quoted_figure
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Photo, PhotoFile, Skipped
from retrain.photos.division import group_numbers
from retrain.photos.layouts.reading import Layout
from retrain.photos.reading import identify, map_in_order, photo_threads
from retrain.photos.seen_photos import were_seen
from retrain.photos.source import SourceConfig
from retrain.training.metrics import Metrics, Probabilities, measure

BATCH = 32
AHEAD = 64  # photos read in advance
Read = Callable[[str], Pixels]  # raises PhotoError


@dataclass(frozen=True)
class Strangers:
    """Photos of classes that the model does not know: their labels, and how many it calls unknown.

    `refused` is None for a model that calls nothing unknown.
    """

    photos: int
    labels: tuple[str, ...]
    refused: int | None


@dataclass(frozen=True)
class Said:
    """What a model said of the photos that could be decoded, those of classes that it does not know among them.

    Row i of `outputs` is that of photo i, and so is `refused` (n,): whether it calls it unknown. None for a model that
    calls nothing so.
    """

    photos: tuple[Photo, ...]
    outputs: Outputs
    refused: npt.NDArray[np.bool_] | None
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Evaluation:
    """What a model said of photos.

    `probabilities` is (len(photos), len(labels)), for the photos of classes it knows; `refused`, of the
    same length, is True where it calls one unknown, and None if it calls nothing so. `left_out` counts the
    photos that it had seen in training; where none but such photos have an answer, or where they are included, `quoted`
    is what the training found. `said` has the photos of other classes, too.
    """

    labels: tuple[str, ...]
    photos: tuple[Photo, ...]
    probabilities: Probabilities
    refused: npt.NDArray[np.bool_] | None
    strangers: Strangers | None
    skipped: tuple[Skipped, ...]
    metrics: Metrics
    left_out: int
    said: Said
    quoted: Quoted | None = None

    @property
    def answered_and_right(self) -> npt.NDArray[np.bool_]:
        """Which photos (n,) get the right answer, and are not called unknown: what a user sees."""
        classes = class_indices(self.photos, self.labels)
        right: npt.NDArray[np.bool_] = (
            self.probabilities.argmax(axis=1) == classes if len(classes) else np.zeros(0, np.bool_)
        )
        return right if self.refused is None else right & ~self.refused

    @property
    def accuracy_and_interval(self) -> tuple[float, tuple[float, float]] | None:
        """What is known of the accuracy: as measured, as quoted where nothing could be measured, None where neither."""
        if self.metrics.accuracy is not None and self.metrics.interval is not None:
            return self.metrics.accuracy, self.metrics.interval
        return None if self.quoted is None else (self.quoted.accuracy, self.quoted.interval)


@dataclass(frozen=True)
class EvaluateConfig:
    """Which model is evaluated, on which photos.

    `data` is whatever `Dataset.open` takes; photos that are no files are unpacked to `source_dir`, or else beside
    `bottleneck_dir`. `fixes`, `category_names` and `layout` are those of the training, where it had any; `labels` are
    other names for the classes. Photos that the model has seen in training are left out, unless `all_photos`.
    `trust_model` runs a model that could do more than compute. `accept_truncated`: JPEGs that end early are read as far
    as they go.
    """

    model: Path
    data: str
    bottleneck_dir: Path | str = Path(BOTTLENECK_DIR)
    labels: Path | None = None
    fixes: Path | None = None
    category_names: Path | None = None
    all_photos: bool = False
    layout: Layout = "auto"
    accept_truncated: bool = False
    trust_model: bool = False
    source_dir: Path | None = None

    @property
    def source(self) -> SourceConfig:
        """The photos, named as those of the training were."""
        return SourceConfig(
            self.data,
            fixes=self.fixes,
            category_names=self.category_names,
            layout=self.layout,
            source_dir=self.source_dir,
        )


def evaluate_export(config: EvaluateConfig, progress: Progress = SILENT) -> Evaluation:
    """Run an export on the photos of a source. Raises a RetrainError for whatever a user can cause."""
    loaded = _load(config)
    dataset, _ = config.source.open_named(place_of(config.bottleneck_dir).local_dir, progress)
    with photo_threads() as threads:
        photos, unreadable = _identify(dataset.files, threads)
        if not photos:
            first = unreadable[0]
            raise DatasetError(
                f"None of the {len(unreadable):,} photos of {config.data} can be read, and a model is evaluated on "
                f"pixels. The first, {shown(first.path)}, {first.reason}."
            )
        read = partial(load_pixels, preprocessing=loaded.preprocessing, accept_truncated=config.accept_truncated)
        photos, broken = _without_broken(config.model, photos, read)
        seen, unseen = _leave_out_seen(config.model, photos, config.all_photos, progress.say)
        left_out, photos = len(photos) - len(unseen), unseen
        said = _run(loaded, photos, read, threads, progress)
    known = np.array([photo.label in loaded.labels for photo in said.photos], np.bool_)
    answered = tuple(photo for photo, is_known in zip(said.photos, known, strict=True) if is_known)
    probabilities = said.outputs.probabilities[known]
    refused = said.refused
    classes = class_indices(answered, loaded.labels)
    return Evaluation(
        loaded.labels,
        answered,
        probabilities,
        None if refused is None else refused[known],
        _strangers(said.photos, known, refused),
        (*dataset.skipped, *unreadable, *broken, *said.skipped),
        measure(probabilities, classes, loaded.labels, group_numbers(answered)),
        left_out,
        said,
        quoted_figure(config.model) if seen and (config.all_photos or not answered) else None,
    )


def _load(config: EvaluateConfig) -> Model:
    """The model, whose classes have names of their own."""
    model, labels = config.model, config.labels
    try:
        loaded = load_model(model, labels, config.trust_model)
    except ModelError as error:
        raise ExportError(str(error)) from None
    if len(set(loaded.labels)) < len(loaded.labels):
        if labels is None:
            raise ExportError(
                f"{model} has two classes of the same name: give them different names with `labels` to evaluate it."
            )
        raise OptionError(
            f"`labels` {labels} has two classes of the same name: give each its own name to evaluate them."
        )
    return loaded


def _identify(files: Sequence[PhotoFile], threads: ThreadPoolExecutor) -> tuple[list[Photo], list[Skipped]]:
    """The photos with their contents' hashes, and the files that cannot be read."""

    def read(file: PhotoFile) -> Photo | Skipped:
        try:
            return identify(file)
        except PhotoError as error:
            return Skipped(file.path, str(error))

    found = list(map_in_order(read, files, threads, AHEAD))
    return [item for item in found if isinstance(item, Photo)], [item for item in found if isinstance(item, Skipped)]


def _leave_out_seen(
    model: Path, photos: list[Photo], all_photos: bool, say: Callable[[str], None]
) -> tuple[int, list[Photo]]:
    """How many photos the model has seen in training, where that is known, and those that it is evaluated on.

    Raises DatasetError if it has seen all, and does not say what its training found.
    """
    seen = were_seen(model, photos)
    if seen is None:
        say(f"Which photos {model} was trained on is not known (its export folder would say so): all are evaluated.")
        return 0, photos
    count = int(seen.sum())
    if count and all_photos:
        say(f"The model was trained on {count} of these {len(photos)} photos: the result is too good to be true.")
    if count == 0 or all_photos:
        return count, photos
    if count == len(photos):
        if quoted_figure(model) is None:
            raise DatasetError("The model was trained on all of these photos: pass other photos, or `all_photos`.")
        say(f"The model was trained on all of these {count} photos, and would know them: pass others to evaluate it.")
        return count, []
    others = len(photos) - count
    say(f"The model was trained on {count} of these {len(photos)} photos; it is evaluated on the {others} others.")
    return count, [photo for photo, was_seen in zip(photos, seen, strict=True) if not was_seen]


def _without_broken(model: Path, photos: list[Photo], read: Read) -> tuple[list[Photo], list[Skipped]]:
    """The photos, and those that are left out: all that the model has not seen, if none of these can be decoded.

    The training has skipped such files, and without them all photos were seen.
    """
    seen = were_seen(model, photos)
    if seen is None or not seen.any():
        return photos, []
    broken: list[Skipped] = []
    for photo, was_seen in zip(photos, seen, strict=True):
        if not was_seen:
            prepared = _prepare(photo, read)
            if not isinstance(prepared, Skipped):
                return photos, []
            broken.append(prepared)
    return [photo for photo, was_seen in zip(photos, seen, strict=True) if was_seen], broken


def _prepare(photo: Photo, read: Read) -> Pixels | Skipped:
    try:
        return read(photo.path)
    except PhotoError as error:
        return Skipped(photo.path, str(error))


def _run(model: Model, photos: Sequence[Photo], read: Read, threads: ThreadPoolExecutor, progress: Progress) -> Said:
    """Decode and run in batches; what cannot be decoded is skipped."""
    if not photos:
        nothing = Outputs(np.zeros((0, len(model.labels)), np.float32), np.zeros(0, np.float32))
        return Said((), nothing, model.refuses(nothing), ())
    observe = progress.evaluating(len(photos))
    prepared: Iterator[Pixels | Skipped] = map_in_order(partial(_prepare, read=read), photos, threads, AHEAD)
    answered: list[Photo] = []
    outputs: list[Outputs] = []
    skipped: list[Skipped] = []
    for start in range(0, len(photos), BATCH):
        pairs = list(zip(photos[start : start + BATCH], islice(prepared, BATCH), strict=True))
        skipped += [item for _, item in pairs if isinstance(item, Skipped)]
        usable = [(photo, item) for photo, item in pairs if not isinstance(item, Skipped)]
        if usable:
            answered += [photo for photo, _ in usable]
            outputs.append(model.run(np.stack([pixels for _, pixels in usable])))
        observe(start + len(pairs))
    if not outputs:
        raise DatasetError(f"None of the {len(photos)} photos can be decoded, so there is nothing to evaluate.")
    said = Outputs.joined(outputs)
    return Said(tuple(answered), said, model.refuses(said), tuple(skipped))


def _strangers(
    photos: Sequence[Photo], known: npt.NDArray[np.bool_], refused: npt.NDArray[np.bool_] | None
) -> Strangers | None:
    strange = [photo for photo, is_known in zip(photos, known, strict=True) if not is_known]
    if not strange:
        return None
    labels = tuple(sorted({photo.label for photo in strange}))
    return Strangers(len(strange), labels, None if refused is None else int(refused[~known].sum()))
