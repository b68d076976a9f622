"""`retrain evaluate`: how good an export is, on photos."""

import math
from pathlib import Path
from typing import Any

import click

from label_image.terminal import json_line
from label_image.user_path import AnyPath, File, Text
from retrain.cli.arguments import CheckedCommand
from retrain.cli.configs import made
from retrain.cli.dashes import as_options
from retrain.cli.options import (
    category_names_option,
    group,
    json_option,
    layout_option,
    truncated_option,
    trust_option,
    unpacking_option,
)


def _no_nan(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and math.isnan(value):  # it is in no range, and yet outside of none
        raise click.BadParameter("must be a number from 0 to 1.")
    return value


# What is evaluated, and how it is told.
evaluation_options = group(
    click.argument("model", type=AnyPath),
    click.argument("data", type=Text, metavar="DATA"),
    click.option("--labels", type=File, metavar="FILE", help="File with other names for the classes, one per line."),
    click.option("--fixes", type=File, metavar="FILE", help="The --fixes of the training run, if it had any."),
    category_names_option,
    layout_option,
    truncated_option,
    trust_option,
    click.option("--all_photos", is_flag=True, help="Include the photos that the model was trained on."),
    click.option(
        "--assert_accuracy_at_least",
        type=click.FloatRange(0, 1),
        callback=_no_nan,
        metavar="0..1",
        help="Fail (exit code 1) if the accuracy is lower.",
    ),
    click.option("--predictions", type=File, metavar="FILE", help="Write the answer for each photo to this CSV file."),
    unpacking_option,
    json_option,
)


@click.command(cls=CheckedCommand)
@evaluation_options
def evaluate(assert_accuracy_at_least: float | None, predictions: Path | None, as_json: bool, **options: Any) -> None:
    """Measure how good a model is on other photos.

    MODEL is the --output_dir of a training run; DATA is photos in class folders, or anything
    else that --image_dir takes. Photos that the model was trained on are left out.

    Example: retrain evaluate tf_files/model cats
    """
    from rich.console import Console

    from retrain.insight.evaluation_table import check_predictions, show_evaluation, summary, write_predictions
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.evaluate import EvaluateConfig, evaluate_export

    config = made(EvaluateConfig, options)
    if predictions is not None:
        check_predictions(predictions, config.data)
    screen = TerminalScreen(as_options)
    try:
        evaluation = evaluate_export(config, screen)
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
