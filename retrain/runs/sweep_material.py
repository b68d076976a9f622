"""What `retrain sweep` trains heads on: the bottlenecks of one or several backbones, of the same photos."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from retrain.backbones.backbone import Backbone, join
from retrain.backbones.engines.base import Engine
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.extraction import Extraction, extract_views
from retrain.bottlenecks.joined import shared_photos
from retrain.core.errors import OptionError
from retrain.photos.dataset import Photo, require_two_classes
from retrain.photos.views import View, choose_views
from retrain.runs.train import Options, Screen, choose_backbone, gather_dataset, look_for_gpu, on_what_is_there
from retrain.training.fitting.sample import Classes, Matrix, Sample
from retrain.training.grid import Grid
from retrain.training.train_head import augmentation_of


@dataclass(frozen=True)
class Material:
    """Photos with their bottlenecks by architecture, and their classes (n,) as indices of `labels`.

    A matrix is (views * n, dim), view by view, the photos as they are first.
    """

    photos: tuple[Photo, ...]
    matrices: Mapping[str, Matrix]
    classes: Classes
    labels: tuple[str, ...]

    def sample(self, architecture: str, views: int = 1) -> Sample:
        """The first `views` views of all photos; those of several architectures side by side."""
        classes = np.tile(self.classes, views)
        parts = [self.matrices[name][: len(classes)] for name in architecture.split("+")]
        if len(parts) == 1:
            return Sample(parts[0], classes)
        return Sample(np.hstack(parts), classes, widths=tuple(part.shape[1] for part in parts))


def views_of_grid(options: Options, grid: Grid) -> tuple[View, ...]:
    """The views of the largest number of views in the grid, else those of `retrain`.

    Raises OptionError if there cannot be as many.
    """
    return choose_views(augmentation_of(options), max(grid.views, default=None))


def gather(options: Options, grid: Grid, screen: Screen, start: Callable[[Backbone], Engine] | None = None) -> Material:
    """The bottlenecks of all backbones of a grid, for the photos that every one of them can use."""
    names = grid.backbones()
    for name in grid.weights:
        if name not in names:
            raise OptionError(f"--weights {name}=…: {name} is not among the architectures of --architecture.")
    look_for_gpu(options, screen)
    dataset, _ = gather_dataset(options, screen)  # names of classes are checked, and go into the command
    # All are looked for before the first one runs.
    backbones = {
        name: choose_backbone(replace(options, architecture=name, weights=grid.weights.get(name)), screen)
        for name in names
    }
    for architecture in grid.architectures:
        if "+" in architecture:  # refused here, where they cannot be joined
            join([backbones[name] for name in architecture.split("+")])

    def start_chosen(backbone: Backbone) -> Engine:
        return start_engine(backbone, engine=options.engine)

    views = views_of_grid(options, grid)

    def embed(backbone: Backbone) -> tuple[Extraction, Matrix]:
        return extract_views(
            dataset,
            backbone,
            options.bottleneck_dir,
            views,
            start=start or start_chosen,
            paranoid=options.paranoid,
            observe=lambda view: screen.extracting(len(dataset.files)),
        )

    extractions, matrices = {}, {}
    for name, backbone in backbones.items():
        if len(names) > 1:
            screen.say(f"Bottlenecks of {name}:")
        _, (extractions[name], matrices[name]) = on_what_is_there(backbone, options, screen, embed)
        screen.finish()
    photos, shared = shared_photos([extraction.photos for extraction in extractions.values()], list(matrices.values()))
    dropped = max(len(extraction.photos) for extraction in extractions.values()) - len(photos)
    if dropped:
        screen.say(f"{dropped} photos are left out, because one of the backbones cannot use them.")
    labels = tuple(sorted({photo.label for photo in photos}))
    require_two_classes(labels, options.image_dir)
    classes = np.array([labels.index(photo.label) for photo in photos], np.intp)
    return Material(photos, dict(zip(names, shared, strict=True)), classes, labels)
