"""Bottlenecks of photos that may have no classes: what `retrain features` and `retrain similar` begin with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retrain.backbones.backbone import Backbone
from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.bottlenecks import Bottlenecks, extracted
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.extraction import Extraction
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.errors import DatasetError
from retrain.core.progress import SILENT, Progress
from retrain.photos.adding import joined
from retrain.photos.dataset import Dataset
from retrain.photos.layouts.reading import Layout
from retrain.photos.opening import read_source, unpacking_beside
from retrain.photos.views import ViewsConfig
from retrain.runs.steps import choose_backbone


@dataclass(frozen=True)
class EmbeddingConfig:
    """Whose bottlenecks, and by which network: `sources` are whatever `image_dir` takes, classes or none."""

    sources: Sequence[Path | str]
    backbone: BackboneConfig = BackboneConfig()
    extraction: ExtractionConfig = ExtractionConfig()
    views: ViewsConfig = ViewsConfig()
    layout: Layout = "auto"
    source_dir: Path | None = None


def embed(config: EmbeddingConfig, progress: Progress = SILENT, start: StartEngine | None = None) -> Bottlenecks:
    """The bottlenecks of all photos; `start` makes another engine than that of `config`.

    Raises a RetrainError for whatever a user can cause.
    """
    config.extraction.look_for_gpu(progress)
    dataset = _listed(config, progress)
    for remark in dataset.told() if any(dataset.labels) else dataset.remarks:
        progress.say(remark)
    backbone = choose_backbone(config.backbone, config.extraction, progress)
    try:
        return embed_files(dataset, backbone, config, progress, start)
    finally:
        progress.finish()


def embed_files(
    dataset: Dataset, backbone: Backbone, config: EmbeddingConfig, progress: Progress, start: StartEngine | None = None
) -> Bottlenecks:
    """The bottlenecks of photos that were listed. Raises DatasetError where none can be used."""
    backbone, found, views = extracted(dataset, backbone, config.extraction, config.views, progress, start)
    if not found.photos:
        raise DatasetError(_nothing(dataset, found))
    labels = tuple(sorted({photo.label for photo in found.photos if photo.label}))
    view_ids = tuple(view.id for view in config.views.chosen)
    return Bottlenecks(dataset, backbone, found, views, labels, config.extraction, view_ids, config.views)


def _listed(config: EmbeddingConfig, progress: Progress) -> Dataset:
    """The photos of all sources. Those of a folder that holds nothing but photos have no class."""
    extraction = config.extraction
    unpacking = unpacking_beside(
        extraction.local_dir, extraction.paranoid, config.layout, config.source_dir, progress=progress
    )
    unpacking = replace(unpacking, class_name="")
    found = joined([(str(source), read_source(str(source), unpacking)) for source in config.sources])
    files = tuple(sorted(found.files, key=lambda file: (file.label, file.path)))
    return replace(found, files=files, source=", ".join(map(str, config.sources)))


def _nothing(dataset: Dataset, extraction: Extraction) -> str:
    if not extraction.skipped:
        return f"There are no photos in {dataset.source}: check DATA."
    one = extraction.skipped[0]
    if dataset.source == one.path:  # a file that was named, and no source that holds files
        return f"{one.path} {one.reason}."
    return f"None of the files in {dataset.source} can be used; {one.path}, for one, {one.reason}."
