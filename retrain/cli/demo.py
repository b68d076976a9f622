"""`retrain demo`: drawings of cats to try everything on."""

from pathlib import Path

import click

from label_image.user_path import File, Folder
from retrain.cli.arguments import CheckedCommand


@click.command(cls=CheckedCommand)
@click.argument("folder", type=Folder, default="tf_files/demo_cats")
@click.option("--photo", type=File, metavar="FILE", help="Also draw a cat that is in none of the training pictures.")
@click.option("--coat", default="tabby", show_default=True, metavar="NAME", help="The coat of the cat in --photo.")
@click.option(
    "--per_coat",
    type=click.IntRange(1, 9999),
    default=24,
    show_default=True,
    metavar="N",
    help="Drawings of each coat.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Another seed draws other cats.",
)
def demo(folder: Path, photo: Path | None, coat: str, per_coat: int, seed: int) -> None:
    """Draw cats to try everything on.

    FOLDER gets a folder for each coat. The same seed draws the same cats, byte for byte.
    Files that are not such drawings are never touched.

    Example: retrain demo --photo gato.jpg
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from retrain.demo.folder import draw_all, drawings, remove_others

    wanted = drawings(folder, per_coat, seed, photo, coat)
    remove_others(folder, wanted)
    columns = (TextColumn("Drawing cats"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        drawn = sum(progress.track(draw_all(wanted), total=len(wanted)))
    coats = len({drawing.path.parent for drawing in wanted if drawing.path != photo})
    apart = f", and {photo}" if photo else ""
    click.echo(
        f"{coats} coats x {per_coat} drawings in {folder}{apart}: {drawn} drawn, {len(wanted) - drawn} there already."
    )
