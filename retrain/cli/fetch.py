"""`retrain fetch`: public data sets, ready to be trained on."""

import shlex
from pathlib import Path

import click

from label_image.user_path import Folder
from retrain.cli.arguments import CheckedCommand
from retrain.cli.dashes import as_options


@click.command(cls=CheckedCommand)
@click.argument("name", required=False)
@click.option(
    "--data_dir",
    type=Folder,
    default="tf_files/data",
    show_default=True,
    metavar="FOLDER",
    help="Folder in which the data set gets a folder of its own.",
)
def fetch(name: str | None, data_dir: Path) -> None:
    """Get a public data set, checked and ready to train on.

    NAME is one of those that are listed without it. What is there is not fetched again; what broke off goes on.

    Example: retrain fetch cats-vs-dogs
    """
    from rich.console import Console

    from retrain.insight.programs import program_here
    from retrain.insight.public_sets import show_public_sets, show_ready
    from retrain.insight.terminal import TerminalScreen
    from retrain.photos.opening import open_dataset
    from retrain.photos.public.catalogue import SETS
    from retrain.photos.public.fetching import fetch_public_set

    console = Console(highlight=False)
    if name is None:
        show_public_sets(SETS, console)
        return
    screen = TerminalScreen(as_options)
    try:
        one, ways = fetch_public_set(name, data_dir, screen)
    finally:
        screen.finish()
    for ready in ways:
        show_ready(open_dataset(ready.image_dir), ready.image_dir, console)
    if one.remark:
        console.print(one.remark, soft_wrap=True)
    for ready in ways:
        names = ["--category_names", str(ready.category_names)] if ready.category_names else []
        click.echo(shlex.join([*program_here("retrain"), "--image_dir", str(ready.image_dir), *names]))
