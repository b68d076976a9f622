"""A data set as a backbone sees it: the photos that can be used, and one vector for each.

    bottlenecks = extract(Dataset.open("cats"), Backbone.find())

What a head is trained on, and what travels through a run. How the vectors are computed is in
`retrain.bottlenecks.extraction`.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from label_image.data_frames import pandas
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.bottlenecks_file import (
    backbone_of,
    columns_of,
    is_table,
    plain_backbone,
    read_table,
    write_table,
)
from retrain.bottlenecks.executors.base import Executor, StartEngine
from retrain.bottlenecks.executors.registry import find_executor
from retrain.bottlenecks.extraction import Extraction, extract_views
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.bottlenecks.near_copies import MOST_COMPARED, find_near_copies
from retrain.bottlenecks.nearest import Nearest, nearest
from retrain.core.errors import OptionError, StoreError
from retrain.core.matrix_file import StoredMatrix
from retrain.core.observing import Observe, not_observed, observed
from retrain.core.outputs import cannot_be_written
from retrain.core.progress import SILENT, Progress
from retrain.core.rows import Rows, chosen_rows
from retrain.core.typed import require
from retrain.photos import opening
from retrain.photos.adding import in_two_classes
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Dataset, Photo, PhotoFile, Skipped, require_two_classes
from retrain.photos.split import MOST_PHOTOS, Division, SplitConfig
from retrain.photos.views import ORIGINAL_ID, ViewsConfig


@dataclass(frozen=True, eq=False)
class Bottlenecks:
    """What a backbone sees in the photos of a data set: one vector for each photo; made by `extract`.

    `labels` are the names of the classes, in the order of their indices. `views` is (views * n, dim), float32, or
    float16 where it is large and kept so: all photos as they are, which is `matrix`, and behind them their distorted
    views, where these were asked for; they are kept under `view_ids`. `extraction` also says how many bottlenecks were
    `hits` of the store in `config`'s `bottleneck_dir`, and how many were `computed`.
    """

    dataset: Dataset
    backbone: Backbone
    extraction: Extraction
    views: StoredMatrix
    labels: tuple[str, ...]
    config: ExtractionConfig = ExtractionConfig()
    view_ids: tuple[str, ...] = (ORIGINAL_ID,)
    asked_views: ViewsConfig = ViewsConfig()

    def __repr__(self) -> str:
        n, dim = self.matrix.shape
        classes = len(self.labels)
        return f"<Bottlenecks by {self.backbone.architecture}: {n} photos of {classes} classes, {dim} numbers each>"

    def _repr_html_(self) -> str:
        counts = Counter(photo.label for photo in self.photos)
        rows = "".join(f"<tr><td>{escape(label)}</td><td>{counts[label]}</td></tr>" for label in self.labels)
        return f"<p>{escape(repr(self))}</p><table><tr><th>class</th><th>photos</th></tr>{rows}</table>"

    def __len__(self) -> int:
        return len(self.photos)

    def __iter__(self) -> Iterator[tuple[Photo, npt.NDArray[np.float32]]]:
        """Each photo with its bottleneck."""
        return zip(self.photos, self.matrix, strict=True)

    def __getitem__(self, rows: Rows) -> "Bottlenecks":
        """Those of some photos: a mask (n,), indices, or a slice. A class of which none is left is no class of it."""
        chosen = chosen_rows(rows, len(self))
        photos = tuple(self.photos[row] for row in chosen)
        used = {photo.label for photo in photos}
        paths = {photo.path for photo in photos}
        n, views = len(self), len(self.view_ids)
        part = np.concatenate([self.views[view * n + chosen] for view in range(views)])
        return replace(
            self,
            dataset=replace(self.dataset, files=tuple(file for file in self.dataset.files if file.path in paths)),
            extraction=replace(self.extraction, photos=photos, matrix=part[: len(chosen)]),
            views=part,
            labels=tuple(label for label in self.labels if label in used),
        )

    def __add__(self, other: "Bottlenecks") -> "Bottlenecks":
        """The photos of both; one that is in both with the same class is there once.

        One that is in both with different classes counts in both, and is in the `remarks` of `dataset`. Raises
        OptionError.
        """
        require(other, Bottlenecks, "other", "+", "extract(…)")
        if (other.fingerprint, other.view_ids) != (self.fingerprint, self.view_ids):
            raise OptionError("These bottlenecks are of another backbone or other views: extract them with the same.")
        if all(self.labels) != all(other.labels):
            raise OptionError("One of these bottlenecks has no classes, the other has: they cannot be put together.")
        there = set(zip(self.sha256s, (photo.label for photo in self.photos), strict=True))
        more = other[[row for row, photo in enumerate(other.photos) if (photo.sha256, photo.label) not in there]]
        photos = (*self.photos, *more.photos)
        order = sorted(range(len(photos)), key=lambda row: (photos[row].label, photos[row].path))
        parts = (
            np.concatenate([self.views[view * len(self) :][: len(self)], more.views[view * len(more) :][: len(more)]])
            for view in range(len(self.view_ids))
        )
        views = np.concatenate([part[order] for part in parts])
        found = tuple(photos[row] for row in order)
        files = tuple(dict.fromkeys((*self.dataset.files, *more.dataset.files)))
        mine, its = self.extraction, other.extraction
        remarks = self.dataset.remarks
        if twice := in_two_classes([*_parted(self.photos, 0), *_parted(more.photos, 1)]):
            remarks = (*remarks, twice)
        source = f"{self.dataset.source} + {other.dataset.source}"
        return replace(
            self,
            dataset=replace(self.dataset, files=files, remarks=remarks, source=source),
            extraction=replace(
                mine,
                photos=found,
                matrix=views[: len(found)],
                skipped=(*mine.skipped, *its.skipped),
                truncated=mine.truncated | its.truncated,
            ),
            views=views,
            labels=(*self.labels, *(label for label in more.labels if label not in self.labels)),
        )

    @property
    def X(self) -> StoredMatrix:
        """`matrix`, by the name that it has for scikit-learn: (n, dim), of the same dtype."""
        return self.matrix

    @cached_property
    def y(self) -> npt.NDArray[np.str_]:
        """The names of the photos' classes, (n,)."""
        return np.array([photo.label for photo in self.photos], np.str_)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where each photo is."""
        return tuple(photo.path for photo in self.photos)

    @property
    def sha256s(self) -> tuple[str, ...]:
        """The SHA-256 of each photo's bytes."""
        return tuple(photo.sha256 for photo in self.photos)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all that determines a bottleneck but the photo: equal ones can be compared."""
        return self.extraction.fingerprint

    def to_frame(self) -> Any:
        """A DataFrame of pandas: path, sha256, label, split, and the bottleneck as an array. Needs pandas."""
        return pandas().DataFrame({**columns_of(self.photos), "bottleneck": list(self.matrix)})

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write them as a table, see `bottlenecks_file`; `Bottlenecks.read` has them back.

        An earlier table of bottlenecks is replaced; raises StoreError where something else is there, or the disk is
        full.
        """
        if os.path.lexists(path) and not is_table(path):
            raise StoreError(
                f"{os.fspath(path)} is not a table of bottlenecks, and would be replaced: choose another name."
            )
        try:
            write_table(path, self.origin, self.photos, self.views, self.view_ids)
        except OSError as error:
            raise StoreError(cannot_be_written(os.fspath(path), error)) from None

    @property
    def origin(self) -> dict[str, object]:
        """What a table of them says of where they come from, as plain JSON."""
        return {
            "backbone": plain_backbone(self.backbone),
            "labels": self.labels,
            "fingerprint": self.fingerprint,
            "widths": self.extraction.widths,
            "source": self.dataset.source,
            "reading": self.dataset.reading,
            "bottleneck_dir": os.path.abspath(self.config.local_dir),
            "view_ids": self.view_ids,
        }

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Bottlenecks":
        """What `to_parquet` wrote, without any photo or store. Raises DatasetError for what is no such file."""
        about, photos, views = read_table(path)
        files = tuple(PhotoFile(one.path, one.label, 0, 0, 0, one.split, gone_sha256=one.sha256) for one in photos)
        extraction = Extraction(
            photos, views[: len(photos)], (), len(photos), 0, 0, about["fingerprint"], {}, tuple(about["widths"])
        )
        return cls(
            opening.Dataset(files, source=about["source"], reading=about["reading"]),
            backbone_of(about["backbone"]),
            extraction,
            views,
            tuple(about["labels"]),
            ExtractionConfig(about["bottleneck_dir"]),
            tuple(about["view_ids"]),
        )

    @property
    def photos(self) -> tuple[Photo, ...]:
        """The photos that can be used; each has `path`, `label` and `sha256`."""
        return self.extraction.photos

    @property
    def matrix(self) -> StoredMatrix:
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

    def nearest(self, vectors: StoredMatrix, count: int = 10) -> Nearest:
        """The rows that are most like each of some vectors (m, dim), by the cosine: `rows` and `cosines` (m, count)."""
        return nearest(self.matrix, vectors, count)

    def split(self, config: SplitConfig = SplitConfig()) -> Division:
        """Divide the photos by their content, so that copies of one never lie on two sides.

        `splits[i]` of the result is the side of photo i: "training", "validation" or "testing"; or `folds[i]` its fold,
        where folds take turns. Copies in other bytes are looked for, too, unless photos are very many. A split that the
        source gives is kept.
        """
        require(config, SplitConfig, "config", "split", "SplitConfig(…), or Division.of_sides(…) for sides of your own")
        most = MOST_COMPARED if config.takes_turns(self.photos) else MOST_PHOTOS
        copies = find_near_copies(self.photos, self.matrix, self.config.local_dir, most)
        division = config.divide(self.photos, copies.positions)
        return replace(division, remarks=(*division.remarks, *copies.remarks))


