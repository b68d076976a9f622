"""`retrain push`: an export to a folder, or to Hugging Face's Hub."""

from dataclasses import asdict
from typing import Any

import click

from label_image.json_outputs import output_line
from label_image.user_path import Folder, Text
from retrain.cli.arguments import CheckedCommand
from retrain.cli.configs import made
from retrain.cli.dashes import as_options
from retrain.cli.options import group, json_option

push_options = group(
    click.argument("model", type=Folder),
    click.argument("dest", type=Text),
    click.option("--replace", is_flag=True, help="Replace files there that have the same names and differ."),
    click.option("--public", is_flag=True, help="Make a new repository of the Hub public, not private."),
    click.option("--dry_run", is_flag=True, help="Say what would go where, and write nothing."),
    json_option,
)


@click.command(cls=CheckedCommand)
@push_options
def push(as_json: bool, **options: Any) -> None:
    """Publish a model with its card and its proofs.

    MODEL is the --output_dir of a training run. DEST is a folder, such as a clone of a repository, or hf://OWNER/NAME,
    a repository of Hugging Face's Hub, which is made where there is none; the token is that of `hf auth login`, or
    HF_TOKEN.

    Example: retrain push tf_files/model hf://ana/cats
    """
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.push import PushConfig
    from retrain.runs.push import push as publish

    screen = TerminalScreen(as_options)
    pushed = publish(made(PushConfig, options), screen)
    if as_json:
        print(output_line(asdict(pushed)))
    elif pushed.sent:
        screen.say(f"written: {pushed.address}")
