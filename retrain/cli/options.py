"""The options of the command line, in groups that commands share."""

import math
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from label_image.not_paths import is_object_address
from label_image.user_path import File, Folder, Text, UserPath
from retrain.backbones.engines.registry import ENGINES
from retrain.bottlenecks.executors.registry import EXECUTORS
from retrain.cli.completion import one_or_more
from retrain.core.defaults import AUTO, BOTTLENECK_DIR, IMAGE_SIZES, MODEL_DIR, SEED, STORE_DTYPES
from retrain.core.language import LANGUAGES
from retrain.core.machine import PRECISIONS
from retrain.photos.augmentation import VIEWS, Augmentation
from retrain.photos.layouts.reading import LAYOUTS

Command = TypeVar("Command", bound=Callable[..., object])

Percentage = click.IntRange(0, 99)


class PhotosPath(UserPath):
    """Photos: a path, or an address, which stays a text, for a path has no two slashes side by side."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        return value if isinstance(value, str) and "://" in value else super().convert(value, parameter, context)


class StoreDir(UserPath):
    """A folder of this machine, or an address of object storage, which stays a text."""

    def __init__(self) -> None:
        super().__init__(file_okay=False)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if not isinstance(value, str) or "://" not in value:
            return super().convert(value, parameter, context)
        if not is_object_address(value):
            self.fail(f"{value} is not an address of object storage: s3://, gs:// or hdfs://.", parameter, context)
        if not value.split("://")[1].strip("/"):
            self.fail(f"{value} names no bucket: write {value.split('://')[0]}://bucket/folder.", parameter, context)
        return value.rstrip("/")


Photos = PhotosPath()
StoreFolder = StoreDir()


def group(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """One decorator that adds several options, in their order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


layout_option = click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default=AUTO,
    show_default=True,
    help="How a folder is read: folders are classes, or sides of a split with class folders, or classes are in the "
    "file names.",
)

truncated_option = click.option(
    "--accept_truncated", is_flag=True, help="Read JPEGs that end early as far as they go, instead of skipping them."
)

paranoid_option = click.option(
    "--paranoid", is_flag=True, help="Read every photo again, even if its size and dates are unchanged."
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=SEED,
    show_default=True,
    help="Seed of the split, the mini-batches and random weights.",
)

source_dir_option = click.option(
    "--source_dir",
    type=Folder,
    metavar="FOLDER",
    help="Folder for what is downloaded and unpacked: archives, Parquet, tfds:.  "
    "[default: sources, next to --bottleneck_dir]",
)

add_images_option = click.option(
    "--add_images",
    type=Photos,
    multiple=True,
    metavar="PATH",
    help="More photos, in any form that --image_dir takes, or a folder of one class; may be repeated.",
)

# Which of the photos, and how they are split.
choice_options = group(
    add_images_option,
    layout_option,
    source_dir_option,
    click.option(
        "--max_images_per_class",
        type=click.IntRange(min=1),
        metavar="N",
        help="Use at most N photos of each class, chosen by a hash of their names; the same ones in every run.",
    ),
    click.option(
        "--fixes",
        type=File,
        metavar="FILE",
        help="Photos to leave out or to count as another class: the fixes.csv of `retrain doctor`, edited by you.",
    ),
    click.option(
        "--category_names",
        type=File,
        metavar="FILE",
        help='Names to show for the classes: JSON such as {"21": "fire lily"}, by folder name or index.',
    ),
    click.option(
        "--testing_percentage",
        type=Percentage,
        help="Make one split, with this percentage of the photos as the test set.",
    ),
    click.option(
        "--validation_percentage",
        type=Percentage,
        help="Make one split, with this percentage of the photos for choices during training.",
    ),
    seed_option,
    truncated_option,
    paranoid_option,
)

