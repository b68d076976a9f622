"""What every command refuses of the arguments that it is given."""

from collections.abc import Sequence

import click

from retrain.cli.help_panels import PanelCommand
from retrain.cli.reachable import check_reachable


class CheckedCommand(PanelCommand):
    """Refuses `--option=""` and empty arguments, which are nearly always shell variables that are not set.

    And paths that cannot even be looked at, and a second value of an option that takes one.
    """

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        for option, value in zip(["", *arguments], arguments, strict=False):
            name, equals, rest = value.partition("=")
            if name.startswith("--") and equals and not rest:
                raise click.UsageError(f"Option '{name}' has an empty value: give it one, or leave it out.", context)
            if value == "" and not option.startswith("--"):
                raise click.UsageError("There is an empty argument: is a variable not set?", context)
            if value == "":
                raise click.UsageError(f"Option '{option}' has an empty value: give it one, or leave it out.", context)
        left = super().parse_args(context, arguments)
        check_reachable(context)
        return left

    def what_to_write(self, option: click.Option, values: Sequence[str]) -> str:
        if option.name == "architecture":
            compared = f"`retrain sweep --architecture {','.join(values)}` compares them"
            return f"{'+'.join(values)} uses {'both' if len(values) == 2 else 'all'} side by side, and {compared}"
        return super().what_to_write(option, values)
