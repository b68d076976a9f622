"""The command line of `retrain`: commands and options, no logic.

Heavy modules are imported inside the commands, so that `--help` answers at once.
"""

import sys
from pathlib import Path
from typing import Any

import click

from label_image.installing import DISTRIBUTION, what_is_missing
from label_image.show_error import show_error
from label_image.signals import exit_code, say_stopped, stops_come_first
from label_image.terminal import complain, json_line, require_address_space, require_working_folder, run, shown
from retrain.cli.demo import demo
from retrain.cli.doctor_options import doctor_options
from retrain.cli.evaluate_options import evaluation_options
from retrain.cli.export_options import further_options
from retrain.cli.help_panels import TrainByDefault
from retrain.cli.no_empty_values import NoEmptyValues
from retrain.cli.options import (
    augmentation_options,
    backbone_options,
    export_options,
    head_options,
    photo_options,
    report_options,
    store_options,
)
from retrain.cli.store import store
from retrain.cli.sweep_options import sweep_options
from retrain.core.errors import RetrainError

ADDRESS_SPACE = 4_000_000_000  # what TensorFlow takes up for the smallest network; in memory it is far less


def train_is_the_default(arguments: list[str]) -> list[str]:
    """`retrain --image_dir cats` means `retrain train --image_dir cats`."""
    first = arguments[0] if arguments else ""
    return arguments if first in (*cli.commands, "--help", "--version") else ["train", *arguments]


def underscores(name: str) -> str:
    """`--image-dir` is `--image_dir`."""
    return name.replace("-", "_")


@click.group(cls=TrainByDefault, context_settings={"token_normalize_func": underscores, "max_content_width": 100})
@click.version_option(package_name=DISTRIBUTION)
def cli() -> None:
    """Retrain an image classifier on a folder of photos per class.

    Example: retrain --image_dir cats
    """
    require_working_folder()
    require_address_space(ADDRESS_SPACE)


cli.add_command(demo)
cli.add_command(store)


@cli.command(cls=NoEmptyValues)
@photo_options
@backbone_options
@head_options
@augmentation_options
@export_options
@report_options
def train(as_json: bool, **options: Any) -> None:
    """Train, evaluate and export a classifier (the default command)."""
    _leave_photos_for_training(options)
    if options["tfhub_module"] and options["weights"]:
        raise click.UsageError("--tfhub_module has its own weights: leave --weights out.")
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.train import Options, run_training

    screen = TerminalScreen(results_to_stderr=as_json)
    try:
        trained = run_training(Options(**options), screen)
    finally:
        screen.finish()
    if as_json:
        print(json_line(trained.summary()))


@cli.command(cls=NoEmptyValues)
@photo_options
@sweep_options
@store_options
def sweep(
    architectures: tuple[str, ...],
    weights: dict[str, str],
    l2: tuple[float, ...],
    hidden_units: tuple[tuple[int, ...], ...],
    optimizers: tuple[str, ...],
    learning_rates: tuple[float, ...],
    epochs: int | None,
    class_weights: tuple[str | None, ...],
    view_counts: tuple[int, ...],
    folds: int,
    output_csv: Path,
    **options: Any,
) -> None:
    """Try many heads, and choose the best by cross-validation."""
    _leave_photos_for_training(options)
    from rich.console import Console

    from retrain.insight.sweep_table import show_sweep
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.sweep import Grid, run_sweep
    from retrain.runs.train import Options

    grid = Grid(
        architectures, weights, l2, hidden_units, optimizers, learning_rates, epochs, options["seed"],
        class_weights, view_counts,
    )  # fmt: skip
    screen = TerminalScreen(results_to_stderr=False)
    try:
        result = run_sweep(Options(**options), grid, folds, output_csv, screen)
    finally:
        screen.finish()
    show_sweep(result, Console(highlight=False))


