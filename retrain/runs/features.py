"""`retrain features`: the bottlenecks of a data set as one Parquet file, with paths, classes and sides.

What is missing is computed first, and kept in the store: interrupt it and run the same command again, it goes on. The
file appears when it is whole; one that was there and differs is moved aside.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from retrain.backbones.backbone import Backbone
from retrain.backbones.backbone_config import BackboneConfig
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.executors.registry import find_executor
from retrain.bottlenecks.extraction import Extraction, extract_views
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.bottlenecks.feature_table import write_feature_table
from retrain.core.errors import DatasetError, ExportError
from retrain.core.matrix_file import Matrix
from retrain.core.outputs import check_file, place, temporary_beside
from retrain.core.progress import SILENT, Progress
from retrain.photos.adding import joined
from retrain.photos.dataset import Dataset
from retrain.photos.layouts.reading import Layout
from retrain.photos.opening import read_source, unpacking_beside
from retrain.photos.views import ViewsConfig
from retrain.runs.steps import choose_backbone


@dataclass(frozen=True)
class FeaturesConfig:
    """Whose bottlenecks become the file `output`: `sources` are whatever `image_dir` takes, classes or none."""

    sources: Sequence[Path | str]
    output: Path
    backbone: BackboneConfig = BackboneConfig()
    extraction: ExtractionConfig = ExtractionConfig()
    views: ViewsConfig = ViewsConfig()
    layout: Layout = "auto"
    source_dir: Path | None = None

    def __post_init__(self) -> None:
        check_file(self.output, "`output`")


@dataclass(frozen=True)
class Features:
    """What was written; `kept` is where a file that was there before is now."""

    output: Path
    kept: Path | None
    architecture: str
    extraction: Extraction
    labels: tuple[str, ...]
    rows: int
    seconds: float

    def summary(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "output": str(self.output),
            "kept": None if self.kept is None else str(self.kept),
            "architecture": self.architecture,
            "fingerprint": self.extraction.fingerprint,
            "photos": {"used": len(self.extraction.photos), "skipped": len(self.extraction.skipped)},
            "labels": list(self.labels),
            "rows": self.rows,
            "dim": self.extraction.matrix.shape[1],
            "bottlenecks": {
                "hits": self.extraction.hits,
                "computed": self.extraction.computed,
                "set_aside": self.extraction.set_aside,
            },
            "seconds": round(self.seconds, 3),
        }


def run_features(config: FeaturesConfig, progress: Progress = SILENT, start: StartEngine | None = None) -> Features:
    """Write the bottlenecks of all photos; `start` makes another engine than that of `config`.

    Raises a RetrainError for whatever a user can cause.
    """
    began = time.perf_counter()
    config.extraction.look_for_gpu(progress)
    dataset = _listed(config, progress)
    for remark in dataset.told() if any(dataset.labels) else dataset.remarks:
        progress.say(remark)
    backbone = choose_backbone(config.backbone, config.extraction, progress)
    try:
        backbone, (extraction, views) = config.extraction.with_cpu_fallback(
            backbone, lambda one: _extracted(config, dataset, one, progress, start), progress
        )
        if not extraction.photos:
            raise DatasetError(_nothing(config, extraction))
        kept = _written(config, backbone, extraction, views, progress)
    finally:
        progress.finish()
    labels = tuple(sorted({photo.label for photo in extraction.photos if photo.label}))
    seconds = time.perf_counter() - began
    return Features(config.output, kept, backbone.architecture, extraction, labels, len(views), seconds)


def _listed(config: FeaturesConfig, progress: Progress) -> Dataset:
    """The photos of all sources. Those of a folder that holds nothing but photos have no class."""
    extraction = config.extraction
    unpacking = unpacking_beside(
        extraction.local_dir, extraction.paranoid, config.layout, config.source_dir, progress=progress
    )
    unpacking = replace(unpacking, class_name="")
    found = joined([(str(source), read_source(str(source), unpacking)) for source in config.sources])
    return replace(found, files=tuple(sorted(found.files, key=lambda file: (file.label, file.path))))


def _extracted(
    config: FeaturesConfig, dataset: Dataset, backbone: Backbone, progress: Progress, start: StartEngine | None
) -> tuple[Extraction, Matrix]:
    extraction = config.extraction
    return extract_views(
        dataset,
        backbone,
        extraction.bottleneck_dir,
        config.views.chosen,
        start=start or partial(start_engine, engine=extraction.engine),
        observe=lambda view: progress.extracting(len(dataset.files)),
        paranoid=extraction.paranoid,
        executor=find_executor(extraction),
        accept_truncated=extraction.accept_truncated,
        say=progress.say,
    )


def _written(
    config: FeaturesConfig, backbone: Backbone, extraction: Extraction, views: Matrix, progress: Progress
) -> Path | None:
    """Where an earlier file is now, that the new one takes the place of."""
    about = {
        "architecture": backbone.architecture,
        "fingerprint": extraction.fingerprint,
        "input_size": backbone.input_size,
    }
    progress.finish()
    with temporary_beside(config.output) as folder:
        new = folder / config.output.name
        view_ids = [view.id for view in config.views.chosen]
        try:
            write_feature_table(new, extraction.photos, views, view_ids, about, progress.writing(len(views)))
            return place(new, config.output)
        except OSError as error:
            raise ExportError(f"`output` {config.output} cannot be written: {error.strerror}.") from error


def _nothing(config: FeaturesConfig, extraction: Extraction) -> str:
    where = ", ".join(map(str, config.sources))
    if not extraction.skipped:
        return f"There are no photos in {where}: check DATA."
    one = extraction.skipped[0]
    return f"None of the files in {where} can be used; {one.path}, for one, {one.reason}."
