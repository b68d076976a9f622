"""`retrain features`: the bottlenecks of a data set as one Parquet file, with paths, classes and sides.

What is missing is computed first, and kept in the store: interrupt it and run the same command again, it goes on. The
file appears when it is whole; one that was there and differs is moved aside.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.bottlenecks_file import write_table
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.extraction import Extraction
from retrain.core.errors import ExportError, OptionError
from retrain.core.outputs import cannot_be_written, check_file, check_outside, place, temporary_beside
from retrain.core.progress import SILENT, Progress
from retrain.runs.embedding import EmbeddingConfig, embed

SUFFIX = ".parquet"


@dataclass(frozen=True)
class FeaturesConfig:
    """Which bottlenecks become the file `output`."""

    photos: EmbeddingConfig
    output: Path

    def __post_init__(self) -> None:
        suffix = self.output.suffix
        if suffix.lower() not in ("", SUFFIX):  # other programs would take it for what its name says
            other = self.output.with_suffix(SUFFIX).name
            raise OptionError(
                f"`output` {self.output} has the name of a {suffix.lower()} file, and will be one of Parquet: "
                f"call it {other}."
            )
        for source in filter(os.path.isdir, self.photos.sources):  # which the next run would read as the table
            check_outside(Path(source), {"`output`": self.output}, "the folder of photos")
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
        found = self.extraction
        return {
            "output": str(self.output),
            "kept": None if self.kept is None else str(self.kept),
            "architecture": self.architecture,
            "fingerprint": found.fingerprint,
            "photos": {"used": len(found.photos), "skipped": len(found.skipped)},
            "labels": list(self.labels),
            "rows": self.rows,
            "dim": found.matrix.shape[1],
            "bottlenecks": {"hits": found.hits, "computed": found.computed, "set_aside": found.set_aside},
            "seconds": round(self.seconds, 3),
        }


def run_features(config: FeaturesConfig, progress: Progress = SILENT, start: StartEngine | None = None) -> Features:
    """Write the bottlenecks of all photos; `start` makes another engine than that of `config`.

    Raises a RetrainError for whatever a user can cause.
    """
    began = time.perf_counter()
    bottlenecks = embed(config.photos, progress, start)
    try:
        kept = _written(config, bottlenecks, progress)
    finally:
        progress.finish()
    rows, seconds = len(bottlenecks.views), time.perf_counter() - began
    architecture, found = bottlenecks.backbone.architecture, bottlenecks.extraction
    return Features(config.output, kept, architecture, found, bottlenecks.labels, rows, seconds)


def _written(config: FeaturesConfig, bottlenecks: Bottlenecks, progress: Progress) -> Path | None:
    """Where an earlier file is now, that the new one takes the place of."""
    photos, views, view_ids = bottlenecks.photos, bottlenecks.views, bottlenecks.view_ids
    with temporary_beside(config.output) as folder:
        new = folder / config.output.name
        try:
            write_table(new, bottlenecks.origin, photos, views, view_ids, progress.writing(len(views)))
            return place(new, config.output)
        except OSError as error:
            raise ExportError(cannot_be_written(f"`output` {config.output}", error)) from error
