"""The command line of `label_image`."""

import os
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from label_image.installing import DISTRIBUTION
from label_image.show_error import show_error
from label_image.signals import exit_code, say_stopped, stops_come_first
from label_image.terminal import json_line, require_working_folder, run, shown
from label_image.user_path import Text

if TYPE_CHECKING:
    from label_image.folders import PassedOver
    from label_image.model import Model
    from label_image.pictures import Pictures

say = partial(print, flush=True)  # for who reads the answers as they come


@click.command(context_settings={"token_normalize_func": lambda name: name.replace("-", "_"), "max_content_width": 100})
@click.version_option(package_name=DISTRIBUTION)
@click.argument("images", type=Text, nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--model",
    type=Text,
    default="tf_files/model",
    show_default=True,
    metavar="DIR|FILE",
    help="A trained model: its folder, or its .tflite, .onnx or .pb file alone.",
)
@click.option("--top_k", type=click.IntRange(min=1), default=5, show_default=True, help="Number of answers per photo.")
@click.option(
    "--labels",
    type=Text,
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
@click.option("--plot", type=Text, metavar="PNG", help="Draw the photo with a bar for each answer to this file.")
@click.option(
    "--heatmap",
    type=Text,
    metavar="PNG",
    help="Draw where on the photo the first answer was seen to this file (needs model.tflite).",
)
def cli(
    images: tuple[str, ...],
    model: str,
    top_k: int,
    labels: str | None,
    trust_model: bool,
    always_answer: bool,
    as_json: bool,
    plot: str | None,
    heatmap: str | None,
) -> None:
    """Label photos: files, folders, or patterns such as 'photos/*.jpg'.

    Example: label_image gato.jpg

    A photo that is unlike everything the model was trained on is answered with unknown.

    With several photos --plot and --heatmap number their files: OUT.png becomes OUT-1.png, OUT-2.png
    and so on. Only files that label_image has drawn are replaced.
    """
    require_working_folder()
    for name, value in (("--model", model), ("--labels", labels), ("--plot", plot), ("--heatmap", heatmap)):
        if value == "":
            raise click.UsageError(f"Option '{name}' has an empty value: give it one, or leave it out.")
    from label_image.find_photos import find_photos
    from label_image.model import ModelError, load_model
    from label_image.picture_files import PictureError
    from label_image.preprocessing import PhotoError

    videos: list[str] = []
    photos = _without_videos(find_photos(images), videos)
    pictures = None
    if plot or heatmap:
        photos = list(photos)
        pictures = _pictures(plot, heatmap, len(photos))
    try:
        loaded = load_model(model, labels, trust_model)
        if pictures is not None:
            pictures.load(loaded, model)
    except ModelError as error:
        raise click.ClickException(shown(str(error))) from None
    failed = False
    for position, found in enumerate(photos):
        try:
            lines = _answer(found, position, loaded, pictures, top_k, always_answer, as_json)
        except (ModelError, PictureError) as error:
            raise click.ClickException(shown(str(error))) from None
        except PhotoError as error:
            failed = True
            _say_failed(found if isinstance(found, str) else found.path, error, as_json)
            continue
        for line in lines:
            say(line)
    if videos:
        say(f"Passed over: {len(videos)} videos, such as {shown(videos[0])}.", file=sys.stderr)
    if failed:
        sys.exit(1)


def _without_videos(found: "Iterable[str | PassedOver]", videos: list[str]) -> "Iterable[str | PassedOver]":
    """What was found but the videos, which lie beside the photos of phones; they are collected."""
    for one in found:
        if isinstance(one, str) or one.kind != "video":
            yield one
        else:
            videos.append(one.path)


def _answer(
    found: "str | PassedOver",
    position: int,
    model: "Model",
    pictures: "Pictures | None",
    top_k: int,
    always_answer: bool,
    as_json: bool,
) -> list[str]:
    """What is said of one photo, line by line, once its pictures are drawn.

    Raises PhotoError for the photo, ModelError for the model and PictureError for the pictures.
    """
    from label_image.preprocessing import PhotoError, read_photo

    if not isinstance(found, str):
        raise PhotoError(found.reason)
    photo = read_photo(found)
    verdict = model.label(photo, top_k)
    unknown = verdict.unknown and not always_answer
    title = str(verdict) if unknown else None
    drawn = {} if pictures is None else pictures.save(position, photo, verdict.answers, title, os.path.basename(found))
    if as_json:
        top = [{"label": answer.label, "probability": answer.probability} for answer in verdict.answers]
        decided = {"unknown": unknown, "similarity": verdict.similarity, "threshold": verdict.threshold}
        return [json_line({"image": found, **top[0], **decided, "top": top, **drawn})]
    lines = [f"  {answer.probability:6.1%}  {shown(answer.label)}" for answer in verdict.answers]
    return [
        shown(found),
        *(lines if title is None else [f"  {shown(title)}"]),  # a probability beside it would be read as the answer
        *(f"  {name}: {shown(file)}" for name, file in drawn.items()),
    ]


def _say_failed(path: str, error: Exception, as_json: bool) -> None:
    message = f"{shown(path)} {error}."
    if as_json:
        say(json_line({"image": path, "error": message}))
    else:
        say(f"Error: {message}", file=sys.stderr)


def _pictures(plot: str | None, heatmap: str | None, photos: int) -> "Pictures":
    """The pictures that were asked for; wrong names for them are a wrong call."""
    from label_image.picture_files import PictureError
    from label_image.pictures import Pictures

    files = {"plot": plot, "heatmap": heatmap}
    try:
        return Pictures({name: Path(file) for name, file in files.items() if file}, photos)
    except PictureError as error:
        raise click.UsageError(str(error)) from None


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: exit code 0, 1 if a photo or the model cannot be read, 2 for a wrong call."""
    run(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> None:
    try:
        with stops_come_first():
            cli.main(arguments, prog_name="label_image", standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        show_error(error)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say_stopped()
        sys.exit(exit_code())
