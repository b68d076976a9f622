"""The photos of a run as a training of the network needs them, and what tells such trainings apart."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from label_image.preprocessing import Preprocessing
from retrain.core.errors import OptionError
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Photo, Split
from retrain.photos.division import Division
from retrain.training.on_photos.checkpoint import TrainingCheckpoint
from retrain.training.on_photos.keras_training import TrainingConfig
from retrain.training.on_photos.photo_batches import PhotoSet


def check_sides(division: Division, option: str) -> None:
    """Refuse a split without training or validation photos, or with folds. Raises OptionError."""
    if division.folds is not None:
        raise OptionError(
            f"{option} needs at least three different photos of every class, so that each side of the split has some: "
            "add photos to the small classes, or leave the option out."
        )
    for side, percentage in (("training", "`testing_percentage`"), ("validation", "`validation_percentage`")):
        if side not in division.splits:
            raise OptionError(f"{option} needs {side} photos, and the split has none: change {percentage}.")


@dataclass(frozen=True)
class DividedPhotos:
    """Photos with their classes and sides: `photos[i]` is of one of the `labels`, and on side `division.splits[i]`."""

    photos: Sequence[Photo]
    labels: Sequence[str]
    division: Division

    def on_side(self, side: Split, preprocessing: Preprocessing) -> PhotoSet:
        """The photos of one side of the split, with their class indices."""
        chosen = [photo for photo, split in zip(self.photos, self.division.splits, strict=True) if split == side]
        return PhotoSet([photo.path for photo in chosen], class_indices(chosen, self.labels), preprocessing)

    def checkpoint(
        self, file: str, config: TrainingConfig, model: Mapping[str, str | int | float]
    ) -> TrainingCheckpoint | None:
        """That of a training of this `model` on these photos, if `config` has a folder for it.

        The number of epochs may change from one to the next.
        """
        if config.checkpoint_dir is None:
            return None
        sides = zip(self.photos, self.division.splits, strict=True)
        rows = sorted(f"{photo.sha256} {photo.label} {split}" for photo, split in sides)
        recipe = config.recipe
        identity = {
            **model,
            **config.origin,
            "photos and split": digest(row.encode() for row in rows),
            "classes": ", ".join(self.labels),
            "optimizer": recipe.optimizer,
            "learning rate": recipe.learning_rate,
            "batch size": recipe.batch_size,
            "weight decay": recipe.weight_decay,
            "augmentation": str(config.augment),
            "seed": config.seed,
        }
        return TrainingCheckpoint(config.checkpoint_dir / file, identity)


def digest(parts: Iterable[bytes]) -> str:
    """16 hex digits that tell contents apart."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little") + part)
    return state.hexdigest()[:16]
