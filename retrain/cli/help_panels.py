"""Help on one screen: `--help` shows the options that people use, `--help all` every one of them, in panels."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

ALL = "retrain.help.all"  # the key in click's `meta` that says that all options are asked for
FEW = 13  # a command with no more options than that shows all of them at once
# What click calls the type of a value, and a shorter word for it.
TYPES = {"INTEGER RANGE": "N", "FLOAT RANGE": "N", "FLOAT": "N", "DIRECTORY": "FOLDER"}

# The options of a training in the order of their help.
PANELS: Mapping[str, Sequence[str]] = {
    "Photos": (
        "--image_dir", "--add_images", "--layout", "--source_dir", "--max_images_per_class", "--fixes",
        "--category_names", "--folds", "--testing_percentage", "--validation_percentage", "--seed",
        "--accept_truncated", "--paranoid",
    ),
    "Backbone": (
        "--architecture", "--weights", "--tfhub_module", "--trust_model", "--image_size", "--precision", "--engine",
        "--store_dtype", "--require_gpu", "--executor", "--ray_address", "--bottleneck_dir", "--model_dir",
    ),
    "Head": (
        "--optimizer", "--l2", "--class_weight", "--label_smoothing", "--hidden_units", "--activation", "--dropout",
        "--epochs", "--learning_rate", "--learning_rate_schedule", "--train_batch_size", "--early_stopping_patience",
        "--checkpoint_path", "--resume",
    ),
    "Augmentation": (
        "--flip_left_right", "--random_crop", "--random_scale", "--random_brightness", "--random_rotation", "--views",
        "--tta",
    ),
    "Fine-tuning": ("--fine_tune_layers", "--compare"),
    "Output": ("--output_dir", "--formats", "--report", "--lang", "--summaries_dir", "--track", "--json", "--config"),
    "2017 compatibility": (
        "--how_many_training_steps", "--eval_step_interval", "--validation_batch_size", "--test_batch_size",
        "--output_graph", "--final_tensor_name", "--output_labels", "--saved_model_dir",
        "--print_misclassified_test_images", "--top_k",
    ),
}  # fmt: skip

# The options that people use, which `--help` shows: in their order, and for a training in one line each.
FIRST: Mapping[str, str] = {
    "--image_dir": "A folder per class, or a data set  [required]",
    "--architecture": "Pretrained network [default: efficientnet_lite0]",
    "--weights": "Weights of the network, instead of its own",
    "--fixes": "Photos to leave out or to relabel",
    "--l2": "Penalty on the weights  [default: chosen]",
    "--hidden_units": "Hidden layers, such as 512  [default: none]",
    "--flip_left_right": "Also train on mirrored photos",
    "--fine_tune_layers": "Train the last N layers of the network too",
    "--resume": "Continue a training that was stopped",
    "--output_dir": "Folder of the trained model",
    "--formats": "Formats of the model",
    "--report": "Write a web page about the run",
    "--json": "Print a summary as one JSON object",
    "--help": "Show this page; `--help all`: all options",
}


def takes_list(option: click.Option) -> bool:
    """Whether a value of it is a list with commas: its help says so to people, as in `N[,N…]`."""
    return "[," in (option.metavar or "")


class PanelCommand(click.Command):
    """A command whose `--help` fits one screen, and whose `--help all` lists every option in panels."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        return super().parse_args(context, without_all(context, arguments))

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        write_options(self, context, formatter)


class PanelGroup(click.Group):
    """A group of commands that knows `--help all`, too."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        # What follows the name of a command is that command's.
        own = arguments if arguments and arguments[0].startswith("--help") else []
        return super().parse_args(context, without_all(context, own) or arguments)


class TrainByDefault(PanelGroup):
    """A group whose help shows the options of `train`, its default command, as does what a shell offers."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        # A shell asks what could follow: a call itself names the command when it comes here.
        if context.resilient_parsing and arguments and arguments[0].startswith("-"):
            arguments = ["train", *arguments]
        return super().parse_args(context, arguments)

    def shell_complete(self, context: click.Context, incomplete: str) -> list["CompletionItem"]:
        train = self.commands["train"]
        first = train.shell_complete(click.Context(train, parent=context), incomplete)
        own = super().shell_complete(context, incomplete)
        return first + [item for item in own if item.value not in {other.value for other in first}]

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        train = self.commands["train"]
        train.format_options(click.Context(train, info_name="", parent=context), formatter)
        self.format_commands(context, formatter)


def without_all(context: click.Context, arguments: list[str]) -> list[str]:
    """The arguments with a plain `--help` instead of `--help all`; which of the two it was is kept in the context."""
    found = arguments.index("--help") + 1 if "--help" in arguments else 0
    if found and arguments[found : found + 1] == ["all"]:
        arguments = [*arguments[:found], *arguments[found + 1 :]]
    elif "--help=all" in arguments:
        arguments = ["--help" if argument == "--help=all" else argument for argument in arguments]
    else:
        return arguments
    context.meta[ALL] = True
    return arguments


def write_options(command: click.Command, context: click.Context, formatter: click.HelpFormatter) -> None:
    """All options in panels, or the few that people use and how to see the others."""
    options = {option.opts[0]: option for option in command.get_params(context) if isinstance(option, click.Option)}
    panels = panels_of(options, (command.name or "").capitalize())
    if context.meta.get(ALL) or len(options) <= FEW:
        for panel, names in panels.items():
            _write(formatter, panel, [options[name] for name in names], context, {})
        return
    required = [name for name, option in options.items() if option.required and name not in FIRST]
    first = [options[name] for name in (*required, *FIRST) if name in options]
    _write(formatter, "Options", first, context, FIRST if command.name == "train" else {})
    others = ", ".join(panel.lower() for panel in panels if panel in PANELS)
    formatter.write_paragraph()
    formatter.write_text(f"`{context.command_path.strip()} --help all` shows all {len(options)} options: {others}.")


def panels_of(options: Mapping[str, click.Option], own_title: str) -> dict[str, list[str]]:
    """The names of the options by panel, without empty panels; a short list is one panel.

    Options that are in no panel, because one command alone has them, come first under `own_title`.
    """
    if len(options) <= FEW:
        return {"Options": list(options)}
    panels = {panel: [name for name in names if name in options] for panel, names in PANELS.items()}
    placed = {name for names in panels.values() for name in names}
    own = [name for name in options if name not in placed and name != "--help"]
    panels = {own_title: own, **panels, "Output": [*panels["Output"], "--help"]}
    return {panel: names for panel, names in panels.items() if names}


def option_row(option: click.Option, context: click.Context) -> tuple[str, str]:
    """What help calls an option, with what it takes, and what it says of it."""
    name, text = option.get_help_record(context) or ("", "")
    for long, short in TYPES.items():
        name = name.replace(f" {long}", f" {short}")
    return name, text


def _write(
    formatter: click.HelpFormatter,
    title: str,
    options: Sequence[click.Option],
    context: click.Context,
    words: Mapping[str, str],
) -> None:
    """A section of options with their own help, or with these words."""
    rows = []
    for option in options:
        name, text = option_row(option, context)
        rows.append((name, words.get(option.opts[0], text)))
    with formatter.section(title):
        formatter.write_dl(rows)
