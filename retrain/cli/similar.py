"""`retrain similar`: which photos are most like one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from label_image.json_outputs import output_line
from label_image.user_path import File
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


@click.command(cls=CheckedCommand, short_help="Name the photos that are most like one.")
@click.argument("photo", type=File)
@click.argument("data", type=Photos, nargs=-1, required=True, metavar="DATA…")
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
def similar(
    photo: Path, data: tuple[Path | str, ...], count: int, layout: "Layout", as_json: bool, **options: Any
) -> None:
    """Name the photos of DATA that are most like PHOTO, as a network sees them.

    DATA is whatever --image_dir takes, or a folder of photos without classes. All photos are compared, by the cosine of
    their bottlenecks; what the store lacks of them is computed first.

    Example: retrain similar gato.jpg cats
    """
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