folds_option = click.option(
    "--folds",
    type=click.IntRange(min=0),
    metavar="N",
    help="N-fold cross-validation: every photo is tested by a head trained without its fold; 0: one split.  "
    "[default: 5; 0 with percentages, mini-batches or very many photos]",
)
# None stands for the language of the user's locale, so that no command that is repeated says one.
lang_option = click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    help="Language of the page.  [default: that of the locale ($LANG) if it is one of these, else en]",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print a summary as one JSON object on standard output."
)
# Of commands that take a model and photos.
category_names_option = click.option(
    "--category_names", type=File, metavar="FILE", help="The --category_names of the training run, if it had any."
)
unpacking_option = group(
    click.option(
        "--bottleneck_dir",
        type=StoreFolder,
        default=BOTTLENECK_DIR,
        show_default=True,
        help="Photos that are not in a folder (archives, Parquet, tfds:) are unpacked next to this one.",
    ),
    source_dir_option,
)

# Which photos, and how they are split.
photo_options = group(
    click.option(
        "--image_dir",
        type=Photos,
        required=True,
        metavar="PATH",
        help="Photos: a folder per class, also inside train/ val/ test/; a table (.csv .tsv .jsonl .parquet); an "
        "archive, or its address; a Hugging Face folder; tfds:NAME[:split]; dataset.parquet of a run.",
    ),
    choice_options,
)


def _weights(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> str | dict[str, str] | None:
    """Weights of the one backbone, or by the names of several. A file may have an `=` in its name, too."""
    # Here, and not above: it imports NumPy and Pillow.
    from retrain.backbones.registry import ARCHITECTURES

    named = [value for value in values if "=" in value and value.partition("=")[0] in ARCHITECTURES]
    if len(values) == 1 and not named:
        return os.path.expanduser(values[0])
    if len(named) < len(values):
        raise click.BadParameter("pass one FILE, or NAME=FILE for each of the joined architectures.")
    return weights_by_name(context, parameter, values) or None


def _architectures() -> tuple[str, ...]:
    from retrain.backbones.registry import ARCHITECTURES

    return tuple(ARCHITECTURES)


trust_option = click.option(
    "--trust_model",
    is_flag=True,
    help="Run a SavedModel or .pb from elsewhere even if it may do more than compute, such as write files.",
)

# Which network computes the bottlenecks.
network_options = group(
    click.option(
        "--architecture",
        shell_complete=one_or_more(_architectures, "+"),
        metavar="NAME",
        help="Pretrained network: efficientnet_lite0, efficientnet_lite2, inception_v3, mobilenet_1.0_224, …; "
        "a+b uses both side by side.  [default: efficientnet_lite0]",
    ),
    click.option(
        "--weights",
        multiple=True,
        callback=_weights,
        metavar="FILE|URL|random",
        help="Weights of the backbone, instead of the published ones; for a+b NAME=FILE, once for each.",
    ),
    click.option(
        "--tfhub_module", type=Text, metavar="HANDLE|FOLDER", help="Use a TF-Hub feature vector as the backbone."
    ),
    trust_option,
    click.option(
        "--image_size",
        type=click.IntRange(*IMAGE_SIZES),
        help="Input size in pixels, instead of the architecture's own.",
    ),
)

executor_options = group(
    click.option(
        "--executor",
        type=click.Choice(EXECUTORS),
        default="local",
        show_default=True,
        help="Where bottlenecks are computed: in this process, or by Ray, on the machines of a cluster.",
    ),
    click.option(
        "--ray_address",
        type=Text,
        metavar="ADDRESS",
        help="With --executor ray: the cluster, as in 10.0.0.1:6379.  [default: $RAY_ADDRESS, else one started here]",
    ),
)

# How bottlenecks are computed, and where they are kept.
store_options = group(
    click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default=AUTO,
        show_default=True,
        help="Precision in which bottlenecks are computed; auto: float16 on a GPU, bfloat16 on a CPU that supports it, "
        "else float32. int8 (extra int8, on a CPU) is calibrated on some photos. Exports are float32.",
    ),
    click.option(
        "--store_dtype",
        type=click.Choice(STORE_DTYPES),
        default=STORE_DTYPES[0],
        show_default=True,
        help="How bottlenecks are kept; float16 takes half the disk, for millions of photos.",
    ),
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default=AUTO,
        show_default=True,
        help="Library that runs the backbone; auto: openvino on a CPU if it is installed, else tensorflow.",
    ),
    click.option("--require_gpu", is_flag=True, help="Stop if there is no GPU."),
    click.option(
        "--bottleneck_dir",
        type=StoreFolder,
        default=BOTTLENECK_DIR,
        show_default=True,
        help="Folder, or s3://, gs:// or hdfs:// address, in which bottlenecks are kept for later runs.",
    ),
    click.option(
        "--model_dir",
        type=Folder,
        default=MODEL_DIR,
        show_default=True,
        help="Folder of the weights, NAME.weights.h5; downloads go there too.",
    ),
)

