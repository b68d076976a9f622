"""`retrain sweep`: many heads on cached bottlenecks."""

from typing import TYPE_CHECKING, Any

import click

from label_image.json_outputs import output_line
from label_image.user_path import File
from retrain.cli.arguments import CheckedCommand
from retrain.cli.command_line import command_of
from retrain.cli.config_file import config_option
from retrain.cli.configs import backbone_config, extraction_config, made, source_config, split_config
from retrain.cli.dashes import as_options
from retrain.cli.options import (
    distortion_options,
    executor_options,
    group,
    json_option,
    lang_option,
    names,
    numbers,
    photo_options,
    store_options,
    weights_by_name,
)
from retrain.cli.train import train
from retrain.core.language import in_language, language_of_user
from retrain.photos.augmentation import VIEWS
from retrain.photos.folds import FOLDS
from retrain.training.recipe import CLASS_WEIGHTS, EPOCHS, OPTIMIZERS

if TYPE_CHECKING:
    from retrain.training.grid import Configuration


def _heads(context: click.Context, parameter: click.Parameter, value: str) -> tuple[tuple[int, ...], ...]:
    """Heads with commas between them: 0 for a linear one, 256 for a hidden layer, 512-256 for two."""
    try:
        heads = tuple(dict.fromkeys(tuple(int(part) for part in head.split("-")) for head in value.split(",")))
    except ValueError:
        heads = ((-1,),)
    if any(min(units) < 1 for units in heads if units != (0,)):
        raise click.BadParameter(f"{value!r} is not a list of heads, such as 0,256,512-256 (0 is a linear head).")
    return tuple(() if units == (0,) else units for units in heads)