def _parted(photos: Sequence[Photo], part: int) -> list[Photo]:
    return [replace(photo, part=part) for photo in photos]


def extract(
    dataset: Dataset,
    backbone: Backbone,
    config: ExtractionConfig = ExtractionConfig(),
    views: ViewsConfig = ViewsConfig(),
    *,
    executor: Executor | None = None,
    progress: Progress = SILENT,
    observe: Observe = not_observed,
) -> Bottlenecks:
    """The bottleneck of every photo, from the store where it has them; the others are computed by the `executor`.

    That is the one of `config`, unless another one is given.
    `views` asks for distorted views, too (docs/views.md). `progress` is told how it goes; `observe` how many photos are
    done, and of how many: where it returns False, the work ends with Stopped, and what was computed is kept. Raises
    OptionError, DatasetError if fewer than two classes have a photo that can be used, BackboneError, StoreError and
    GpuError.
    """
    require(dataset, Dataset, "dataset", "extract", f"Dataset.open({dataset if isinstance(dataset, str) else '…'!r})")
    require(backbone, Backbone, "backbone", "extract", "Backbone.find()")
    require(config, ExtractionConfig, "config", "extract", "ExtractionConfig(…)")
    require(views, ViewsConfig, "views", "extract", "ViewsConfig(…)")
    progress = observed(progress, observe)
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
    any_classes: bool = False,
) -> Bottlenecks:
    """The bottlenecks by a backbone in its precision, or in the CPU's if the GPU turns out to be of no use.

    `start` makes another engine than that of `config`. `labels` are the classes in their order, if it is another one
    than that of their names; those of which no photo can be used are said to be left out. There have to be two of them,
    unless `any_classes` will do.
    """
    try:
        backbone, extraction, matrix = extracted(dataset, backbone, config, views, progress, start, executor)
    finally:
        progress.finish()
    if remark := in_two_classes(extraction.photos):
        progress.say(remark)
    used = {photo.label for photo in extraction.photos}
    if labels is not None and not used.issuperset(labels):
        lost = ", ".join(sorted(set(labels) - used))
        progress.say(f"No photo of these classes can be used, they are left out: {lost}.")
    found = tuple(sorted(used) if labels is None else (label for label in labels if label in used))
    if not (any_classes or dataset.is_unlabelled):
        require_two_classes(found, dataset.source, extraction.skipped)
    view_ids = tuple(view.id for view in views.chosen)
    return Bottlenecks(dataset, backbone, extraction, matrix, found, config, view_ids, views)


def extracted(
    dataset: Dataset,
    backbone: Backbone,
    config: ExtractionConfig,
    views: ViewsConfig,
    progress: Progress,
    start: StartEngine | None = None,
    executor: Executor | None = None,
) -> tuple[Backbone, Extraction, StoredMatrix]:
    """The backbone that was used, what was found and computed, and the bottlenecks of all views (views * n, dim)."""
    start = start or partial(start_engine, engine=config.engine)

    def work(backbone: Backbone) -> tuple[Extraction, StoredMatrix]:
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

    backbone, (extraction, matrix) = config.with_cpu_fallback(backbone, work, progress)
    return backbone, extraction, matrix
