"""`retrain look`: as what photos are read, without training."""

from pathlib import Path
from typing import Any

import click

from label_image.json_outputs import output_line
from retrain.cli.arguments import CheckedCommand
from retrain.cli.dashes import as_options
from retrain.cli.options import Photos, add_images_option, group, json_option, layout_option, unpacking_option

look_options = group(
    click.argument("image_dir", type=Photos, metavar="DATA"),
    add_images_option,
    layout_option,
    unpacking_option,
    json_option,
)


@click.command(cls=CheckedCommand)
@look_options
def look(image_dir: Path | str, bottleneck_dir: Path | str, as_json: bool, **options: Any) -> None:
    """Show how photos are read: their classes and counts.

    DATA is whatever --image_dir takes. No photo is opened, and nothing is trained.

    Example: retrain look cats
    """
    from rich.console import Console

    from retrain.core.places import place_of
    from retrain.insight.dataset_table import dataset_summary, show_dataset
    from retrain.insight.terminal import TerminalScreen
    from retrain.photos.opening import open_dataset

    console, screen = Console(stderr=as_json, highlight=False), TerminalScreen(as_options)
    try:
        dataset = open_dataset(
            image_dir,
            add_images=options["add_images"],
            bottleneck_dir=place_of(bottleneck_dir).local_dir,
            layout=options["layout"],
            source_dir=options["source_dir"],
            progress=screen,
            absolute=False,
        )
    finally:
        screen.finish()
    if as_json:
        print(output_line(dataset_summary(dataset)))
    else:
        show_dataset(dataset, console)