def _view_counts(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Numbers of views with commas between them."""
    try:
        found = tuple(dict.fromkeys(int(part) for part in value.split(","))) if value is not None else (1,)
    except ValueError:
        found = (0,)
    if min(found) < 1:
        raise click.BadParameter(f"{value!r} is not a list of numbers of views, such as 1,8.")
    return found if value is not None else ()


def _class_weights(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str | None, ...]:
    """`none` and `balanced` with a comma between them."""
    found = names(context, parameter, value)
    for name in found:
        if name not in ("none", *CLASS_WEIGHTS):
            raise click.BadParameter(f"{name} is not known; choose from none, {', '.join(CLASS_WEIGHTS)}.")
    return tuple(None if name == "none" else name for name in found)


def _optimizers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    found = names(context, parameter, value) if value is not None else ()
    for name in found:
        if name not in OPTIMIZERS:
            raise click.BadParameter(f"{name} is not known; choose from {', '.join(OPTIMIZERS)}.")
    return found


# What a sweep tries, each with each.
sweep_options = group(
    click.option(
        "--architecture",
        "architectures",
        callback=names,
        required=True,
        metavar="NAME[,NAME+NAME…]",
        help="Pretrained networks, separated by commas; a+b uses both side by side.",
    ),
    click.option(
        "--weights",
        multiple=True,
        callback=weights_by_name,
        metavar="NAME=FILE|URL|random",
        help="Weights of one backbone, instead of the published ones; once for each.",
    ),
    click.option(
        "--l2",
        callback=numbers,
        metavar="N[,N…]",
        help="Penalties on the weights. [default: those that `retrain` tries; one with mini-batches]",
    ),
    click.option(
        "--hidden_units",
        callback=_heads,
        default="0",
        show_default=True,
        metavar="N[,N-N…]",
        help="Hidden layers: 0 for none, 256 for one layer, 512-256 for two.",
    ),
    click.option(
        "--optimizer",
        "optimizers",
        callback=_optimizers,
        metavar="NAME[,NAME…]",
        help="Optimizers; lbfgs fits all linear heads to convergence together. "
        "[default: lbfgs for linear heads, adam with hidden layers]",
    ),
    click.option(
        "--learning_rate",
        "learning_rates",
        callback=numbers,
        metavar="N[,N…]",
        help="Learning rates for mini-batch training.",
    ),
    click.option(
        "--epochs", type=click.IntRange(min=1), help=f"Maximum epochs of mini-batch training. [default: {EPOCHS}]"
    ),
    click.option(
        "--class_weight",
        "class_weights",
        callback=_class_weights,
        default="none",
        show_default=True,
        metavar="NAME[,NAME]",
        help="With balanced every class counts the same, with none every photo does.",
    ),
    distortion_options,
    click.option(
        "--views",
        "view_counts",
        callback=_view_counts,
        metavar="K[,K…]",
        help=f"Views per training photo, the photo itself included. [default: up to {VIEWS} with augmentation, else 1]",
    ),
    click.option(
        "--folds", type=click.IntRange(min=2), default=FOLDS, show_default=True, help="Folds of the cross-validation."
    ),
    click.option(
        "--output_csv",
        type=File,
        default="tf_files/sweep.csv",
        show_default=True,
        help="CSV file for the table; an earlier one that differs is kept as NAME.1 and so on.",
    ),
    click.option("--report", type=File, metavar="FILE", help="Also write the table as a web page with charts."),
    lang_option,
    json_option,
)


@click.command(cls=CheckedCommand)
@config_option()
@photo_options
@sweep_options
@store_options
@executor_options
def sweep(**options: Any) -> None:
    """Try many heads, and choose the best by cross-validation."""
    # Its folds are those in which the configurations are compared; the photos for testing stay out of them.
    split = split_config({**options, "folds": 0})
    from rich.console import Console

    from retrain.insight.report.sweep_page import write_sweep_page
    from retrain.insight.sweep_table import check_table, show_sweep, sweep_summary, write_table
    from retrain.insight.terminal import TerminalScreen
    from retrain.photos.augmentation import Augmentation
    from retrain.runs.sweep import Grid, SweepConfig, run_sweep

    grid = made(Grid, {**options, "views": options["view_counts"]})
    # Architectures and weights are those of the grid.
    backbone = backbone_config({name: options[name] for name in ("model_dir", "seed")})
    config = SweepConfig(
        source_config(options),
        grid,
        options["folds"],
        split,
        backbone,
        extraction_config(options),
        made(Augmentation, options),
    )
    table, report = options["output_csv"], options["report"]
    check_table(table, report, config.extraction.local_dir, *config.source.places)
    screen = TerminalScreen(as_options)
    try:
        result = run_sweep(config, screen)
    finally:
        screen.finish()
    command = command_of(train, options_of(result.results[0].configuration, options))
    write_table(result.results, table)
    written = [table]
    if report is not None:
        with in_language(options["lang"] or language_of_user()):
            written.append(write_sweep_page(report, result, config, command, table))
    show_sweep(result, written, command, Console(stderr=options["as_json"], highlight=False))
    if options["as_json"]:
        print(output_line(sweep_summary(result, written, command)))


def options_of(chosen: "Configuration", options: dict[str, Any]) -> dict[str, Any]:
    """The options of `retrain` that train and export what a sweep with these options has chosen."""
    recipe = chosen.recipe
    shared = ("add_images", "layout", "max_images_per_class", "fixes", "category_names", "source_dir",
              "accept_truncated", "testing_percentage", "validation_percentage", "seed", "precision", "store_dtype",
              "engine", "executor", "ray_address", "require_gpu", "bottleneck_dir", "model_dir")  # fmt: skip
    asked = {"image_dir": options["image_dir"], "architecture": chosen.architecture}
    asked |= {name: options[name] for name in shared}
    asked["optimizer"] = None if recipe.optimizer == "lbfgs" else recipe.optimizer
    asked["hidden_units"] = recipe.hidden_units
    asked["epochs"] = recipe.epochs
    asked["learning_rate"] = recipe.learning_rate or None
    asked["l2"] = recipe.l2 if recipe.optimizer == "lbfgs" else recipe.l2 or None
    asked["class_weight"] = recipe.class_weight
    if chosen.views > 1:
        for name in ("random_crop", "random_scale", "random_brightness", "random_rotation"):
            asked[name] = options[name]
        asked["views"] = chosen.views
    parts = chosen.architecture.split("+")
    asked["weights"] = {name: file for name, file in options["weights"].items() if name in parts}
    if chosen.views > 1:
        asked["flip_left_right"] = options["flip_left_right"]
    return asked
