"""How good an export is, run as the file it is on photos in class folders.

The photos are prepared as `label_image` prepares them. Those of classes that the model does not know
have no right answer; of them it counts how many are called unknown.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from label_image.errors import PhotoError
from label_image.model import Model, ModelError, Outputs, load_model
from label_image.preprocessing import Pixels, load_pixels
from label_image.terminal import shown
from retrain.core.errors import DatasetError, ExportError, OptionError
from retrain.core.progress import SILENT, Progress
from retrain.photos.category_names import display_names, read_category_names, rename_classes
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Photo, PhotoFile, Skipped
from retrain.photos.layouts.reading import Layout
from retrain.photos.opening import open_dataset
from retrain.photos.reading import identify, map_in_order, photo_threads
from retrain.photos.seen_photos import were_seen
from retrain.training.metrics import Metrics, Probabilities, measure

BATCH = 32
AHEAD = 64  # photos read in advance
Observe = Callable[[int], None]  # told how many photos are done


@dataclass(frozen=True)
class Strangers:
    """Photos of classes that the model does not know: their labels, and how many it calls unknown.

    `refused` is None for a model that calls nothing unknown.
    """

    photos: int
    labels: tuple[str, ...]
    refused: int | None


@dataclass(frozen=True)
class Evaluation:
    """What a model said of photos.

    `probabilities` is (len(photos), len(labels)), for the photos of classes it knows; `refused`, of the
    same length, is True where it calls one unknown, and None if it calls nothing so. `left_out` counts the
    photos that it had seen in training.
    """

    labels: tuple[str, ...]
    photos: tuple[Photo, ...]
    probabilities: Probabilities
    refused: npt.NDArray[np.bool_] | None
    strangers: Strangers | None
    skipped: tuple[Skipped, ...]
    metrics: Metrics
    left_out: int


@dataclass(frozen=True)
class EvaluateConfig:
    """Which model is evaluated, on which photos.

    `data` is whatever `Dataset.open` takes; photos that are no files are unpacked beside `bottleneck_dir`. `fixes`,
    `category_names` and `layout` are those of the training, where it had any; `labels` are other names for the classes.
    Photos that the model has seen in training are left out, unless `all_photos`. `trust_model` runs a model that could
    do more than compute.
    """

    model: Path
    data: str
    bottleneck_dir: Path = Path("tf_files/bottlenecks")
    labels: Path | None = None
    fixes: Path | None = None
    category_names: Path | None = None
    all_photos: bool = False
    layout: Layout = "auto"
    trust_model: bool = False


def evaluate_export(config: EvaluateConfig, progress: Progress = SILENT) -> Evaluation:
    """Run an export on the photos of a source. Raises a RetrainError for whatever a user can cause."""
    loaded = _load(config)
    dataset = open_dataset(
        config.data,
        bottleneck_dir=config.bottleneck_dir,
        fixes=config.fixes,
        say=progress.say,
        layout=config.layout,
    )
    if config.category_names is not None:
        name_of, _ = display_names(read_category_names(config.category_names), dataset.labels)
        dataset = rename_classes(dataset, name_of)
    for remark in dataset.told():
        progress.say(remark)
    with photo_threads() as threads:
        photos, unreadable = _identify(dataset.files, threads)
        if not photos:
            first = unreadable[0]
            raise DatasetError(
                f"None of the {len(unreadable):,} photos of {config.data} can be read, and a model is evaluated on "
                f"pixels. The first, {shown(first.path)}, {first.reason}."
            )
        unseen = _leave_out_seen(config.model, photos, config.all_photos, progress.say)
        left_out, photos = len(photos) - len(unseen), unseen
        said = _run(loaded, photos, threads, progress.evaluating(len(photos)))
    known = np.array([photo.label in loaded.labels for photo in said.photos], np.bool_)
    answered = tuple(photo for photo, is_known in zip(said.photos, known, strict=True) if is_known)
    probabilities = said.outputs.probabilities[known]
    refused = loaded.refuses(said.outputs)
    classes = class_indices(answered, loaded.labels)
    return Evaluation(
        loaded.labels,
        answered,
        probabilities,
        None if refused is None else refused[known],
        _strangers(said.photos, known, refused),
        (*dataset.skipped, *unreadable, *said.skipped),
        measure(probabilities, classes, loaded.labels),
        left_out,
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


@dataclass(frozen=True)
class _Said:
    """What a model said of the photos that could be decoded; row i of the outputs is that of photo i."""

    photos: tuple[Photo, ...]
    outputs: Outputs
    skipped: tuple[Skipped, ...]


def _identify(files: Sequence[PhotoFile], threads: ThreadPoolExecutor) -> tuple[list[Photo], list[Skipped]]:
    """The photos with their contents' hashes, and the files that cannot be read."""

    def read(file: PhotoFile) -> Photo | Skipped:
        try:
            return identify(file)
        except PhotoError as error:
            return Skipped(file.path, str(error))

    found = list(map_in_order(read, files, threads, AHEAD))
    return [item for item in found if isinstance(item, Photo)], [item for item in found if isinstance(item, Skipped)]


def _leave_out_seen(model: Path, photos: list[Photo], all_photos: bool, say: Callable[[str], None]) -> list[Photo]:
    """The photos that the model has not seen in training, where that is known."""
    seen = were_seen(model, photos)
    if seen is None:
        say(f"Which photos {model} was trained on is not known (its export folder would say so): all are evaluated.")
        return photos
    count = int(seen.sum())
    if count and all_photos:
        say(f"The model was trained on {count} of these {len(photos)} photos: the result is too good to be true.")
    if count == 0 or all_photos:
        return photos
    if count == len(photos):
        raise DatasetError("The model was trained on all of these photos: pass other photos, or `all_photos`.")
    others = len(photos) - count
    say(f"The model was trained on {count} of these {len(photos)} photos; it is evaluated on the {others} others.")
    return [photo for photo, was_seen in zip(photos, seen, strict=True) if not was_seen]


def _run(model: Model, photos: Sequence[Photo], threads: ThreadPoolExecutor, observe: Observe) -> _Said:
    """Decode and run in batches; what cannot be decoded is skipped."""

    def prepare(photo: Photo) -> Pixels | Skipped:
        try:
            return load_pixels(photo.path, model.preprocessing)
        except PhotoError as error:
            return Skipped(photo.path, str(error))

    prepared: Iterator[Pixels | Skipped] = map_in_order(prepare, photos, threads, AHEAD)
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
    return _Said(tuple(answered), Outputs.joined(outputs), tuple(skipped))


def _strangers(
    photos: Sequence[Photo], known: npt.NDArray[np.bool_], refused: npt.NDArray[np.bool_] | None
) -> Strangers | None:
    strange = [photo for photo, is_known in zip(photos, known, strict=True) if not is_known]
    if not strange:
        return None
    labels = tuple(sorted({photo.label for photo in strange}))
    return Strangers(len(strange), labels, None if refused is None else int(refused[~known].sum()))
