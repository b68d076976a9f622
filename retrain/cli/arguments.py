"""What every command refuses of the arguments that it is given."""

import click

from retrain.cli.help_panels import PanelCommand
from retrain.cli.reachable import check_reachable


class CheckedCommand(PanelCommand):
    """Refuses `--option=""` and empty arguments, which are nearly always shell variables that are not set.

    And paths that cannot even be looked at.
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
