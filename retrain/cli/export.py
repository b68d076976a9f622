"""`retrain export`: further formats of an export."""

from typing import Any

import click

from label_image.json_outputs import output_line
from label_image.user_path import AnyPath, Folder, Text
from retrain.cli.arguments import CheckedCommand
from retrain.cli.completion import one_or_more
from retrain.cli.configs import made
from retrain.cli.dashes import as_options
from retrain.cli.options import (
    category_names_option,
    group,
    json_option,
    layout_option,
    names,
    trust_option,
    unpacking_option,
)
from retrain.exports.registry import FORMATS

ALL = "all"
NAMED = f"{__name__}.named"  # in the context: what was asked for, word for word


def _exports(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    found = names(context, parameter, value)
    for name in found:
        if name not in (*FORMATS, ALL):
            raise click.BadParameter(
                f"{name} is not known; choose from {', '.join(FORMATS)}; or {ALL} for all of them."
            )
    context.meta[NAMED] = found
    # What was not built with this installation is no reason to refuse the rest.
    lacking = {name: format.lacks() for name, format in FORMATS.items() if ALL in found and name not in found}
    for sentence in sorted({lack for lack in lacking.values() if lack is not None}):
        left_out = ", ".join(name for name, lack in lacking.items() if lack == sentence)
        click.echo(f"Left out: {left_out}. {sentence}", err=True)
    return tuple(name for name in FORMATS if name in found or (ALL in found and lacking[name] is None))


# Which further formats are made of an export, and what they are judged on.
further_options = group(
    click.argument("model", type=AnyPath),
    click.option(
        "--to",
        "formats",
        callback=_exports,
        shell_complete=one_or_more(lambda: (*FORMATS, ALL), ","),
        required=True,
        metavar="NAME[,NAME…]",
        help=f"Formats to write: {', '.join(FORMATS)}; or {ALL}.",
    ),
    click.option(
        "--image_dir",
        type=Text,
        required=True,
        metavar="PATH",
        help="Photos, as for a training run: each format is tested on those that were not trained on, int8 on "
        "up to 1,000 of all; int8 is calibrated on some of the others.",
    ),
    category_names_option,
    layout_option,
    trust_option,
    click.option(
        "--force",
        is_flag=True,
        help="Keep a float16 or int8 format even if it is shown to lose more than 1 point of accuracy.",
    ),
    click.option(
        "--serving_dir",
        type=Folder,
        metavar="DIR",
        help="Also copy the SavedModel to the next version folder in here (1, 2, …), for TensorFlow Serving.",
    ),
    unpacking_option,
    json_option,
)


@click.command(cls=CheckedCommand)
@click.pass_context
@further_options
def export(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Write a model in further formats, each tested on photos.

    MODEL is the --output_dir of a training run. A format that does not answer like the model is not kept.

    Example: retrain export tf_files/model --to tflite_int8,onnx --image_dir cats
    """
    from rich.console import Console

    from retrain.insight.parity_table import show_report, summary
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.export import ConvertConfig, export_model

    screen = TerminalScreen(as_options)
    try:
        report = export_model(made(ConvertConfig, options), screen)
    finally:
        screen.finish()
    show_report(report, Console(stderr=as_json, highlight=False))
    if as_json:
        print(output_line(summary(report)))
    named = context.meta[NAMED]
    refused = [
        result.name
        for result in report.results
        if result.refused is not None and not (result.unfit and ALL in named and result.name not in named)
    ]
    if refused:
        raise click.ClickException(f"Not kept: {', '.join(refused)}; what was there before is untouched.")
