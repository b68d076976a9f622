"""The report of the studio's model: the page of `retrain --report`, kept beside the photos.

Its name holds a digest of the manifest that it is about, so that it is known whose it is, also by a studio that is
started again. It may be deleted at any time.
"""

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from label_image.files import reason_of
from label_image.terminal import shown
from retrain.core.errors import ExportError
from retrain.core.progress import SILENT, Progress
from retrain.exports.export_config import ExportConfig
from retrain.photos.source import SourceConfig
from retrain.runs.train import Run, TrainConfig
from retrain.studio.config import StudioConfig
from retrain.training.trained import TrainedHead

STUDIO = ".studio"


def report_path(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Where the report of a model is, or would be, by its manifest without proofs."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:12]
    return folder / STUDIO / f"report-{digest}.html"


def write_report(
    trained: TrainedHead, config: StudioConfig, manifest: Mapping[str, Any], path: Path, progress: Progress = SILENT
) -> None:
    """Write the report of a head whose export has this manifest, and remove those of others. Raises ExportError."""
    from retrain.exports.writer import Exported
    from retrain.insight.doctor.diagnose import diagnose
    from retrain.insight.report.page import write_report as write_page

    progress.say("Examining the photos for the report …")
    extraction, backbone = trained.bottlenecks.extraction, trained.bottlenecks.backbone
    observe = progress.examining(len(extraction.photos))
    kept_in = config.extraction.local_dir
    diagnosis = diagnose(extraction, None, backbone.input_size, trained.division.seed, observe, trained, kept_in)
    progress.say("Writing the report …")
    asked = TrainConfig(
        SourceConfig(config.folder),
        backbone=config.backbone,
        extraction=config.extraction,
        export=ExportConfig(config.output_dir),
    )
    run = Run(asked, trained, Exported(config.output_dir, (config.output_dir,), manifest), extraction.seconds)
    try:
        path.parent.mkdir(exist_ok=True)
        for other in path.parent.glob("report-*.html"):
            other.unlink()
    except OSError as error:
        raise ExportError(f"{path.parent} cannot be written to ({reason_of(error)}).") from None
    write_page(path, run, f"retrain studio {shown(shlex.quote(str(config.folder)))}", diagnosis)
