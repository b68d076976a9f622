"""One run of `retrain`, top to bottom: photos, bottlenecks, head, evaluation, export.

Interrupted, it goes on where it was with the same command: bottlenecks are kept as they come,
and outputs are renamed into place when they are complete and checked.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from label_image.terminal import shown
from retrain.backbones.backbone import Backbone
from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.bottlenecks import Bottlenecks, extract_with_fallback
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.extraction import Extraction
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.errors import OptionError
from retrain.core.progress import SILENT, Progress
from retrain.core.timing import timed
from retrain.exports.export_config import ExportConfig
from retrain.photos.dataset import Photo, PhotoFile
from retrain.photos.source import SourceConfig
from retrain.photos.split import Division, SplitConfig
from retrain.photos.views import ViewsConfig
from retrain.runs.steps import choose_backbone
from retrain.training.fitting.checkpoint import Checkpoint, Saved, check_checkpoint_path, read_checkpoint
from retrain.training.on_photos.timed_curve import Contender, TimedCurve
from retrain.training.recipe import HeadConfig
from retrain.training.train_head import training_origin
from retrain.training.trained import TrainedHead
from retrain.training.whole_training import train_and_measure

if TYPE_CHECKING:
    from retrain.exports.writer import Exported

COMPARISONS = ("scratch",)


@dataclass(frozen=True)
class TrainConfig:
    """What a run is asked to do: the configs of the rooms, and which of the further steps are taken.

    `fine_tune_layers`: let so many layers of the backbone learn too; `compare`: also train a small network from
    scratch. The state of the training is kept in `checkpoint_path`, by default beside the export; `resume` goes on
    from there.
    """

    source: SourceConfig
    split: SplitConfig = SplitConfig()
    backbone: BackboneConfig = BackboneConfig()
    extraction: ExtractionConfig = ExtractionConfig()
    views: ViewsConfig = ViewsConfig()
    head: HeadConfig = HeadConfig()
    export: ExportConfig = ExportConfig()
    fine_tune_layers: int | Literal["all"] | None = None
    compare: str | None = None
    checkpoint_path: Path | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        if self.compare is not None and self.compare not in COMPARISONS:
            raise OptionError(f"`compare` {self.compare} is not known: give one of {', '.join(COMPARISONS)}.")
        if self.split.folds and self._trains_a_network:
            option = "`compare`" if self.fine_tune_layers is None else "`fine_tune_layers`"
            raise OptionError(f"{option} trains a network, once, and `folds` would train one for each: leave one out.")

    @property
    def checkpoint(self) -> Path:
        """Where the state of the training is kept."""
        output_dir = self.export.output_dir
        return self.checkpoint_path or output_dir.with_name(f"{output_dir.name}.checkpoint.npz")

    @property
    def how_to_split(self) -> SplitConfig:
        """As asked for; where nothing is, heads by mini-batches and trainings of the network get one split."""
        in_one_fit = self.head.chosen_optimizer == "lbfgs" and not self._trains_a_network
        return self.split if in_one_fit or self.split.folds else self.split.one_split

    @property
    def _trains_a_network(self) -> bool:
        return self.fine_tune_layers is not None or self.compare is not None

    def check(self, beside: Mapping[str, Path | None] | None = None) -> None:
        """Refuse, before any work, what cannot be done or written; `beside` are other outputs, by their options.

        Raises OptionError or ExportError.
        """
        kept = {
            "`bottleneck_dir`": self.extraction.local_dir,
            "`model_dir`": self.backbone.model_dir,
            "`checkpoint_path`": self.checkpoint_path,
        }
        image_dir, *added = self.source.places
        self.export.check(image_dir, kept, beside or {}, added)
        check_checkpoint_path(self.checkpoint)
        if self.compare is not None:
            from retrain.training.on_photos.curves import check_matplotlib

            check_matplotlib()


@dataclass(frozen=True)
class Run:
    """Everything that a run found out and made."""

    config: TrainConfig
    trained: TrainedHead
    exported: "Exported"
    seconds: Mapping[str, float] = field(default_factory=dict)
    contenders: tuple[Contender, ...] = ()  # the models that `compare` compared
    reports: tuple[Path, ...] = ()  # what was written about it

    @property
    def written(self) -> tuple[Path, ...]:
        """Everything that was written."""
        return (*self.exported.written, *self.reports)

    @property
    def backbone(self) -> Backbone:
        """The backbone of the model."""
        return self.trained.bottlenecks.backbone

    @property
    def extraction(self) -> Extraction:
        """The photos with their bottlenecks, and how these came about."""
        return self.trained.bottlenecks.extraction

    @property
    def division(self) -> Division:
        """How the photos were split."""
        return self.trained.division

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.trained.labels

    def summary(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "output_dir": str(self.config.export.output_dir),
            "classes": list(self.labels),
            "photos": {
                "used": len(self.extraction.photos),
                "skipped": len(self.extraction.skipped),
                "gone": self.trained.bottlenecks.gone,
            },
            "bottlenecks": {
                "hits": self.extraction.hits,
                "computed": self.extraction.computed,
                "set_aside": self.extraction.set_aside,
            },
            "validation": self.trained.validation.headline(),
            "test": self.trained.test.headline(),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }


def run_training(
    config: TrainConfig,
    progress: Progress = SILENT,
    start: StartEngine | None = None,
    measured: Callable[[TrainedHead], None] = lambda trained: None,
) -> Run:
    """Train, evaluate and export; `start` makes another engine than that of `config`.

    `measured` is told of the head before its export is written and proven, which takes longer than all else.
    Raises a RetrainError for whatever a user can cause.
    """
    began = time.perf_counter()
    seconds: dict[str, float] = {}
    config.check()
    config.extraction.look_for_gpu(progress)
    if config.head.remark is not None:
        progress.say(config.head.remark)
    saved = _saved_state(config, progress)
    embed, backbone = _prepare(config, progress, start)
    bottlenecks = embed(backbone)
    _refuse_gone(config, bottlenecks.photos)
    division = bottlenecks.split(config.how_to_split)
    for remark in division.remarks:
        progress.say(remark)
    _check_more_training(config, bottlenecks.backbone, division)
    curve = TimedCurve(time.perf_counter() - began, progress.training)
    origin = training_origin(bottlenecks, division, config.head)
    if saved is not None:
        saved.require(origin)
    checkpoint = Checkpoint(config.checkpoint, origin, saved.states if saved else None)
    further = _Further(config, curve, origin, embed, progress, seconds)
    trained = train_and_measure(
        bottlenecks,
        division,
        config.head,
        config.views.tta,
        observe=curve,
        checkpoint=checkpoint,
        further=further,
        start=start,
        seconds=seconds,
    )
    measured(trained)
    with timed(seconds, "export"):
        # Everything up to here works without TensorFlow when the cache is warm.
        from retrain.exports.writer import write_outputs

        exported = write_outputs(trained, config.export, progress, further.notes, further.files)
    if config.head.chosen_optimizer == "lbfgs":
        checkpoint.remove()  # nothing can follow
    seconds = {**trained.bottlenecks.extraction.seconds, **seconds, "total": time.perf_counter() - began}
    return Run(config, trained, exported, seconds, further.contenders)


@dataclass
class _Further:
    """What else a run trains before its head is calibrated, and what the export is to say and to hold of it."""

    config: TrainConfig
    curve: TimedCurve
    origin: Mapping[str, object]
    embed: Callable[[Backbone], Bottlenecks]
    progress: Progress
    seconds: dict[str, float]
    notes: dict[str, object] = field(default_factory=dict)
    contenders: tuple[Contender, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, trained: TrainedHead) -> TrainedHead:
        """The model to go on with."""
        config = self.config
        if config.compare == "scratch":
            with timed(self.seconds, "scratch"):
                from retrain.runs.compare_scratch import compare_with_scratch

                self.contenders, self.files = compare_with_scratch(trained, self.curve, self.origin, self.progress)
        if config.fine_tune_layers is not None:
            with timed(self.seconds, "fine_tuning"):
                from retrain.runs.fine_tune import FineTuning, fine_tune_and_choose

                asked = FineTuning(config.fine_tune_layers, config.backbone.model_dir, config.head, config.views.tta)
                trained, self.notes = fine_tune_and_choose(trained, asked, self.origin, self.embed, self.progress)
        return trained


def _prepare(
    config: TrainConfig, progress: Progress, start: StartEngine | None
) -> tuple[Callable[[Backbone], Bottlenecks], Backbone]:
    """What gives the bottlenecks of the run's photos by a backbone, and the backbone that was asked for."""
    dataset, labels = config.source.open_named(config.extraction.local_dir, progress)
    if not config.source.add_images:  # else the photos that are gone may be among those that are added
        _refuse_gone(config, dataset.files)
    backbone = choose_backbone(config.backbone, config.extraction, progress)
    _check_more_training(config, backbone)

    def embed(backbone: Backbone) -> Bottlenecks:
        return extract_with_fallback(dataset, backbone, config.extraction, config.views, progress, start, labels=labels)

    return embed, backbone


