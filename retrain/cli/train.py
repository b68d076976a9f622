"""`retrain train`, the default command."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from label_image.json_outputs import output_line
from retrain.cli.arguments import CheckedCommand
from retrain.cli.config_file import config_option
from retrain.cli.configs import train_config
from retrain.cli.dashes import as_options
from retrain.cli.head_options import head_options
from retrain.cli.options import (
    augmentation_options,
    backbone_options,
    executor_options,
    folds_option,
    photo_options,
)
from retrain.cli.output_options import export_options, report_options
from retrain.core.language import in_language, language_of_user

if TYPE_CHECKING:
    from retrain.core.progress import Progress
    from retrain.insight.reporting import ReportConfig
    from retrain.runs.train import Run
    from retrain.training.trained import TrainedHead


@click.command(cls=CheckedCommand)
@config_option(", or those of an export from its model.json")
@photo_options
@folds_option
@backbone_options
@executor_options
@head_options
@augmentation_options
@export_options
@report_options
def train(as_json: bool, **options: Any) -> None:
    """Train, evaluate and export a classifier (the default command)."""
    config = train_config(options)
    from rich.console import Console

    from retrain.insight.reporting import ReportConfig
    from retrain.insight.results import show_found, show_misclassified, show_written
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.train import run_training

    asked = ReportConfig(options["report"], options["summaries_dir"], options["top_k"], options["track"])
    config.check(asked.outputs)
    asked.check()
    screen, console = TerminalScreen(as_options), Console(stderr=as_json, highlight=False)

    ended: list[SystemExit] = []  # by output that nobody reads, or a full disk: the export is written all the same

    def measured(trained: "TrainedHead") -> None:
        screen.finish()
        try:
            console.print()
            if options["print_misclassified_test_images"]:
                show_misclassified(trained, asked.top_k, console)
            show_found(trained, console)
        except SystemExit as end:
            ended.append(end)

    try:
        run = told(run_training(config, screen, measured=measured), asked, options, screen)
    finally:
        screen.finish()
    if ended:
        raise ended[0]
    show_written(run, console)
    if as_json:
        print(output_line(run.summary()))


def told(run: "Run", asked: "ReportConfig", options: dict[str, Any], progress: "Progress") -> "Run":
    """The run with the pages about it, written here; then trackers are told of it, in time that is not the run's."""
    run = _with_pages(run, asked, options, progress)
    if asked.track:
        from retrain.insight.tracking.registry import track

        track(asked.track, run, progress)
    return run


def _with_pages(run: "Run", asked: "ReportConfig", options: dict[str, Any], progress: "Progress") -> "Run":
    """Their time is part of the run's, and the report says the same."""
    from retrain.insight.results import with_report

    began = time.perf_counter()
    if asked.summaries_dir is not None:
        from retrain.insight.report.summaries import write_summaries

        run = replace(run, reports=(write_summaries(asked.summaries_dir, run),))
    if asked.report is None:
        return replace(run, seconds=with_report(run.seconds, time.perf_counter() - began))
    seconds = _write_report(asked.report, run, asked, options, progress, began)
    return replace(run, seconds=seconds, reports=(*run.reports, asked.report))


def _write_report(
    path: Path, run: "Run", asked: "ReportConfig", options: dict[str, Any], progress: "Progress", began: float
) -> dict[str, float]:
    """Write the page of a run; returns the seconds of the run as it says them."""
    from retrain.cli.command_line import command_in_lines
    from retrain.insight.doctor.diagnose import diagnose
    from retrain.insight.report.page import write_report

    progress.say("Examining the photos for the report.")
    sides = run.division.splits if run.division.folds is None else None
    observe = progress.examining(len(run.extraction.photos))
    kept_in = run.config.extraction.local_dir
    diagnosis = diagnose(
        run.extraction, sides, run.backbone.input_size, run.division.seed, observe, run.trained, kept_in
    )
    diagnosis = replace(diagnosis, roots=run.trained.bottlenecks.dataset.roots)
    # In the order in which they are declared; Click's is that of the command.
    declared = {str(parameter.name): options.get(str(parameter.name)) for parameter in train.params}
    with in_language(options["lang"] or language_of_user()):
        return write_report(path, run, command_in_lines(train, declared), diagnosis, asked.top_k, began)
