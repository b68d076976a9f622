"""`retrain similar`: which photos are most like one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from label_image.json_outputs import output_line
from label_image.not_paths import is_web_address
from label_image.user_path import AnyPath, UserPath
from retrain.cli.arguments import CheckedCommand
from retrain.cli.configs import embedding_config
from retrain.cli.dashes import as_options
from retrain.cli.options import (
    Photos,
    backbone_options,
    executor_options,
    json_option,
    layout_option,
    paranoid_option,
    seed_option,
    source_dir_option,
    truncated_option,
)

if TYPE_CHECKING:
    from retrain.photos.layouts.reading import Layout


class PhotoPath(UserPath):
    """A photo in a file. An address is refused as it was given: a path would have one slash fewer."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if isinstance(value, str) and is_web_address(value):
            self.fail(
                f"{value} is an address; this has to be a photo in a file of this machine: save it there first.",
                parameter,
                context,
            )
        return super().convert(value, parameter, context)


@click.command(cls=CheckedCommand, short_help="Name the photos that are most like one.")
@click.argument("photo", type=PhotoPath(dir_okay=False))
@click.argument("data", type=Photos, nargs=-1, metavar="[DATA…]")
@click.option(
    "--model",
    type=AnyPath,
    default="tf_files/model",
    show_default=True,
    metavar="DIR",
    help="Without DATA: compare with the photos that this model was trained on, by its network.",
)
@click.option(
    "--count", type=click.IntRange(min=1), default=10, show_default=True, metavar="N", help="How many photos to name."
)
@layout_option
@source_dir_option
@seed_option
@truncated_option
@paranoid_option
@backbone_options
@executor_options
@json_option
@click.pass_context
def similar(
    context: click.Context,
    /,
    photo: Path,
    data: tuple[Path | str, ...],
    model: Path,
    count: int,
    layout: "Layout",
    as_json: bool,
    **options: Any,
) -> None:
    """Name the photos of DATA that are most like PHOTO, as a network sees them.

    DATA is whatever --image_dir takes, or a folder of photos without classes; by default the photos that --model was
    trained on. All photos are compared, by the cosine of their bottlenecks; what the store lacks of them is computed
    first.

    Example: retrain similar gato.jpg cats
    """
    given = {name for name in (*options, "model") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if not data:
        from retrain.runs.similar import trained_on

        record, network = trained_on(model)
        if "architecture" in given:  # another network has an input size and weights of its own
            network = {}
        data, options = (record,), {**options, **{name: network[name] for name in network.keys() - given}}
    elif "model" in given:
        raise click.UsageError("--model is for the photos that it was trained on: leave it out, or DATA.")
    config = embedding_config(data, layout, options)
    from rich.console import Console

    from retrain.insight.similar_table import show_similar
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.similar import SimilarConfig, run_similar

    found = run_similar(SimilarConfig(photo, config, count), TerminalScreen(as_options))
    if as_json:
        print(output_line(found.summary()))
    else:
        show_similar(found, Console(highlight=False))
