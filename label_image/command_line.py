"""How a command line of Click is run: its errors well said, its exit codes, and how a signal ends it."""

import sys

import click

from label_image.show_error import show_error
from label_image.signals import exit_code, say_stopped, stops_come_first
from label_image.terminal import run


def run_command(command: click.Command, name: str, arguments: list[str] | None = None) -> None:
    """Run a command by its name; ends the process with another exit code than 0 where it cannot go on."""
    run(lambda: _run(command, name, arguments))


def _run(command: click.Command, name: str, arguments: list[str] | None) -> None:
    try:
        with stops_come_first():
            command.main(arguments, prog_name=name, standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        show_error(error)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say_stopped()
        sys.exit(exit_code())