def _refuse_gone(config: TrainConfig, photos: Sequence[PhotoFile | Photo]) -> None:
    """Refuse what trains on pixels where photos are gone. Raises OptionError."""
    asked = {"`fine_tune_layers`": config.fine_tune_layers, f"`compare` {config.compare}": config.compare}
    option = next((option for option, value in asked.items() if value is not None), None)
    gone = [photo.path for photo in photos if photo.gone] if option else []
    if gone:
        raise OptionError(
            f"{option} needs the pixels of all photos, and {len(gone):,} of them are gone (the first: "
            f"{shown(gone[0])}): leave it out, or add the photos with `add_images`."
        )


def _check_more_training(config: TrainConfig, backbone: Backbone, division: Division | None = None) -> None:
    """Refuse fine-tuning and comparison where the backbone or the split does not allow them. Raises OptionError."""
    if config.fine_tune_layers is not None:
        from retrain.training.on_photos.fine_tune import check_fine_tuning

        check_fine_tuning(backbone, division)
    if config.compare is not None and division is not None:
        from retrain.training.on_photos.sides import check_sides

        check_sides(division, f"`compare` {config.compare}")


def _saved_state(config: TrainConfig, progress: Progress) -> Saved | None:
    """The checkpoint to go on from, if that is asked for and there is one."""
    if not config.resume:
        return None
    saved = read_checkpoint(config.checkpoint)
    if saved is None:
        progress.say(f"There is no checkpoint {config.checkpoint} yet: the training starts from the beginning.")
    return saved
