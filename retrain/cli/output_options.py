"""The options of a training that say what is written, and what is said about it."""

import click

from label_image.user_path import File, Folder
from retrain.cli.options import group, json_option, lang_option, names
from retrain.core.defaults import FINAL_TENSOR_NAME, TOP_K
from retrain.exports.registry import TRAINING_FORMATS, check_formats


def _formats(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return check_formats(names(context, parameter, value))


def _trackers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return () if value is None else names(context, parameter, value)


# What is written.
export_options = group(
    click.option(
        "--output_dir",
        type=Folder,
        default="tf_files/model",
        show_default=True,
        help="Folder of the trained model: SavedModel, model.tflite, labels.txt, model.json, metrics.json …",
    ),
    click.option(
        "--formats",
        callback=_formats,
        default=",".join(TRAINING_FORMATS),
        show_default=True,
        metavar="NAME[,NAME…]",
        help="Formats of the model: label_image runs tflite, `retrain export` makes others of saved_model.",
    ),
    click.option("--output_graph", type=File, help="Also write a frozen GraphDef to this file, as in 2017."),
    click.option("--output_labels", type=File, help="Also write the labels to this file, one per line."),
    click.option("--saved_model_dir", type=Folder, help="Also write the SavedModel to this folder."),
    click.option(
        "--final_tensor_name",
        default=FINAL_TENSOR_NAME,
        show_default=True,
        metavar="NAME",
        help="With --output_graph: name of the output.",
    ),
)

# What is said about the result.
report_options = group(
    click.option(
        "--top_k",
        type=click.IntRange(min=1),
        default=TOP_K,
        show_default=True,
        help="With --print_misclassified_test_images or --report: answers shown per photo.",
    ),
    click.option("--print_misclassified_test_images", is_flag=True, help="List the misclassified test photos."),
    click.option(
        "--report", type=File, metavar="FILE", help="Write a web page about the run, with the doctor's findings."
    ),
    lang_option,
    click.option("--summaries_dir", type=Folder, help="Write TensorBoard summaries to a new folder in here."),
    click.option(
        "--track",
        callback=_trackers,
        metavar="NAME[,NAME…]",
        help="Keep options and figures of the run in a tracker: mlflow, in tf_files/mlruns or MLFLOW_TRACKING_URI.",
    ),
    json_option,
)
