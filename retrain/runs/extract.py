"""`retrain extract`: the bottlenecks of very many photos, a portion after the other, for those who train later.

No more is held than a portion of the files, and what the store and its side table know (docs/extract.md). Interrupt it
and run the same command again: it goes on where it was.
"""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from retrain.backbones.backbone import Backbone
from retrain.backbones.backbone_config import BackboneConfig
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.calibrating import calibrated
from retrain.bottlenecks.executors.base import Session, StartEngine
from retrain.bottlenecks.executors.registry import find_executor
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.bottlenecks.filled import Filled, fill_store
from retrain.core.errors import DatasetError, OptionError
from retrain.core.places import place_of
from retrain.core.progress import SILENT, Progress
from retrain.photos.dataset import PhotoFile, Skipped
from retrain.photos.left_out import counted
from retrain.photos.opening import unpacking_beside
from retrain.photos.portion_hashes import Stretches
from retrain.photos.portions import in_portions
from retrain.photos.views import ViewsConfig
from retrain.runs.steps import choose_backbone

PORTION = 100_000  # files
PORTION_OF_CLUSTER = 500_000  # its workers are started anew for each portion
EXAMPLES = 10  # of what is skipped


@dataclass(frozen=True)
class ExtractConfig:
    """Whose bottlenecks are computed: `sources` are whatever `image_dir` takes, `portion` files of them at a time.

    Without a `portion` it is one of 100,000 files, and on a cluster of 500,000.
    """

    sources: tuple[Path | str, ...]
    backbone: BackboneConfig = BackboneConfig()
    extraction: ExtractionConfig = ExtractionConfig()
    views: ViewsConfig = ViewsConfig()
    source_dir: Path | None = None
    portion: int | None = None

    def __post_init__(self) -> None:
        if not self.sources:
            raise OptionError("`sources` names no photos: give at least one folder, table, archive or address.")
        if self.portion is not None and self.portion < 1:
            raise OptionError(f"`portion` {self.portion} is not a number of files: give 1 or more.")

    @property
    def files_at_a_time(self) -> int:
        """How many files a portion has."""
        return self.portion or (PORTION_OF_CLUSTER if self.extraction.executor == "ray" else PORTION)


@dataclass
class Extracted:
    """What a run did. `hits` and `computed` count the bottlenecks of all views; `skipped` files by their reasons."""

    architecture: str
    photos: int = 0
    hits: int = 0
    computed: int = 0
    set_aside: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: list[Skipped] = field(default_factory=list)
    fingerprints: dict[str, None] = field(default_factory=dict)
    seconds: float = 0.0
    stretches: Stretches = field(default_factory=dict)

    def summary(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "architecture": self.architecture,
            "photos": {"used": self.photos, "skipped": sum(self.skipped.values())},
            "bottlenecks": {"hits": self.hits, "computed": self.computed, "set_aside": self.set_aside},
            "fingerprints": list(self.fingerprints),
            "skipped": dict(self.skipped.most_common()),
            "seconds": round(self.seconds, 3),
        }

    def skip(self, items: Sequence[Skipped]) -> None:
        """Count what is not used."""
        self.skipped.update(counted(item.reason for item in items))
        self.examples += items[: EXAMPLES - len(self.examples)]

    def count(self, filled: Filled, first: bool) -> None:
        """Count what became of one view of a portion by one network; `first` of its views and networks."""
        if first:
            self.photos += filled.photos
            self.skip(filled.skipped)
        self.computed += filled.computed
        self.hits += filled.photos - filled.computed
        self.set_aside += filled.set_aside
        self.fingerprints[filled.fingerprint] = None


def run_extraction(config: ExtractConfig, progress: Progress = SILENT, start: StartEngine | None = None) -> Extracted:
    """Compute all bottlenecks that the store lacks; `start` makes another engine than that of `config`.

    Raises a RetrainError for whatever a user can cause.
    """
    began = time.perf_counter()
    config.extraction.look_for_gpu(progress)
    backbone = choose_backbone(config.backbone, config.extraction, progress)
    try:
        _, extracted = config.extraction.with_cpu_fallback(
            backbone, lambda backbone: _extracted(config, backbone, progress, start), progress
        )
    finally:
        progress.finish()
    if not extracted.photos:
        raise DatasetError(_nothing(config, extracted))
    extracted.seconds = time.perf_counter() - began
    return extracted


def _extracted(config: ExtractConfig, backbone: Backbone, progress: Progress, start: StartEngine | None) -> Extracted:
    extraction = config.extraction
    extracted = Extracted(backbone.architecture)
    unpacking = unpacking_beside(
        extraction.local_dir, extraction.paranoid, source_dir=config.source_dir, progress=progress
    )
    start = start or partial(start_engine, engine=extraction.engine)
    executor = find_executor(extraction)
    sessions: list[tuple[Backbone, Session]] = []
    with ExitStack() as stack:
        listed = 0
        for portion in in_portions(config.sources, unpacking, config.files_at_a_time):
            if listed or len(portion) == config.files_at_a_time:
                progress.say(f"Files {listed + 1:,} to {listed + len(portion):,}.")
            listed += len(portion)
            extracted.skip(portion.skipped)
            if not sessions:  # a network in int8 is calibrated on photos of the first portion
                place = place_of(extraction.bottleneck_dir)
                parts = [calibrated(part, portion.files, place, progress.say) for part in backbone.parts or (backbone,)]
                sessions = [(part, stack.enter_context(executor.open(part, start))) for part in parts]
            _fill(portion.files, sessions, config, progress, extracted)
    return extracted


def _fill(
    files: Sequence[PhotoFile],
    sessions: Sequence[tuple[Backbone, Session]],
    config: ExtractConfig,
    progress: Progress,
    extracted: Extracted,
) -> None:
    """Every view of a portion's photos, by every network."""
    first = True
    for part, session in sessions:
        for view in config.views.chosen:
            filled = fill_store(
                files,
                part,
                place_of(config.extraction.bottleneck_dir),
                view,
                session,
                extracted.stretches,
                paranoid=config.extraction.paranoid and first,  # which leaves hashes that can be trusted
                observe=progress.extracting(len(files)),
                accept_truncated=config.extraction.accept_truncated,
            )
            progress.finish()
            extracted.count(filled, first)
            first = False


def _nothing(config: ExtractConfig, extracted: Extracted) -> str:
    where = ", ".join(map(str, config.sources))
    if not extracted.examples:
        return f"There are no photos in {where}: check DATA."
    one = extracted.examples[0]
    return f"None of the files in {where} can be used; {one.path}, for one, {one.reason}."