backbone_options = group(network_options, store_options)


def _layers(context: click.Context, parameter: click.Parameter, value: str | None) -> int | str | None:
    """A number of layers, or `all`."""
    if value is None or value == "all":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number of layers nor all.")
    return int(value)


# How the views of a photo may differ from it.
distortion_options = group(
    click.option("--flip_left_right", is_flag=True, help="Also train on mirrored photos."),
    click.option(
        "--random_crop",
        type=click.IntRange(0, 99),
        default=Augmentation.random_crop,
        metavar="P",
        help="Also train on random crops that cut off P percent.",
    ),
    click.option(
        "--random_scale",
        type=click.IntRange(min=0),
        default=Augmentation.random_scale,
        metavar="P",
        help="Also train on photos enlarged by up to P percent.",
    ),
    click.option(
        "--random_brightness",
        type=click.IntRange(0, 99),
        default=Augmentation.random_brightness,
        metavar="P",
        help="Also train on photos up to P percent brighter or darker.",
    ),
    click.option(
        "--random_rotation",
        type=click.IntRange(0, 180),
        default=Augmentation.random_rotation,
        metavar="D",
        help="Also train on photos turned by up to D degrees.",
    ),
)

views_option = click.option(
    "--views",
    type=click.IntRange(min=1),
    metavar="K",
    help="Views per photo, the photo itself included; their bottlenecks are kept. "
    f"[default: up to {VIEWS} with augmentation]",
)

# What else is trained on, and what else is trained.
augmentation_options = group(
    distortion_options,
    views_option,
    click.option(
        "--tta", is_flag=True, help="Evaluate with the mean answer over all views of a photo (test-time augmentation)."
    ),
    click.option(
        "--fine_tune_layers",
        callback=_layers,
        metavar="N|all",
        help="Train the last N layers of the backbone too, after the head; the better model is kept.",
    ),
    click.option(
        "--compare", type=click.Choice(("scratch",)), help="Also train a small network from scratch, to compare with."
    ),
)


def names(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """Names with commas between them, each once."""
    found = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
    if not all(part for name in found for part in name.split("+")):
        raise click.BadParameter(f"{value!r} has an empty name: separate names with commas, or join two as a+b.")
    return found


def numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...]:
    """Numbers greater than 0 with commas between them."""
    try:
        found = tuple(dict.fromkeys(float(part) for part in value.split(","))) if value is not None else ()
    except ValueError:
        found = (math.nan,)
    if not all(0 < number < math.inf for number in found):
        raise click.BadParameter(f"{value!r} is not a list of numbers greater than 0, such as 0.1,0.01.")
    return found


def weights_by_name(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Weights by architecture, as in `resnet50=my.weights.h5`."""
    weights = {}
    for value in values:
        name, equals, file = value.partition("=")
        if not (name and equals and file):
            raise click.BadParameter(f"{value!r} does not say for which architecture: pass NAME=FILE.")
        weights[name] = os.path.expanduser(file)
    return weights
