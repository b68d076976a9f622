"""What `retrain sweep` trains heads on: the bottlenecks of one or several backbones, of the same photos."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from retrain.backbones import Backbone
from retrain.bottlenecks import Extraction, extract_views
from retrain.dataset import Photo, require_two_classes
from retrain.errors import OptionError
from retrain.fitting.sample import Classes, Matrix, Sample
from retrain.fixes import apply_fixes
from retrain.networks.engine import Engine, start_engine
from retrain.pipeline import Options, Screen, choose_backbone, look_for_gpu
from retrain.sources import list_source
from retrain.subset import limit_per_class
from retrain.sweep.grid import Grid
from retrain.training import augmentation_of
from retrain.views import View, choose_views


@dataclass(frozen=True)
class Material:
    """Photos with their bottlenecks by architecture, and their classes (n,) as indices of `labels`.

    A matrix is (views * n, dim), view by view, the photos as they are first.
    """

    photos: tuple[Photo, ...]
    matrices: Mapping[str, Matrix]
    classes: Classes
    labels: tuple[str, ...]

    def sample(self, architecture: str, scaled_on: npt.NDArray[np.bool_], views: int = 1) -> Sample:
        """The first `views` views of all photos; those of several architectures side by side, each on its own scale.

        The scale is the root of the mean variance over the photos `scaled_on` (n,), so that no network
        counts for more because its numbers are larger.
        """
        classes = np.tile(self.classes, views)
        parts = [self.matrices[name][: len(classes)] for name in architecture.split("+")]
        if len(parts) == 1:
            return Sample(parts[0], classes)
        joined = np.empty((len(classes), sum(part.shape[1] for part in parts)), np.float32)
        start = 0
        for part in parts:
            variance = float(part[: len(self.photos)][scaled_on].var(axis=0, dtype=np.float64).mean())
            end = start + part.shape[1]
            np.multiply(part, np.float32(1 / np.sqrt(variance) if variance > 0 else 1), out=joined[:, start:end])
            start = end
        return Sample(joined, classes)


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
    listing = list_source(options.image_dir, options.bottleneck_dir, options.paranoid, screen.say, screen.unpacking)
    listing = apply_fixes(listing, options.fixes, options.image_dir)
    listing = limit_per_class(listing, options.max_images_per_class)
    for remark in listing.remarks:
        screen.say(remark)
    # All are looked for before the first one runs.
    backbones = {
        name: choose_backbone(replace(options, architecture=name, weights=grid.weights.get(name)), screen)
        for name in names
    }

    def start_chosen(backbone: Backbone) -> Engine:
        return start_engine(backbone, engine=options.engine)

    views = views_of_grid(options, grid)
    extractions, matrices = {}, {}
    for name, backbone in backbones.items():
        if len(names) > 1:
            screen.say(f"Bottlenecks of {name}:")
        extractions[name], matrices[name] = extract_views(
            listing,
            backbone,
            options.bottleneck_dir,
            views,
            start=start or start_chosen,
            paranoid=options.paranoid,
            observe=lambda view: screen.extracting(len(listing.files)),
        )
        screen.finish()
    photos, matrices = shared_photos(extractions, matrices)
    dropped = max(len(extraction.photos) for extraction in extractions.values()) - len(photos)
    if dropped:
        screen.say(f"{dropped} photos are left out, because one of the backbones cannot use them.")
    labels = tuple(sorted({photo.label for photo in photos}))
    require_two_classes(labels, options.image_dir)
    classes = np.array([labels.index(photo.label) for photo in photos], np.intp)
    return Material(photos, matrices, classes, labels)


def shared_photos(
    extractions: Mapping[str, Extraction], matrices: Mapping[str, Matrix]
) -> tuple[tuple[Photo, ...], dict[str, Matrix]]:
    """The photos that all extractions have, with their bottlenecks, row by row the same photos.

    Matrices are (views * photos, dim), view by view, with the photos of their extraction and of the result.
    """
    rows = {
        name: {(photo.path, photo.sha256): row for row, photo in enumerate(extraction.photos)}
        for name, extraction in extractions.items()
    }
    first = next(iter(extractions.values()))
    photos = tuple(
        photo for photo in first.photos if all((photo.path, photo.sha256) in of_one for of_one in rows.values())
    )
    shared = {}
    for name, extraction in extractions.items():
        shared[name] = matrices[name]
        if len(photos) < len(extraction.photos):
            picked = np.array([rows[name][photo.path, photo.sha256] for photo in photos], np.intp)
            starts = range(0, len(matrices[name]), len(extraction.photos))
            shared[name] = matrices[name][np.concatenate([picked + start for start in starts])]
    return photos, shared
