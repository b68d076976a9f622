"""The photos of a run as a training of the network needs them, and what tells such trainings apart."""

import hashlib
from collections.abc import Iterable, Sequence

from label_image.preprocessing import Preprocessing
from retrain.core.errors import OptionError
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Photo, Split
from retrain.photos.split import Division
from retrain.training.on_photos.keras_training import Recipe
from retrain.training.on_photos.photo_batches import Augment, PhotoSet


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


def photos_of(
    side: Split, photos: Sequence[Photo], labels: Sequence[str], division: Division, preprocessing: Preprocessing
) -> PhotoSet:
    """The photos of one side of the split, with their class indices."""
    chosen = [photo for photo, split in zip(photos, division.splits, strict=True) if split == side]
    return PhotoSet([photo.path for photo in chosen], class_indices(chosen, labels), preprocessing)


def training_identity(
    photos: Sequence[Photo],
    labels: Sequence[str],
    division: Division,
    recipe: Recipe,
    augment: Augment,
    seed: int,
) -> dict[str, str | int | float]:
    """What a checkpoint of a training on photos belongs to; the number of epochs may change."""
    rows = sorted(f"{photo.sha256} {photo.label} {split}" for photo, split in zip(photos, division.splits, strict=True))
    return {
        "photos and split": digest(row.encode() for row in rows),
        "classes": ", ".join(labels),
        "optimizer": recipe.optimizer,
        "learning rate": recipe.learning_rate,
        "batch size": recipe.batch_size,
        "weight decay": recipe.weight_decay,
        "augmentation": str(augment),
        "seed": seed,
    }


def digest(parts: Iterable[bytes]) -> str:
    """16 hex digits that tell contents apart."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little") + part)
    return state.hexdigest()[:16]
