"""The command line of `retrain`: its commands as one program, and how an error of theirs ends it.

Heavy modules are imported inside the commands, so that `--help` answers at once.
"""

import difflib
import os
import shlex
import sys

import click

from label_image.installing import DISTRIBUTION, what_is_missing
from label_image.show_error import show_error
from label_image.signals import exit_code, say_stopped, stops_come_first
from label_image.terminal import complain, require_address_space, require_working_folder, run, shown
from retrain.cli.dashes import at_work, with_dashes
from retrain.cli.demo import demo
from retrain.cli.doctor import doctor
from retrain.cli.evaluate import evaluate
from retrain.cli.export import export
from retrain.cli.extract import extract
from retrain.cli.features import features
from retrain.cli.fetch import fetch
from retrain.cli.help_panels import TrainByDefault
from retrain.cli.look import look
from retrain.cli.push import push
from retrain.cli.similar import similar
from retrain.cli.store import store
from retrain.cli.studio import studio
from retrain.cli.sweep import sweep
from retrain.cli.train import train
from retrain.core.errors import RetrainError

ADDRESS_SPACE = 4_000_000_000  # what TensorFlow takes up for the smallest network; in memory it is far less


def train_is_the_default(arguments: list[str]) -> list[str]:
    """`retrain --image_dir cats` means `retrain train --image_dir cats`.

    Raises UsageError for a first word that is neither an option nor a command.
    """
    first = arguments[0] if arguments else "--image_dir"
    if first in (*cli.commands, "--help", "--version"):
        return arguments
    if not first.startswith("-"):
        raise click.UsageError(f"{first!r} is not a command; {_meant(first)}")
    return ["train", *arguments]


def _meant(word: str) -> str:
    """What to call where this is no command."""
    if os.path.exists(word):
        return f"`retrain --image_dir {shown(shlex.quote(word))}` trains on these photos."
    like = difflib.get_close_matches(word, cli.commands, n=1)
    return f"did you mean {like[0]}?" if like else "`retrain --help` shows which there are."


def _with_command_first(error: click.ClickException, arguments: list[str]) -> click.ClickException:
    """Of `retrain --lang pt studio cats`, which is taken for `train`, also that a command comes first."""
    command = next((word for word in arguments if word in cli.commands), None)
    if command is None or not isinstance(error, click.UsageError) or not arguments[0].startswith("-"):
        return error
    said = f"{error.format_message()} If {command} is meant as the command, it comes first: `retrain {command}`."
    return click.UsageError(said, error.ctx)


def underscores(name: str) -> str:
    """`--image-dir` is `--image_dir`."""
    return name.replace("-", "_")


@click.group(
    cls=TrainByDefault,
    context_settings={
        "token_normalize_func": underscores,
        "max_content_width": 100,
        "auto_envvar_prefix": "RETRAIN",  # RETRAIN_TRAIN_BOTTLENECK_DIR is what `train` takes for --bottleneck_dir
    },
)
@click.version_option(package_name=DISTRIBUTION, allow_from_autoenv=False)  # RETRAIN_VERSION is no question
def cli() -> None:
    """Retrain an image classifier on a folder of photos per class.

    Example: retrain --image_dir cats
    """
    require_working_folder()
    require_address_space(ADDRESS_SPACE)


for command in (
    demo, fetch, look, extract, features, similar, train, sweep, evaluate, export, push, doctor, studio, store,
):  # fmt: skip
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors are one sentence, exit code 2 for a wrong call, 1 for a failed run."""
    run(lambda: _main(sys.argv[1:] if arguments is None else arguments))


def _main(arguments: list[str]) -> None:
    try:
        with stops_come_first():
            cli.main(train_is_the_default(arguments), prog_name="retrain", standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        show_error(_with_command_first(error, arguments))
        sys.exit(error.exit_code)
    except RetrainError as error:
        command = at_work(cli, train_is_the_default(arguments))
        complain(f"Error: {shown(with_dashes(str(error), cli, command))}")
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        sentence = what_is_missing(error)
        if sentence is None:
            raise
        complain(f"Error: {sentence}")
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        head = " (with --resume the training of the head, too)" if train_is_the_default(arguments)[0] == "train" else ""
        say_stopped(f"What was computed is kept: run the same command again to continue{head}.")
        sys.exit(exit_code())
