"""How a command line of Click is read and run: its errors well said, its exit codes, and how a signal ends it."""

import copy
import sys
from collections.abc import Iterator, Sequence

import click

from label_image.show_error import show_error
from label_image.signals import exit_code, say_stopped, stops_come_first
from label_image.terminal import run, shown


class OnceCommand(click.Command):
    """A command that refuses an option with a second value, which would silently take the place of the first."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        given = list(arguments)  # Click empties the other list
        left = super().parse_args(context, arguments)
        for option, values in () if context.resilient_parsing else _values_of_each(self, context, given):
            if len(set(values)) > 1:
                often = "twice" if len(values) == 2 else f"{len(values)} times"
                listed = f"{', '.join(values[:-1])} and {values[-1]}"
                raise click.UsageError(
                    shown(
                        f"{option.opts[0]} is given {often}, as {listed}, and only the last would count: "
                        f"{self.what_to_write(option, values)}."
                    ),
                    context,
                )
        return left

    def what_to_write(self, option: click.Option, values: Sequence[str]) -> str:
        """What who gives an option several values is told to write."""
        if "[," in (option.metavar or ""):  # as in N[,N…]
            return f"separate values with commas, {option.opts[0]} {','.join(values)}"
        return "give it once"


def _values_of_each(
    command: click.Command, context: click.Context, arguments: list[str]
) -> Iterator[tuple[click.Option, list[str]]]:
    """The options of a call that take one value, with all that they are given."""
    single = {str(one.name): one for one in command.params if isinstance(one, click.Option) and _takes_one(one)}
    listing = copy.copy(command)
    listing.params = [copy.copy(one) for one in command.params]
    for one in listing.params:
        if isinstance(one, click.Option) and one.name in single:
            one.multiple = True
    found, _, _ = listing.make_parser(context).parse_args(arguments)
    return ((option, found[name]) for name, option in single.items() if name in found)


def _takes_one(option: click.Option) -> bool:
    return not (option.multiple or option.is_flag or option.count) and option.nargs == 1


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
