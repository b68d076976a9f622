"""A data set as a backbone sees it: the photos that can be used, and one vector for each.

    bottlenecks = extract(Dataset.open("cats"), Backbone.find())

What a head is trained on, and what travels through a run. How the vectors are computed is in
`retrain.bottlenecks.extraction`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.executors.base import Executor, StartEngine
from retrain.bottlenecks.executors.registry import find_executor
from retrain.bottlenecks.extraction import Extraction, extract_views
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.bottlenecks.near_copies import MOST_COMPARED, find_near_copies
from retrain.bottlenecks.nearest import Nearest, nearest
from retrain.core.matrix_file import Matrix
from retrain.core.progress import SILENT, Progress
from retrain.photos.adding import in_two_classes
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Dataset, Photo, Skipped, require_two_classes
from retrain.photos.split import Division, SplitConfig
from retrain.photos.views import ORIGINAL_ID, ViewsConfig

COPIES_NOT_LOOKED_FOR = (
    f"Among more than {MOST_COMPARED:,} photos, copies in other bytes are not looked for: where some are in two folds, "
    "the accuracy is too good."
)


@dataclass(frozen=True, eq=False)
class Bottlenecks:
    """What a backbone sees in the photos of a data set: one vector for each photo; made by `extract`.

    `labels` are the names of the classes, in the order of their indices. `views` is (views * n, dim), float32: all
    photos as they are, which is `matrix`, and behind them their distorted views, where these were asked for; they are
    kept under `view_ids`. `extraction` also says how many bottlenecks were `hits` of the store in `config`'s
    `bottleneck_dir`, and how many were `computed`.
    """

    dataset: Dataset
    backbone: Backbone
    extraction: Extraction
    views: Matrix
    labels: tuple[str, ...]
    config: ExtractionConfig = ExtractionConfig()
    view_ids: tuple[str, ...] = (ORIGINAL_ID,)

    def __repr__(self) -> str:
        n, dim = self.matrix.shape
        classes = len(self.labels)
        return f"<Bottlenecks by {self.backbone.architecture}: {n} photos of {classes} classes, {dim} numbers each>"

    @property
    def photos(self) -> tuple[Photo, ...]:
        """The photos that can be used; each has `path`, `label` and `sha256`."""
        return self.extraction.photos

    @property
    def matrix(self) -> Matrix:
        """Float32 (n, dim); row i belongs to photo i."""
        return self.extraction.matrix

    @property
    def gone(self) -> int:
        """How many of the photos have no file any more: there is nothing of them but their bottlenecks."""
        return sum(photo.gone for photo in self.photos)

    @cached_property
    def classes(self) -> npt.NDArray[np.intp]:
        """The class of each photo (n,), as an index of `labels`."""
        return class_indices(self.photos, self.labels)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files that are not used; each has `path` and `reason`."""
        return self.extraction.skipped

    @property
    def truncated(self) -> tuple[Photo, ...]:
        """The photos that end early, and were accepted."""
        return tuple(photo for photo in self.photos if photo.sha256 in self.extraction.truncated)

    def nearest(self, vectors: Matrix, count: int = 10) -> Nearest:
        """The rows that are most like each of some vectors (m, dim), by the cosine: `rows` and `cosines` (m, count)."""
        return nearest(self.matrix, vectors, count)

    def split(self, config: SplitConfig = SplitConfig()) -> Division:
        """Divide the photos by their content, so that copies of one never lie on two sides.

        `splits[i]` of the result is the side of photo i: "training", "validation" or "testing"; or `folds[i]` its fold,
        where folds take turns: then copies in other bytes are looked for, too, unless photos are very many. A split
        that the source gives is kept.
        """
        if not config.takes_turns(self.photos):
            return config.divide(self.photos)
        if len(self.photos) > MOST_COMPARED:
            division = config.divide(self.photos)
            return replace(division, remarks=(*division.remarks, COPIES_NOT_LOOKED_FOR))
        copies = find_near_copies(self.photos, self.matrix, self.config.local_dir)
        return config.divide(self.photos, ((copy.one, copy.other) for copy in copies))


def extract(
    dataset: Dataset,
    backbone: Backbone,
    config: ExtractionConfig = ExtractionConfig(),
    views: ViewsConfig = ViewsConfig(),
    *,
    executor: Executor | None = None,
    progress: Progress = SILENT,
) -> Bottlenecks:
    """The bottleneck of every photo, from the store where it has them; the others are computed by the `executor`.

    That is the one of `config`, unless another one is given.
    `views` asks for distorted views, too (docs/views.md). `progress` is told how it goes. Raises OptionError,
    DatasetError if fewer than two classes have a photo that can be used, BackboneError, StoreError and GpuError.
    """
    backbone = config.computed_and_kept(backbone)
    config.look_for_gpu(progress)
    return extract_with_fallback(dataset, backbone, config, views, progress, executor=executor)


def extract_with_fallback(
    dataset: Dataset,
    backbone: Backbone,
    config: ExtractionConfig,
    views: ViewsConfig = ViewsConfig(),
    progress: Progress = SILENT,
    start: StartEngine | None = None,
    executor: Executor | None = None,
    labels: Sequence[str] | None = None,
) -> Bottlenecks:
    """The bottlenecks by a backbone in its precision, or in the CPU's if the GPU turns out to be of no use.

    `start` makes another engine than that of `config`. `labels` are the classes in their order, if it is another one
    than that of their names; those of which no photo can be used are said to be left out.
    """
    start = start or partial(start_engine, engine=config.engine)

    def work(backbone: Backbone) -> tuple[Extraction, Matrix]:
        return extract_views(
            dataset,
            backbone,
            config.bottleneck_dir,
            views.chosen,
            start=start,
            paranoid=config.paranoid,
            observe=lambda view: progress.extracting(len(dataset.files)),
            executor=executor or find_executor(config),
            accept_truncated=config.accept_truncated,
            say=progress.say,
        )

    try:
        backbone, (extraction, matrix) = config.with_cpu_fallback(backbone, work, progress)
    finally:
        progress.finish()
    if remark := in_two_classes(extraction.photos):
        progress.say(remark)
    used = {photo.label for photo in extraction.photos}
    if labels is not None and not used.issuperset(labels):
        lost = ", ".join(sorted(set(labels) - used))
        progress.say(f"No photo of these classes can be used, they are left out: {lost}.")
    found = tuple(sorted(used) if labels is None else (label for label in labels if label in used))
    require_two_classes(found, dataset.source, extraction.skipped)
    return Bottlenecks(dataset, backbone, extraction, matrix, found, config, tuple(view.id for view in views.chosen))
