"""The options of `retrain sweep`, beside those that it shares with `retrain` (`retrain.cli.options`)."""

import click

from label_image.user_path import File
from retrain.cli.options import distortion_options, group, names, numbers, weights_by_name
from retrain.training.recipe import CLASS_WEIGHTS, EPOCHS, OPTIMIZERS, VIEWS


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
        "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Folds of the cross-validation."
    ),
    click.option(
        "--output_csv",
        type=File,
        default="tf_files/sweep.csv",
        show_default=True,
        help="CSV file for the table; an earlier one that differs is kept as NAME.1 and so on.",
    ),
    click.option("--report", type=File, metavar="FILE", help="Also write the table as a web page with charts."),
)
