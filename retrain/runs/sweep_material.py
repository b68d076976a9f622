"""What `retrain sweep` trains heads on: the bottlenecks of one or several backbones, of the same photos."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from retrain.backbones.backbone import join
from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.bottlenecks import Bottlenecks, extract_with_fallback
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.bottlenecks.joined import shared_photos
from retrain.bottlenecks.near_copies import find_near_copies
from retrain.core.errors import OptionError
from retrain.core.progress import SILENT, Progress
from retrain.photos.augmentation import Augmentation
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Photo, require_two_classes
from retrain.photos.groups import content_groups
from retrain.photos.source import SourceConfig
from retrain.photos.split import SplitConfig
from retrain.photos.views import ViewsConfig
from retrain.runs.steps import choose_backbone
from retrain.training.fitting.sample import Classes, Matrix, Sample
from retrain.training.grid import Grid


@dataclass(frozen=True)
class SweepConfig:
    """What a sweep is asked to do; architectures, weights and numbers of views are those of the grid.

    Raises OptionError for what does not go together.
    """

    source: SourceConfig
    grid: Grid
    folds: int = 5
    split: SplitConfig = SplitConfig()
    backbone: BackboneConfig = BackboneConfig()
    extraction: ExtractionConfig = ExtractionConfig()
    augmentation: Augmentation = Augmentation()

    def __post_init__(self) -> None:
        recipes = self.grid.recipes()
        if self.folds < 3 and any(recipe.optimizer != "lbfgs" for recipe in recipes):
            raise OptionError("`folds` 2 leaves mini-batch training no photos to stop on: use 3 or more.")
        for name in self.grid.weights:
            if name not in self.grid.backbones():
                raise OptionError(f"`weights` {name}=…: {name} is not among the architectures of `architecture`.")
        _ = self.views  # they are checked, too

    @property
    def views(self) -> ViewsConfig:
        """The views of the largest number of views in the grid, else those of `retrain`."""
        return ViewsConfig(self.augmentation, max(self.grid.views, default=None))


@dataclass(frozen=True)
class Material:
    """Photos with their bottlenecks by architecture, and their classes (n,) as indices of `labels`.

    A matrix is (views * n, dim), view by view, the photos as they are first. `copies` are pairs of photos that
    are the same picture.
    """

    photos: tuple[Photo, ...]
    matrices: Mapping[str, Matrix]
    classes: Classes
    labels: tuple[str, ...]
    copies: tuple[tuple[int, int], ...] = ()

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The content groups of the photos."""
        return tuple(content_groups(self.photos, self.copies))

    def sample(self, architecture: str, views: int = 1) -> Sample:
        """The first `views` views of all photos; those of several architectures side by side."""
        classes = np.tile(self.classes, views)
        parts = [self.matrices[name][: len(classes)] for name in architecture.split("+")]
        if len(parts) == 1:
            return Sample(parts[0], classes)
        return Sample(np.hstack(parts), classes, widths=tuple(part.shape[1] for part in parts))


def gather(config: SweepConfig, progress: Progress = SILENT, start: StartEngine | None = None) -> Material:
    """The bottlenecks of all backbones of a grid, for the photos that every one of them can use."""
    grid = config.grid
    names = grid.backbones()
    config.extraction.look_for_gpu(progress)
    # Names of classes are checked, and go into the command.
    dataset, _ = config.source.open_named(config.extraction.local_dir, progress)
    # All are looked for before the first one runs.
    backbones = {
        name: choose_backbone(
            replace(config.backbone, architecture=name, weights=grid.weights.get(name)), config.extraction, progress
        )
        for name in names
    }
    for architecture in grid.architectures:
        if "+" in architecture:  # refused here, where they cannot be joined
            join([backbones[name] for name in architecture.split("+")])
    found: list[Bottlenecks] = []
    for name, backbone in backbones.items():
        if len(names) > 1:
            progress.say(f"Bottlenecks of {name}:")
        found.append(extract_with_fallback(dataset, backbone, config.extraction, config.views, progress, start))
    photos, shared = shared_photos([one.photos for one in found], [one.views for one in found])
    dropped = max(len(one.photos) for one in found) - len(photos)
    if dropped:
        progress.say(f"{dropped} photos are left out because one of the backbones cannot use them.")
    labels = tuple(sorted({photo.label for photo in photos}))
    require_two_classes(labels, config.source.image_dir)
    classes = class_indices(photos, labels)
    copies = find_near_copies(photos, shared[0][: len(photos)], config.extraction.local_dir)
    for remark in copies.remarks:
        progress.say(remark)
    return Material(photos, dict(zip(names, shared, strict=True)), classes, labels, copies.positions)
