"""`retrain similar`: the photos that a network sees as most like one, of a data set or of all that a store knows."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from label_image.errors import ModelError, PhotoError
from label_image.files import reason_of
from label_image.manifest import read_manifest
from label_image.photo_files.kinds import kind_of
from label_image.preprocessing import photo_bytes
from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.executors.base import StartEngine
from retrain.core.errors import DatasetError, OptionError
from retrain.core.progress import SILENT, Progress
from retrain.photos.dataset import Dataset, Photo, PhotoFile
from retrain.photos.reading import absolute_paths
from retrain.photos.record import NAME as RECORD
from retrain.runs.embedding import EmbeddingConfig, embed, embed_files
from retrain.training.on_photos.choice import FINE_TUNED

# Of the options of a model those that say which network it stands on.
NETWORK = ("architecture", "image_size", "weights", "precision", "store_dtype")


@dataclass(frozen=True)
class SimilarConfig:
    """The photo that is asked about, those that it is compared with, and how many are wanted."""

    photo: Path
    among: EmbeddingConfig
    count: int = 10

    def __post_init__(self) -> None:
        if self.count < 1:
            raise OptionError(f"`count` {self.count} is not a number of photos: give 1 or more.")


@dataclass(frozen=True)
class SimilarPhoto:
    """A photo, and the cosine of its bottleneck to that of the one that is asked about."""

    path: str
    label: str
    sha256: str
    cosine: float
    same_content: bool


@dataclass(frozen=True)
class Similar:
    """The photos that are most like one, best first, of so many others that it was compared with."""

    photo: Path
    compared: int
    photos: tuple[SimilarPhoto, ...] = field(default=())

    def summary(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "photo": str(self.photo),
            "compared": self.compared,
            "photos": [
                {
                    "path": one.path,
                    "label": one.label or None,
                    "sha256": one.sha256,
                    "cosine": round(one.cosine, 6),
                    "same_content": one.same_content,
                }
                for one in self.photos
            ],
        }


def trained_on(model: Path) -> tuple[Path, dict[str, object]]:
    """Which photos a model was trained on, as a source, and the options of its network. Raises OptionError.

    A fine-tuned network is in the export alone, and no option has it again.
    """
    if not os.path.exists(model):
        raise OptionError(
            f"There is no `model` {model}: name the photos to compare with as DATA, or pass the `output_dir` of a "
            "training run."
        )
    record = model / RECORD
    try:
        if not record.is_file():
            raise ModelError(f"{model} has no {RECORD}")
        content = read_manifest(model).content
        found = content["provenance"]["options"]
        is_fine_tuned = content.get("fine_tuning", {}).get("kept") == FINE_TUNED
    except (ModelError, KeyError, TypeError, AttributeError):
        raise OptionError(
            f"`model` {model} does not say which photos it was trained on: name them as DATA, or pass the `output_dir` "
            "of a training run."
        ) from None
    if is_fine_tuned:
        raise OptionError(
            f"`model` {model} was fine-tuned, and the store has nothing of its network: compare what `label_image "
            f"--model {model} PHOTOS --embed FILE` writes, or name the photos as DATA, as another network sees them."
        )
    return record, {name: found[name] for name in NETWORK if name in found}


def run_similar(config: SimilarConfig, progress: Progress = SILENT, start: StartEngine | None = None) -> Similar:
    """Find the photos; what the store lacks is computed first. The photo itself is not among them, copies of it are.

    Raises a RetrainError for whatever a user can cause.
    """
    alone = _alone(config.photo)  # a wrong name, and what is no photo, is told before all is computed
    among = embed(config.among, progress, start)
    try:
        asked = embed_files(alone, among.backbone, config.among, progress, start)
    finally:
        progress.finish()
    photos = among.photos
    itself = absolute_paths([str(config.photo)])[0]
    own = {row for row, path in enumerate(absolute_paths(photo.path for photo in photos)) if path == itself}
    if len(own) == len(photos):
        raise DatasetError(f"There is no photo but {config.photo} to compare it with: check DATA.")
    found = among.nearest(asked.matrix, config.count + len(own))
    chosen = [
        _told(photos[row], cosine, asked)
        for row, cosine in zip(found.rows[0].tolist(), found.cosines[0].tolist(), strict=True)
        if row not in own
    ]
    return Similar(config.photo, len(photos) - len(own), tuple(chosen[: config.count]))


def _told(photo: Photo, cosine: float, asked: Bottlenecks) -> SimilarPhoto:
    same = photo.sha256 == asked.photos[0].sha256
    return SimilarPhoto(photo.path, photo.label, photo.sha256, cosine, same)


def _alone(path: Path) -> Dataset:
    """A photo as a data set of its own. Raises DatasetError for what is none by its first bytes."""
    try:
        alone = Dataset((PhotoFile.of(str(path), "", os.stat(path)),), source=str(path))
        with photo_bytes(path) as data:
            kind_of(data)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {reason_of(error)}; check PHOTO.") from None
    except PhotoError as error:
        raise DatasetError(f"{path} {error}; check PHOTO.") from None
    return alone
