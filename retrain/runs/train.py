"""One run of `retrain`, top to bottom: photos, bottlenecks, head, evaluation, export.

Interrupted, it goes on where it was with the same command: bottlenecks are kept as they come,
and outputs are renamed into place when they are complete and checked.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from retrain.backbones.backbone import Backbone, Weights, find_backbone
from retrain.backbones.engines.base import Engine, start_engine
from retrain.backbones.registry import DEFAULT_ARCHITECTURE
from retrain.bottlenecks.extraction import Extraction, extract, extract_views
from retrain.cli.output_options import check_outputs
from retrain.core.blas import threads_for
from retrain.core.errors import GpuError, OptionError
from retrain.core.machine import choose_engine, choose_precision, do_without_gpu, gpu_remark, has_gpu, require_gpu
from retrain.exports.names import FORMATS
from retrain.photos.category_names import display_names, read_category_names, rename_classes
from retrain.photos.dataset import Dataset, require_two_classes
from retrain.photos.opening import open_dataset as open_source
from retrain.photos.split import Division, split_photos
from retrain.training.confidence import with_confidence
from retrain.training.fitting.checkpoint import Checkpoint, Saved, check_checkpoint_path, read_checkpoint
from retrain.training.fitting.sample import Matrix
from retrain.training.head import Progress
from retrain.training.on_photos.timed_curve import TimedCurve
from retrain.training.train_head import Trained as Trained
from retrain.training.train_head import recipe_of, train_head, training_origin, views_asked

if TYPE_CHECKING:
    from retrain.training.on_photos.keras_training import EpochProgress

Result = TypeVar("Result")


@dataclass(frozen=True)
class Options:
    """What a run is asked to do; the command line's options, with its defaults."""

    image_dir: Path
    max_images_per_class: int | None = None
    fixes: Path | None = None
    category_names: Path | None = None
    output_dir: Path = Path("tf_files/model")
    formats: tuple[str, ...] = FORMATS
    bottleneck_dir: Path = Path("tf_files/bottlenecks")
    model_dir: Path = Path("tf_files/models")
    summaries_dir: Path | None = None
    report: Path | None = None
    output_graph: Path | None = None
    output_labels: Path | None = None
    saved_model_dir: Path | None = None
    architecture: str | None = None
    weights: Weights = None
    tfhub_module: str | None = None
    trust_model: bool = False
    image_size: int | None = None
    precision: str = "auto"
    engine: str = "auto"
    require_gpu: bool = False
    testing_percentage: float = 10
    validation_percentage: float = 10
    optimizer: str | None = None
    hidden_units: tuple[int, ...] = ()
    dropout: float | None = None
    activation: str | None = None
    epochs: int | None = None
    how_many_training_steps: int | None = None
    learning_rate: float | None = None
    learning_rate_schedule: str | None = None
    l2: float | None = None
    label_smoothing: float = 0.0
    class_weight: str | None = None
    early_stopping_patience: int | None = None
    train_batch_size: int = 100
    validation_batch_size: int = -1
    test_batch_size: int = -1
    eval_step_interval: int | None = None
    checkpoint_path: Path | None = None
    resume: bool = False
    flip_left_right: bool = False
    random_crop: int = 0
    random_scale: int = 0
    random_brightness: int = 0
    random_rotation: int = 0
    views: int | None = None
    tta: bool = False
    fine_tune_layers: int | Literal["all"] | None = None
    compare: str | None = None
    final_tensor_name: str = "final_result"
    print_misclassified_test_images: bool = False
    top_k: int = 5
    seed: int = 0
    paranoid: bool = False


class Screen(Protocol):
    """What the pipeline tells while it works; `retrain.insight.terminal` shows it to a person."""

    def say(self, sentence: str) -> None: ...
    def downloading(self, done: int, total: int | None) -> None: ...
    def unpacking(self, done: int, total: int) -> None: ...
    def extracting(self, photos: int) -> Callable[[int, int], None]: ...
    def training(self, progress: Progress) -> None: ...
    def epoch(self, what: str, progress: "EpochProgress") -> None: ...
    def finish(self) -> None: ...
    def results(self, run: "Run") -> None: ...


