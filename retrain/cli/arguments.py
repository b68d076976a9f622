"""What every command refuses of the arguments that it is given."""

import copy
from collections.abc import Sequence

import click

from label_image.terminal import shown
from retrain.cli.help_panels import PanelCommand
from retrain.cli.reachable import check_reachable


class CheckedCommand(PanelCommand):
    """Refuses `--option=""` and empty arguments, which are nearly always shell variables that are not set.

    And paths that cannot even be looked at, and an option that takes several values, and is given several times
    instead: the last would count alone, as it should where there can be but one.
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
        given = list(arguments)  # Click empties the other list
        left = super().parse_args(context, arguments)
        if not context.resilient_parsing:
            self._refuse_repeated(context, given)
        check_reachable(context)
        return left

    def _refuse_repeated(self, context: click.Context, arguments: list[str]) -> None:
        several = [one for one in self.params if isinstance(one, click.Option) and _takes_several(one)]
        listing = copy.copy(self)
        listing.params = [copy.copy(one) for one in self.params]
        for one in listing.params:
            if isinstance(one, click.Option) and _takes_several(one):
                one.multiple = True
        found, _, _ = listing.make_parser(context).parse_args(arguments)
        for option in several:
            values = found.get(option.name, ())
            if len(set(values)) > 1:
                raise click.UsageError(
                    shown(
                        f"{option.opts[0]} is given {len(values)} times, and only the last would count: "
                        f"{_what_to_write(option, values)}."
                    ),
                    context,
                )


def _takes_several(option: click.Option) -> bool:
    """Whether one value of it can name several things, as in N[,N…] or NAME+NAME."""
    return not option.multiple and (option.name == "architecture" or "[," in (option.metavar or ""))


def _what_to_write(option: click.Option, values: Sequence[str]) -> str:
    if "[," in (option.metavar or ""):
        return f"separate them with commas, {option.opts[0]} {','.join(values)}"
    together = f"{'+'.join(values)} uses {'both' if len(values) == 2 else 'all'} side by side"
    return f"{together}, and `retrain sweep {option.opts[0]} {','.join(values)}` compares them"
