"""The options of the head: how it is trained."""

import click

from label_image.user_path import File
from retrain.cli.options import group
from retrain.training.recipe import (
    ACTIVATIONS,
    CLASS_WEIGHTS,
    EPOCHS,
    EVAL_STEP_INTERVAL,
    OPTIMIZERS,
    PATIENCE,
    SCHEDULES,
    WEIGHT_DECAY,
    HeadConfig,
)

BatchSize = click.IntRange(min=-1)


def _units(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """The units of hidden layers, as in `512,256`."""
    try:
        units = tuple(int(part) for part in (value or "0").split(","))
    except ValueError:
        units = (0,)
    if value is not None and min(units) < 1:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers of at least 1, such as 512,256.")
    return units if value is not None else ()


def _photos_at_a_time(context: click.Context, parameter: click.Parameter, value: int) -> int:
    """A number of photos; -1: all."""
    if value == 0:
        raise click.BadParameter("must be at least 1, or -1 for all.")
    return value


# How the head is trained. What is left out is chosen in retrain.training.recipe, which also says what goes together.
head_options = group(
    click.option(
        "--optimizer",
        type=click.Choice(OPTIMIZERS),
        help="How the head is trained: lbfgs to convergence, the others with mini-batches. "
        "[default: lbfgs; adam with --hidden_units, --epochs and the like; "
        "sgd with 2017 options only]",
    ),
    click.option(
        "--hidden_units", callback=_units, metavar="N[,N…]", help="Units of the hidden layers, such as 512 or 512,256."
    ),
    click.option("--dropout", type=float, help="Share of the hidden units dropped in each step. [default: 0]"),
    click.option(
        "--activation", type=click.Choice(ACTIVATIONS), help="Activation of the hidden layers. [default: relu]"
    ),
    click.option(
        "--epochs",
        type=click.IntRange(min=1),
        help=f"Maximum number of passes over the training photos. [default: {EPOCHS}]",
    ),
    click.option(
        "--how_many_training_steps",
        type=click.IntRange(min=1),
        help="Number of mini-batches to train on, instead of --epochs.",
    ),
    click.option(
        "--learning_rate",
        type=click.FloatRange(min=0, min_open=True),
        help="Learning rate for mini-batch training. [default: 0.001 for adam and adamw, 0.01 for sgd and momentum]",
    ),
    click.option(
        "--learning_rate_schedule",
        type=click.Choice(SCHEDULES),
        help="Schedule of the learning rate; cosine falls to 0 by the end. [default: constant for sgd, else cosine]",
    ),
    click.option(
        "--l2",
        type=float,
        help="Penalty on the weights (weight decay for adamw). "
        f"[default: chosen by folds or on the validation photos for lbfgs, {WEIGHT_DECAY} for adamw, else 0]",
    ),
    click.option(
        "--label_smoothing",
        type=float,
        default=HeadConfig.label_smoothing,
        show_default=True,
        help="Label smoothing: how far the targets move towards equal probabilities.",
    ),
    click.option(
        "--class_weight",
        type=click.Choice(CLASS_WEIGHTS),
        help="With balanced every class counts the same, however many photos it has.",
    ),
    click.option(
        "--early_stopping_patience",
        type=click.IntRange(min=1),
        metavar="N",
        help="Stop after N evaluations without a lower validation cross-entropy. "
        f"[default: {PATIENCE} with epochs, none with steps]",
    ),
    click.option(
        "--train_batch_size",
        type=click.IntRange(min=1),
        default=HeadConfig.train_batch_size,
        show_default=True,
        help="Photos per mini-batch.",
    ),
    click.option(
        "--validation_batch_size",
        type=BatchSize,
        callback=_photos_at_a_time,
        default=HeadConfig.validation_batch_size,
        show_default=True,
        help="Validation photos in each evaluation of mini-batch training; -1: all.",
    ),
    click.option(
        "--test_batch_size",
        type=BatchSize,
        callback=_photos_at_a_time,
        default=HeadConfig.test_batch_size,
        show_default=True,
        help="Does nothing to the result; kept for 2017 scripts: test photos at a time, -1: all at once.",
    ),
    click.option(
        "--eval_step_interval",
        type=click.IntRange(min=1),
        help=f"Training steps between evaluations. [default: an epoch; {EVAL_STEP_INTERVAL} with steps]",
    ),
    click.option(
        "--checkpoint_path",
        type=File,
        help="File that keeps the state of the training. [default: OUTPUT_DIR.checkpoint.npz]",
    ),
    click.option("--resume", is_flag=True, help="Continue from the checkpoint, if there is one."),
)
