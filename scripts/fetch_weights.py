"""Download the published weights of architectures once, checked, into a folder where `retrain` finds them.

`retrain` does it by itself when it needs them. This is for a machine or an image that is to work without a network:
`--for_all` puts them where every run of this installation looks, whatever its --model_dir.
"""

from collections.abc import Sequence
from pathlib import Path

import click
from commands import command

from retrain.backbones.registry import architecture
from retrain.backbones.weights import INSTALLED_WEIGHTS, check_digest, file_sha256, find_weights
from retrain.insight.terminal import TerminalScreen


@command
@click.argument("architectures", nargs=-1, required=True, metavar="NAME...")
@click.option("--model_dir", type=click.Path(path_type=Path), default="tf_files/models", show_default=True)
@click.option("--for_all", is_flag=True, help="Into this installation, instead of --model_dir.")
def main(architectures: Sequence[str], model_dir: Path, for_all: bool) -> None:
    """Fetch the weights of each NAME; a+b are both."""
    folder = INSTALLED_WEIGHTS if for_all else model_dir
    screen = TerminalScreen()
    if for_all:  # it is there also if nothing has to be fetched
        folder.mkdir(parents=True, exist_ok=True)
    for name in "+".join(architectures).split("+"):
        entry = architecture(name)
        if not entry.weights_file:
            click.echo(f"{name}: has no weights")
            continue
        try:
            file = find_weights(entry, folder, progress=screen.downloading)
        finally:
            screen.finish()
        check_digest(entry, file, file_sha256(file))
        click.echo(f"{name}: {file}")


if __name__ == "__main__":
    main()
