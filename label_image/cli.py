"""The command line of `label_image`."""

import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from label_image.command_line import run_command
from label_image.installing import DISTRIBUTION
from label_image.terminal import json_line, require_working_folder, shown
from label_image.user_path import LocalText, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.shell_completion import CompletionItem

    from label_image.embedding import Embed
    from label_image.many.wanted import Wanted
    from label_image.model import Model
    from label_image.rows import Asked, Row
    from label_image.with_pictures import Drawing

OUTPUTS = ("csv", "parquet", "jsonl", "embed", "copy_to", "move_to")
OTHERS = ("images", "watch", "as_json", "always_answer", "top_k", "executor", "ray_address")
FIELD = re.compile("`(executor|ray_address)`")  # as errors name it
say = partial(print, flush=True)  # for who reads the answers as they come


class LabelOrServe(click.Command):
    """The command, which offers a shell the options of `label_image serve` behind that word."""

    def shell_complete(self, context: click.Context, incomplete: str) -> "list[CompletionItem]":
        if (context.params.get("images") or ())[:1] != ("serve",):
            return super().shell_complete(context, incomplete)
        from label_image.serve.cli import cli as serve

        return serve.shell_complete(click.Context(serve), incomplete)


@click.command(
    cls=LabelOrServe,
    context_settings={"token_normalize_func": lambda name: name.replace("-", "_"), "max_content_width": 100},
    epilog="`label_image serve MODEL` answers over HTTP.",
)
@click.version_option(package_name=DISTRIBUTION)
@click.argument("images", type=Text, nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--model",
    type=LocalText,
    default="tf_files/model",
    show_default=True,
    metavar="DIR|FILE",
    help="A trained model: its folder, or its .tflite, .onnx or .pb file alone.",
)
@click.option("--top_k", type=click.IntRange(min=1), default=5, show_default=True, help="Number of answers per photo.")
@click.option(
    "--labels",
    type=LocalText,
    metavar="FILE",
    help="File with other names for the classes, one per line, in the model's order.",
)
@click.option(
    "--trust_model",
    is_flag=True,
    help="Run a SavedModel or .pb that may do more than compute, such as write files.",
)
@click.option("--always_answer", is_flag=True, help="Never answer unknown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per photo, each on its own line.")
@click.option("--csv", type=LocalText, metavar="FILE", help="Write a row for each photo to this CSV file.")
@click.option("--parquet", type=LocalText, metavar="FILE", help="Write the same to this Parquet file.")
@click.option("--jsonl", type=LocalText, metavar="FILE", help="Write what --json prints to this file.")
@click.option(
    "--embed", type=LocalText, metavar="FILE", help="Write the bottleneck of each photo to this Parquet file instead."
)
@click.option("--copy_to", type=LocalText, metavar="DIR", help="Copy each photo to DIR/label, or DIR/unknown.")
@click.option("--move_to", type=LocalText, metavar="DIR", help="Move each photo to DIR/label, or DIR/unknown.")
@click.option("--watch", is_flag=True, help="Keep running, and label new photos in the folders as they come.")
@click.option("--plot", type=LocalText, metavar="PNG", help="Draw the photo with a bar for each answer to this file.")
@click.option(
    "--heatmap",
    type=LocalText,
    metavar="PNG",
    help="Draw where on the photo the first answer was seen to this file (needs model.tflite).",
)
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where to compute: on this machine, or on a cluster by Ray.",
)
@click.option(
    "--ray_address", metavar="ADDRESS", help="The cluster, as HOST:PORT; alone, --executor ray starts Ray here."
)
def cli(model: str, labels: str | None, trust_model: bool, **options: Any) -> None:
    """Label photos: files, folders, patterns such as 'photos/*.jpg', addresses, or - for standard input.

    Example: label_image gato.jpg

    A photo that is unlike everything the model was trained on is answered with unknown.

    A run that was interrupted goes on where it stopped when you repeat the same command.

    With several photos --plot and --heatmap number their files: OUT.png becomes OUT-1.png, OUT-2.png
    and so on. Only files that label_image has drawn are replaced.
    """
    require_working_folder()
    for name, value in (("model", model), ("labels", labels), *options.items()):
        if value == "":
            raise click.UsageError(f"Option '--{name}' has an empty value: give it one, or leave it out.")
    wanted = _wanted(options)
    if wanted.embed and labels:
        raise click.UsageError("--labels names answers, and --embed gives none: leave one of them out.")
    from label_image.errors import ClusterError, StorageError
    from label_image.many.errors import ManyError
    from label_image.many.run import check_outputs, label_many
    from label_image.model import ModelError, load_model
    from label_image.picture_files import PictureError
    from label_image.rows import Asked

    try:
        drawing = _drawing(wanted, {name: Path(options[name]) for name in ("plot", "heatmap") if options[name]})
        check_outputs(wanted)
        loaded = load_model(model, labels, trust_model)
        asked = Asked(loaded, wanted.top_k, wanted.always_answer, _embed(loaded, wanted))
        if drawing is not None:
            from label_image.with_pictures import label_with_pictures

            all_read = label_with_pictures(drawing, asked, model, partial(_answer, asked, wanted))
        else:
            all_read = label_many(wanted, asked, partial(_answer, asked, wanted), partial(_say_at_end, wanted))
    except (ClusterError, ManyError, ModelError, PictureError, StorageError) as error:
        raise click.ClickException(shown(FIELD.sub(r"--\1", str(error)))) from None
    if not all_read:
        sys.exit(1)


