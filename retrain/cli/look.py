"""`retrain look`: as what photos are read, without training."""

from pathlib import Path
from typing import Any

import click

from label_image.terminal import json_line
from label_image.user_path import AnyPath
from retrain.cli.arguments import CheckedCommand
from retrain.cli.options import add_images_option, group, json_option, layout_option, unpacking_option

look_options = group(
    click.argument("image_dir", type=AnyPath, metavar="DATA"),
    add_images_option,
    layout_option,
    unpacking_option,
    json_option,
)


@click.command(cls=CheckedCommand)
@look_options
def look(image_dir: Path, bottleneck_dir: Path, as_json: bool, **options: Any) -> None:
    """Show how photos are read: their classes and counts.

    DATA is whatever --image_dir takes. No photo is opened, and nothing is trained.

    Example: retrain look cats
    """
    from rich.console import Console

    from retrain.insight.dataset_table import dataset_summary, show_dataset
    from retrain.insight.terminal_text import escape
    from retrain.photos.opening import open_dataset

    console = Console(stderr=as_json, highlight=False)
    dataset = open_dataset(
        image_dir,
        add_images=options["add_images"],
        bottleneck_dir=bottleneck_dir,
        say=lambda sentence: console.print(escape(sentence), soft_wrap=True),
        layout=options["layout"],
    )
    if as_json:
        print(json_line(dataset_summary(dataset)))
    else:
        show_dataset(dataset, console)
