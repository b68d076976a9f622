"""`retrain evaluate`: how good an export is, on photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from label_image.json_outputs import output_line
from label_image.number_range import NumberRange
from label_image.user_path import AnyPath, File, Text
from retrain.cli.arguments import CheckedCommand
from retrain.cli.config_file import config_option
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

if TYPE_CHECKING:
    from retrain.runs.evaluate import Evaluation

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
        type=NumberRange(0, 1),
        metavar="0..1",
        help="Fail (exit code 1) if the accuracy is lower.",
    ),
    click.option(
        "--assert_accuracy_lower_bound",
        type=NumberRange(0, 1),
        metavar="0..1",
        help="Fail (exit code 1) if the lower end of its 95 % interval is lower.",
    ),
    click.option(
        "--csv", "--predictions", "csv", type=File, metavar="FILE", help="Write a row for each photo to this CSV file."
    ),
    click.option("--parquet", type=File, metavar="FILE", help="Write the same to this Parquet file."),
    unpacking_option,
    json_option,
)


@click.command(cls=CheckedCommand)
@config_option()
@evaluation_options
def evaluate(
    assert_accuracy_at_least: float | None,
    assert_accuracy_lower_bound: float | None,
    csv: Path | None,
    parquet: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure how good a model is on other photos.

    MODEL is the --output_dir of a training run; DATA is photos in class folders, or anything
    else that --image_dir takes. Photos that the model was trained on are left out; with no others, what
    its training found is quoted.

    Example: retrain evaluate tf_files/model cats
    """
    from rich.console import Console

    from retrain.insight.answers_files import check_answers, write_answers
    from retrain.insight.evaluation_table import show_evaluation, summary
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.evaluate import EvaluateConfig, evaluate_export

    config = made(EvaluateConfig, options)
    check_answers(config, {"`csv`": csv, "`parquet`": parquet})
    screen = TerminalScreen(as_options)
    try:
        evaluation = evaluate_export(config, screen)
    finally:
        screen.finish()
    show_evaluation(evaluation, Console(stderr=as_json, highlight=False))
    write_answers(evaluation, csv, parquet)
    if as_json:
        print(output_line(summary(evaluation)))
    _gate(evaluation, "--assert_accuracy_at_least", assert_accuracy_at_least)
    _gate(evaluation, "--assert_accuracy_lower_bound", assert_accuracy_lower_bound)


def _gate(evaluation: "Evaluation", option: str, least: float | None) -> None:
    """Raises ClickException if the accuracy, or the lower end of its interval, is less than asked for."""
    if least is None:
        return
    known = evaluation.accuracy_and_interval
    if known is None:
        raise click.ClickException(f"There is no accuracy, which is less than {option} {least:g}.")
    accuracy, (low, _) = known
    by_bound = option == "--assert_accuracy_lower_bound"
    if (low if by_bound else accuracy) < least:
        found = f"accuracy of {accuracy:.4f}" if not by_bound else f"lower end of the accuracy's interval, {low:.4f},"
        raise click.ClickException(f"The {found} is less than {option} {least:g}.")