def _wanted(options: dict[str, Any]) -> "Wanted":
    """What was asked for. Raises click.UsageError where it makes no sense."""
    from label_image.many.wanted import CallError, Wanted

    paths: dict[str, Any] = {name: Path(options[name]) for name in OUTPUTS if options[name]}
    others: dict[str, Any] = {name: options[name] for name in OTHERS}
    wanted = Wanted(**others, **paths)
    drawn = next((name for name in ("plot", "heatmap") if options[name]), None)
    many = next((f"--{name}" for name in (*paths, *(["watch"] if wanted.watch else []))), None)
    if drawn and many:
        raise click.UsageError(f"--{drawn} draws the photos that are named: leave it out, or {many}.")
    if drawn and wanted.executor == "ray":
        raise click.UsageError(f"--{drawn} draws on this machine: leave it out, or --executor ray.")
    source = click.get_current_context().get_parameter_source("top_k")
    if wanted.keeps and not wanted.prints and not wanted.jsonl and source is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"--top_k is for answers that are printed, and for --jsonl: leave it out with {many}.")
    try:
        wanted.check()
    except CallError as error:
        raise click.UsageError(shown(error)) from None
    return wanted


def _embed(loaded: "Model", wanted: "Wanted") -> "Embed | None":
    """What gives photos their bottlenecks, where these are wanted. Raises ModelError."""
    if wanted.embed is None:
        return None
    from label_image.embedding import embeds

    return embeds(loaded)


def _answer(asked: "Asked", wanted: "Wanted", row: "Row", drawn: "Mapping[str, str] | None" = None) -> None:
    """Tell of one photo, unless that is not wanted."""
    if not wanted.prints:
        return
    from label_image.answers import json_object, lines_of

    if wanted.as_json:
        moved = {wanted.placed: row.to} if row.to else {}
        say(json_line(json_object(asked, row, **moved, **(drawn or {}))))
    elif row.error:
        say(f"Error: {row.sentence}", file=sys.stderr)
    else:
        say("\n".join(lines_of(asked, row, drawn or {})))


def _say_at_end(wanted: "Wanted", line: str) -> None:
    """A line of the summary: beside the answers, if there are any on standard output."""
    say(shown(line), file=sys.stderr if wanted.as_json else sys.stdout)


def _drawing(wanted: "Wanted", files: dict[str, Path]) -> "Drawing | None":
    """What is drawn, where that was asked for; wrong names for pictures are a wrong call. Raises ManyError."""
    if not files:
        return None
    from label_image.picture_files import PictureError
    from label_image.with_pictures import drawing_of

    try:
        return drawing_of(wanted, files)
    except PictureError as error:
        raise click.UsageError(str(error)) from None


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: exit code 0, 1 if a photo or the model cannot be read, 2 for a wrong call."""
    run_command(cli, "label_image", arguments)
