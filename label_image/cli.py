"""The command line of `label_image`."""

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from label_image.pictures import Pictures


@click.command(context_settings={"token_normalize_func": lambda name: name.replace("-", "_"), "max_content_width": 100})
@click.version_option(package_name="retrain")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--model",
    default="tf_files/model",
    show_default=True,
    metavar="DIR|FILE",
    help="An export of retrain: its folder, or its .tflite, .onnx or .pb file alone.",
)
@click.option("--top_k", type=click.IntRange(min=1), default=5, show_default=True, help="Answers per photo.")
@click.option("--labels", metavar="FILE", help="Other names for the classes, one per line, in the model's order.")
@click.option(
    "--trust_model",
    is_flag=True,
    help="Run a SavedModel or .pb that may do more than compute, such as write files.",
)
@click.option("--always_answer", is_flag=True, help="Never say unknown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per photo and line.")
@click.option("--plot", metavar="PNG", help="Draw the photo with a bar for each answer.")
@click.option("--heatmap", metavar="PNG", help="Draw on the photo where the first answer is seen (needs model.tflite).")
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
    """Say what is on photos: files, folders of photos, or patterns such as 'photos/*.jpg'.

    Example: label_image gato.jpg

    A photo that is like nothing the model was trained on is called unknown.

    With several photos --plot and --heatmap number their files: OUT.png becomes OUT-1.png, OUT-2.png
    and so on. Only files that label_image has drawn are replaced.
    """
    for name, value in (("--model", model), ("--labels", labels), ("--plot", plot), ("--heatmap", heatmap)):
        if value == "":
            raise click.UsageError(f"Option '{name}' has an empty value: give it one, or leave it out.")
    from label_image.foreign_text import json_line, shown
    from label_image.model import ModelError, load_model
    from label_image.picture_files import PictureError
    from retrain.images import PhotoError, read_photo

    photos: Iterable[str] = find_photos(images)
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
    for position, path in enumerate(photos):
        try:
            photo = read_photo(path)
            verdict = loaded.label(photo, top_k)
            unknown = verdict.unknown and not always_answer
            title = str(verdict) if unknown else None
            drawn = {} if pictures is None else pictures.save(position, photo, verdict.answers, title)
        except (ModelError, PictureError) as error:
            raise click.ClickException(shown(str(error))) from None
        except PhotoError as error:
            failed = True
            message = f"{_shown(path)} {error}."
            click.echo(
                json_line({"image": path, "error": message}) if as_json else f"Error: {message}", err=not as_json
            )
            continue
        if as_json:
            top = [{"label": answer.label, "probability": answer.probability} for answer in verdict.answers]
            click.echo(json_line({"image": path, **top[0], "unknown": unknown, "top": top, **drawn}))
        else:
            click.echo(_shown(path))
            if title is not None:
                click.echo(f"  {shown(title)}")
            for answer in verdict.answers:
                click.echo(f"  {answer.probability:6.1%}  {shown(answer.label)}")
            for name, file in drawn.items():
                click.echo(f"  {name}: {_shown(file)}")
    if failed:
        sys.exit(1)


def find_photos(images: tuple[str, ...]) -> Iterator[str]:
    """The files that the arguments name; folders are walked, patterns expanded, hidden files passed over.

    An argument that matches nothing is yielded as it is, so that reading it says what is wrong.
    """
    for image in images:
        if os.path.isdir(image):
            found = False
            for folder, folders, files in os.walk(image):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                photos = [str(Path(folder, name)) for name in sorted(files) if not name.startswith(".")]
                found = found or bool(photos)
                yield from photos
            if not found:
                yield image
        elif not os.path.lexists(image) and glob.has_magic(image):
            yield from sorted(glob.glob(image, recursive=True)) or [image]
        else:
            yield image


def _pictures(plot: str | None, heatmap: str | None, photos: int) -> "Pictures":
    """The pictures that were asked for; wrong names for them are a wrong call."""
    from label_image.picture_files import PictureError
    from label_image.pictures import Pictures

    files = {"plot": plot, "heatmap": heatmap}
    try:
        return Pictures({name: Path(file) for name, file in files.items() if file}, photos)
    except PictureError as error:
        raise click.UsageError(str(error)) from None


def _shown(path: str) -> str:
    """A path as text that can be printed, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode(errors="backslashreplace")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: exit code 0, 1 if a photo or the model cannot be read, 2 for a wrong call."""
    try:
        cli.main(arguments, prog_name="label_image", standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
