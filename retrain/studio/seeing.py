"""What a backbone sees in the photos of a folder, labelled or not: computed while they arrive, kept in the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeVar

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.backbone_config import BackboneConfig
from retrain.backbones.engines.base import Engine
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.extraction import Extraction, extract
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.progress import SILENT, Progress
from retrain.photos.dataset import Dataset, check_class_names
from retrain.runs.steps import choose_backbone
from retrain.studio.listing import Listing

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Seen:
    """The photos of a listing that can be used, and the vector of each: those without a label have the label ""."""

    listing: Listing
    extraction: Extraction
    backbone: Backbone

    @cached_property
    def unlabelled(self) -> Sequence[int]:
        """The rows of the extraction whose photos wait for a label."""
        return [row for row, photo in enumerate(self.extraction.photos) if not photo.label]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes that have a photo which can be used, sorted."""
        return tuple(sorted({photo.label for photo in self.extraction.photos if photo.label}))

    def labelled(self, config: ExtractionConfig) -> Bottlenecks | None:
        """The photos that have a label, to train on; None with fewer than two classes.

        Their order is that of the listing. Raises DatasetError for names of classes that cannot be told apart.
        """
        if len(self.classes) < 2:
            return None
        check_class_names(self.classes)
        files = tuple(photo.file for photo in self.listing.photos if photo.label is not None)
        paths = {file.path for file in files}
        rows = np.array([row for row, photo in enumerate(self.extraction.photos) if photo.label], np.intp)
        photos = tuple(self.extraction.photos[row] for row in rows)
        extraction = replace(
            self.extraction,
            photos=photos,
            matrix=np.ascontiguousarray(self.extraction.matrix[rows], np.float32),
            skipped=tuple(one for one in self.extraction.skipped if one.path in paths),
            truncated=self.extraction.truncated.intersection(photo.sha256 for photo in photos),
        )
        dataset = Dataset(files, source=str(self.listing.folder))
        return Bottlenecks(dataset, self.backbone, extraction, extraction.matrix, self.classes, config)


class Eye:
    """A backbone that looks at photos, with one engine for as long as it lives, started when it is first needed.

    To be called by one thread. What it has seen is in the ordinary store: a kill loses the last seconds at most.
    """

    def __init__(
        self, backbone: BackboneConfig, extraction: ExtractionConfig, start: StartEngine | None = None
    ) -> None:
        self.config = extraction
        self._asked = backbone
        self._start = start or partial(start_engine, engine=extraction.engine)
        self._backbone: Backbone | None = None
        self._engines: dict[Backbone, Engine] = {}
        self._last: Seen | None = None

    def open(self, progress: Progress = SILENT) -> Backbone:
        """The backbone, whose weights are looked for at the first call. Raises BackboneError and the like."""
        if self._backbone is None:
            self.config.look_for_gpu(progress)
            self._backbone = choose_backbone(self._asked, self.config, progress)
        return self._backbone

    def see(self, listing: Listing, progress: Progress = SILENT) -> Seen:
        """The bottlenecks of all photos of a listing; only those that the store lacks are computed.

        Photos that cannot be used are in `extraction.skipped`, with the reason. One that has vanished or changed since
        it was listed is in neither: the next listing tells. Raises StoreError, BackboneError and GpuError.
        """
        if self._last is not None and self._last.listing.version == listing.version and not self.config.paranoid:
            return replace(self._last, listing=listing)
        dataset = Dataset(tuple(photo.file for photo in listing.photos), source=str(listing.folder))

        def work(backbone: Backbone) -> Extraction:
            return extract(
                dataset,
                backbone,
                self.config.bottleneck_dir,
                start=self._engine,
                paranoid=self.config.paranoid,
                observe=progress.extracting(len(dataset.files)),
                accept_truncated=self.config.accept_truncated,
            )

        try:
            backbone, extraction = self._use(work, progress)
        finally:
            progress.finish()
        file_of = {file.path: file for file in dataset.files}
        # A photo that cannot be used, and is not the file that was listed any more, is looked at again.
        skipped = tuple(one for one in extraction.skipped if file_of[one.path].is_unchanged())
        seen = Seen(listing, replace(extraction, skipped=skipped), backbone)
        self._last = seen if len(skipped) == len(extraction.skipped) else None
        return seen

    def _use(self, work: Callable[[Backbone], Found], progress: Progress) -> tuple[Backbone, Found]:
        """`work(backbone)`; from where a GPU turns out to be of no use, by the backbone of the CPU."""
        self._backbone, found = self.config.with_cpu_fallback(self.open(progress), work, progress)
        return self._backbone, found

    def _engine(self, backbone: Backbone) -> Engine:
        if backbone not in self._engines:
            self._engines[backbone] = self._start(backbone)
        return self._engines[backbone]
