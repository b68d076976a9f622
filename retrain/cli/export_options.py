"""The options of `retrain export`."""

import click

from label_image.user_path import AnyPath, Folder, Text
from retrain.cli.options import category_names_option, group, json_option, names, trust_option, unpacking_option
from retrain.exports.registry import FORMATS

ALL = "all"


def _exports(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    found = names(context, parameter, value)
    for name in found:
        if name not in (*FORMATS, ALL):
            raise click.BadParameter(f"{name} is not known: give some of {', '.join(FORMATS)}, or {ALL}.")
    return tuple(name for name in FORMATS if name in found or ALL in found)


# Which further formats are made of an export, and what they are judged on.
further_options = group(
    click.argument("model", type=AnyPath),
    click.option(
        "--to",
        "formats",
        callback=_exports,
        required=True,
        metavar="NAME[,NAME…]",
        help=f"The formats: {', '.join(FORMATS)}; {ALL}: each of them.",
    ),
    click.option(
        "--image_dir",
        type=Text,
        required=True,
        metavar="PATH",
        help="Photos in class folders, or what else a training takes: each format is run on those that were not "
        "trained on, int8 is calibrated with some of the others.",
    ),
    category_names_option,
    trust_option,
    click.option(
        "--force", is_flag=True, help="Keep a float16 or int8 format that loses more than 1 point of accuracy."
    ),
    click.option(
        "--serving_dir",
        type=Folder,
        metavar="DIR",
        help="Also copy the SavedModel to the next version folder in here (1, 2, …), as TensorFlow Serving wants it.",
    ),
    unpacking_option,
    json_option,
)
