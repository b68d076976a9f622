"""The options of `retrain evaluate`."""

import math

import click

from label_image.user_path import AnyPath, File, Text
from retrain.cli.options import category_names_option, group, json_option, trust_option, unpacking_option


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
