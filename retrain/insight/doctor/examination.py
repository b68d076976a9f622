"""`retrain doctor`: from what is asked for to what was found."""

from dataclasses import dataclass, replace

from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.bottlenecks import extract_with_fallback
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.progress import SILENT, Progress
from retrain.insight.doctor.diagnose import diagnose
from retrain.insight.doctor.findings import Diagnosis
from retrain.photos.source import SourceConfig
from retrain.photos.split import SplitConfig
from retrain.runs.steps import choose_backbone


@dataclass(frozen=True)
class DoctorConfig:
    """Which photos are examined, as which backbone sees them. The split tells copies on two sides of it."""

    source: SourceConfig
    split: SplitConfig = SplitConfig()
    backbone: BackboneConfig = BackboneConfig()
    extraction: ExtractionConfig = ExtractionConfig()


def examine(config: DoctorConfig, progress: Progress = SILENT, start: StartEngine | None = None) -> Diagnosis:
    """Examine the photos of a source; `start` makes another engine than that of `config`.

    Raises a RetrainError for whatever a user can cause.
    """
    config.extraction.look_for_gpu(progress)
    dataset, _ = config.source.open_named(config.extraction.local_dir, progress)
    backbone = choose_backbone(config.backbone, config.extraction, progress)
    bottlenecks = extract_with_fallback(dataset, backbone, config.extraction, progress=progress, start=start)
    # Folds are no sides, so that the copies that they keep together need not be looked for here.
    in_folds = config.split.takes_turns(bottlenecks.photos)
    division = config.split.divide(bottlenecks.photos) if in_folds else bottlenecks.split(config.split)
    progress.say("Looking at each photo once …")
    sides = division.splits if division.folds is None else None
    observe = progress.examining(len(bottlenecks.photos))
    kept_in = config.extraction.local_dir
    diagnosis = diagnose(
        bottlenecks.extraction, sides, backbone.input_size, config.split.seed, observe, kept_in=kept_in
    )
    return replace(diagnosis, roots=dataset.roots)