@dataclass(frozen=True)
class Run:
    """Everything that a run found out and made."""

    options: Options
    backbone: Backbone
    extraction: Extraction
    division: Division
    labels: tuple[str, ...]
    trained: Trained
    written: tuple[Path, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    def summary(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "output_dir": str(self.options.output_dir),
            "classes": list(self.labels),
            "photos": {"used": len(self.extraction.photos), "skipped": len(self.extraction.skipped)},
            "bottlenecks": {
                "hits": self.extraction.hits,
                "computed": self.extraction.computed,
                "set_aside": self.extraction.set_aside,
            },
            "validation": self.trained.validation.headline(),
            "test": self.trained.test.headline(),
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }


@dataclass(frozen=True)
class Model:
    """A backbone, the bottlenecks of the photos, and a trained head."""

    backbone: Backbone
    extraction: Extraction
    trained: Trained


def run_training(options: Options, screen: Screen, start: Callable[[Backbone], Engine] | None = None) -> Run:
    """Train, evaluate and export; `start` makes another engine than `options.engine`.

    Raises a RetrainError for whatever a user can cause.
    """
    start = start or partial(start_engine, engine=options.engine)
    began = time.perf_counter()
    seconds: dict[str, float] = {}
    check_options(options)
    look_for_gpu(options, screen)
    saved = _saved_state(options, screen)
    dataset, name_of = gather_dataset(options, screen)
    dataset = rename_classes(dataset, name_of)
    embed = partial(extract_views_with_progress, dataset, options=options, screen=screen, start=start)
    backbone = choose_backbone(options, screen)
    check_more_training(options, backbone)
    backbone, (extraction, views) = on_what_is_there(backbone, options, screen, embed)
    labels = tuple(name_of[label] for label in sorted(name_of) if name_of[label] in _labels_of(extraction))
    _say_lost_classes(name_of, labels, screen)
    require_two_classes(labels, options.image_dir)
    division = split_photos(extraction.photos, options.testing_percentage, options.validation_percentage, options.seed)
    for remark in division.remarks:
        screen.say(remark)
    check_more_training(options, backbone, division)
    curve = TimedCurve(time.perf_counter() - began, screen.training)
    with _timed(seconds, "head"), threads_for(views.size):
        origin = training_origin(backbone, extraction, division, labels, options)
        if saved is not None:
            saved.require(origin)
        checkpoint = Checkpoint(_checkpoint_path(options), origin, saved.states if saved else None)
        trained = train_head(extraction, division, labels, options, curve, checkpoint, views)
    model = Model(backbone, extraction, trained)
    notes: dict[str, object] = {}
    files: dict[str, bytes] = {}
    if options.compare == "scratch":
        with _timed(seconds, "scratch"):
            from retrain.runs.compare_scratch import compare_with_scratch

            files = compare_with_scratch(model, division, labels, curve, origin, options, screen)
    if options.fine_tune_layers is not None:
        with _timed(seconds, "fine_tuning"):
            from retrain.runs.fine_tune import fine_tune_and_choose

            model, notes = fine_tune_and_choose(model, division, labels, embed, origin, options, screen)
    with _timed(seconds, "confidence"):
        trained = with_confidence(model.trained, model.extraction, division, labels, options.tta)
        model = replace(model, trained=trained)
    with _timed(seconds, "export"):
        # Everything up to here works without TensorFlow when the cache is warm.
        from retrain.exports.writer import write_outputs

        written = write_outputs(
            options, model.backbone, model.extraction, division, labels, model.trained, screen, notes, files
        )
    if recipe_of(options).optimizer == "lbfgs":
        checkpoint.remove()  # nothing can follow
    seconds = {**extraction.seconds, **seconds}
    so_far = {**seconds, "total": time.perf_counter() - began}  # for the report
    run = Run(options, model.backbone, model.extraction, division, labels, model.trained, written, so_far)
    with _timed(seconds, "report"):
        told = tuple(tell(run, screen))
    seconds["total"] = time.perf_counter() - began
    run = replace(run, written=(*written, *told), seconds=seconds)
    screen.results(run)
    return run


def tell(run: Run, screen: Screen) -> Iterator[Path]:
    """Write the TensorBoard summaries and the report, where they are asked for; yields the paths."""
    options = run.options
    if options.summaries_dir is not None:
        from retrain.insight.report.summaries import write_summaries

        yield write_summaries(options.summaries_dir, run)
    if options.report is not None:
        from retrain.insight.doctor.diagnose import diagnose
        from retrain.insight.report.page import write_report

        screen.say("Examining the photos for the report.")
        sides = run.division.splits if run.division.folds is None else None
        diagnosis = diagnose(run.extraction, sides, run.backbone.input_size, options.seed)
        yield write_report(options.report, run, diagnosis)


def check_options(options: Options) -> None:
    """Refuse, before any work, what cannot be done or written. Raises OptionError or ExportError."""
    check_outputs(options)
    recipe_of(options)
    views_asked(options)
    check_checkpoint_path(_checkpoint_path(options))
    if options.compare is not None:
        from retrain.training.on_photos.curves import check_matplotlib

        check_matplotlib()


def look_for_gpu(options: Options, screen: Screen) -> None:
    """Say if a GPU is asked for and cannot be used. Raises GpuError if `options` require one."""
    if options.require_gpu:
        require_gpu()
    remark = gpu_remark()
    if remark is not None:
        screen.say(remark)


def check_more_training(options: Options, backbone: Backbone, division: Division | None = None) -> None:
    """Refuse fine-tuning and comparison where the backbone or the split does not allow them. Raises OptionError."""
    if options.fine_tune_layers is not None:
        from retrain.training.on_photos.fine_tune import check_fine_tuning

        check_fine_tuning(backbone, division)
    if options.compare is not None and division is not None:
        from retrain.training.on_photos.sides import check_sides

        check_sides(division, f"--compare {options.compare}")


def open_dataset(options: Options, screen: Screen) -> Dataset:
    """The photos that the options name."""
    return open_source(
        options.image_dir,
        bottleneck_dir=options.bottleneck_dir,
        fixes=options.fixes,
        max_images_per_class=options.max_images_per_class,
        paranoid=options.paranoid,
        say=screen.say,
        observe=screen.unpacking,
    )


def gather_dataset(options: Options, screen: Screen) -> tuple[Dataset, dict[str, str]]:
    """The photos of the source, and what each of their classes is to be called."""
    categories = read_category_names(options.category_names) if options.category_names else None
    dataset = open_dataset(options, screen)
    remarks = dataset.remarks
    name_of = {label: label for label in dataset.labels}
    if categories is not None:  # before the long work, so that wrong names end the run at once
        name_of, more = display_names(categories, dataset.labels)
        remarks = (*remarks, *more)
    for remark in remarks:
        screen.say(remark)
    return dataset, name_of


def choose_backbone(options: Options, screen: Screen) -> Backbone:
    """The backbone that the options name, with its weights at hand and its precision chosen."""
    precision = choose_precision(options.precision)
    choose_engine(options.engine, precision)  # what is not there is refused before anything is downloaded
    backbone = find_backbone_or_module(options, screen)
    screen.say(f"Backbone: {backbone.describe()}.")
    return backbone.computed_in(precision)


def on_what_is_there(
    backbone: Backbone, options: Options, screen: Screen, work: Callable[[Backbone], Result]
) -> tuple[Backbone, Result]:
    """`work(backbone)`, which may start an engine; returns the backbone that it was done with, too.

    Where TensorFlow then finds no GPU, although its libraries are there, `auto` goes on in the CPU's precision,
    which has bottlenecks of its own. A precision that was asked for is not exchanged: GpuError.
    """
    try:
        return backbone, work(backbone)
    except GpuError:
        if options.precision != "auto":
            raise
    if has_gpu():  # as it was believed until now; of a second backbone it is known and said
        do_without_gpu()
        look_for_gpu(options, screen)
    backbone = backbone.computed_in(choose_precision("auto"))
    return backbone, work(backbone)


def find_backbone_or_module(options: Options, screen: Screen) -> Backbone:
    """The backbone of `--architecture` or `--tfhub_module`, in float32."""
    if options.tfhub_module is not None:
        if options.architecture is not None:
            raise OptionError(
                f"--tfhub_module is a backbone of its own, as is --architecture {options.architecture}: "
                "leave one of them out."
            )
        from retrain.backbones.hub import hub_backbone

        return hub_backbone(options.tfhub_module, options.image_size, options.trust_model)
    if options.architecture is None and options.weights not in (None, "random"):
        raise OptionError("--weights needs --architecture: say which network the weights are for.")
    name = options.architecture or DEFAULT_ARCHITECTURE
    return find_backbone(name, options.model_dir, options.weights, options.image_size, options.seed, screen.downloading)


def extract_with_progress(
    dataset: Dataset, backbone: Backbone, options: Options, screen: Screen, start: Callable[[Backbone], Engine]
) -> Extraction:
    """The bottlenecks of a data set, with progress on the screen."""

    def work(backbone: Backbone) -> Extraction:
        return extract(
            dataset,
            backbone,
            options.bottleneck_dir,
            start=start,
            paranoid=options.paranoid,
            observe=screen.extracting(len(dataset.files)),
        )

    return on_what_is_there(backbone, options, screen, work)[1]


def extract_views_with_progress(
    dataset: Dataset,
    backbone: Backbone,
    options: Options,
    screen: Screen,
    start: Callable[[Backbone], Engine],
) -> tuple[Extraction, Matrix]:
    """The bottlenecks of a data set's photos, and those of all their views."""
    extraction, views = extract_views(
        dataset,
        backbone,
        options.bottleneck_dir,
        views_asked(options),
        start=start,
        paranoid=options.paranoid,
        observe=lambda view: screen.extracting(len(dataset.files)),
    )
    screen.finish()
    return extraction, views


def _labels_of(extraction: Extraction) -> set[str]:
    return {photo.label for photo in extraction.photos}


def _checkpoint_path(options: Options) -> Path:
    beside = options.output_dir.with_name(f"{options.output_dir.name}.checkpoint.npz")
    return options.checkpoint_path or beside


def _saved_state(options: Options, screen: Screen) -> Saved | None:
    """The checkpoint to go on from, if that is asked for and there is one."""
    if not options.resume:
        return None
    saved = read_checkpoint(_checkpoint_path(options))
    if saved is None:
        screen.say(f"There is no checkpoint {_checkpoint_path(options)} yet: the training starts from the beginning.")
    return saved


def _say_lost_classes(name_of: Mapping[str, str], labels: tuple[str, ...], screen: Screen) -> None:
    lost = sorted(set(name_of.values()) - set(labels))
    if lost:
        screen.say(f"No photo of these classes can be used, they are left out: {', '.join(lost)}.")


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begin