@cli.command(cls=NoEmptyValues)
@evaluation_options
def evaluate(
    model: Path,
    data: str,
    labels: Path | None,
    fixes: Path | None,
    category_names: Path | None,
    trust_model: bool,
    all_photos: bool,
    assert_accuracy_at_least: float | None,
    predictions: Path | None,
    bottleneck_dir: Path,
    as_json: bool,
) -> None:
    """Measure how good a model is on other photos.

    MODEL is the --output_dir of a training run; DATA is photos in class folders, or anything
    else that --image_dir takes. Photos that the model was trained on are left out.

    Example: retrain evaluate tf_files/model cats
    """
    from rich.console import Console

    from retrain.insight.evaluation_table import check_predictions, show_evaluation, summary, write_predictions
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.evaluate import evaluate_export

    if predictions is not None:
        check_predictions(predictions, data)
    screen = TerminalScreen(results_to_stderr=as_json)
    try:
        evaluation = evaluate_export(
            model,
            data,
            bottleneck_dir,
            labels,
            all_photos,
            fixes,
            category_names,
            trust_model,
            screen.say,
            screen.evaluating,
        )  # fmt: skip
    finally:
        screen.finish()
    show_evaluation(evaluation, Console(stderr=as_json, highlight=False))
    if predictions is not None:
        write_predictions(evaluation, predictions)
    if as_json:
        print(json_line(summary(evaluation)))
    accuracy = evaluation.metrics.accuracy
    if assert_accuracy_at_least is not None and (accuracy is None or accuracy < assert_accuracy_at_least):
        found = "There is no accuracy, which" if accuracy is None else f"The accuracy of {accuracy:.4f}"
        raise click.ClickException(f"{found} is less than --assert_accuracy_at_least {assert_accuracy_at_least:g}.")


@cli.command(cls=NoEmptyValues)
@further_options
def export(
    model: Path,
    formats: tuple[str, ...],
    image_dir: str,
    category_names: Path | None,
    trust_model: bool,
    force: bool,
    serving_dir: Path | None,
    bottleneck_dir: Path,
    as_json: bool,
) -> None:
    """Write a model in further formats, each tested on photos.

    MODEL is the --output_dir of a training run. A format that does not answer like the model is not kept.

    Example: retrain export tf_files/model --to tflite_int8,onnx --image_dir cats
    """
    from rich.console import Console

    from retrain.insight.parity_table import show_report, summary
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.export import export_model

    screen = TerminalScreen(results_to_stderr=as_json)
    try:
        report = export_model(
            model, formats, image_dir, bottleneck_dir, force, serving_dir, category_names, trust_model, screen.say
        )
    finally:
        screen.finish()
    show_report(report, Console(stderr=as_json, highlight=False))
    if as_json:
        print(json_line(summary(report)))
    refused = [result.name for result in report.results if result.refused is not None]
    if refused:
        raise click.ClickException(f"Not kept: {', '.join(refused)}; what was there before is untouched.")


@cli.command(cls=NoEmptyValues)
@doctor_options
@backbone_options
def doctor(output_dir: Path, **options: Any) -> None:
    """Find copies, wrong labels, outliers and bad photos.

    DATA is photos in class folders, or anything else that --image_dir takes. No photo is changed.

    Example: retrain doctor cats
    """
    _leave_photos_for_training(options)
    if options["tfhub_module"] and options["weights"]:
        raise click.UsageError("--tfhub_module has its own weights: leave --weights out.")
    from rich.console import Console

    from retrain.insight.doctor.examination import examine
    from retrain.insight.doctor.summary import show_diagnosis
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.train import Options

    screen = TerminalScreen(results_to_stderr=False)
    try:
        diagnosis, written = examine(Options(**options), output_dir, screen)
    finally:
        screen.finish()
    show_diagnosis(diagnosis, written, Console(highlight=False))


def _leave_photos_for_training(options: dict[str, Any]) -> None:
    from retrain.photos.split import check_split

    check_split(options["testing_percentage"], options["validation_percentage"], options["seed"])


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors are one sentence, exit code 2 for a wrong call, 1 for a failed run."""
    run(lambda: _main(sys.argv[1:] if arguments is None else arguments))


def _main(arguments: list[str]) -> None:
    try:
        with stops_come_first():
            cli.main(train_is_the_default(arguments), prog_name="retrain", standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        show_error(error)
        sys.exit(error.exit_code)
    except RetrainError as error:
        complain(f"Error: {shown(str(error))}")
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        sentence = what_is_missing(error)
        if sentence is None:
            raise
        complain(f"Error: {sentence}")
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        head = " (with --resume the training of the head, too)" if train_is_the_default(arguments)[0] == "train" else ""
        say_stopped(f"What was computed is kept: run the same command again to continue{head}.")
        sys.exit(exit_code())
