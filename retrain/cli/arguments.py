"""What every command refuses of the arguments that it is given."""

import copy
import re
from collections.abc import Sequence

import click

from label_image.terminal import shown
from retrain.cli.help_panels import PanelCommand, takes_list
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
        # Click keeps the last value alone: it is asked again, with options that may be repeated.
        asked = copy.copy(self)
        asked.params = [copy.copy(one) for one in self.params]
        several = [one for one in asked.params if isinstance(one, click.Option) and _takes_several(one)]
        for option in several:
            option.multiple = True
        found, _, _ = asked.make_parser(context).parse_args(arguments)
        for option in several:
            values = found.get(str(option.name), ())
            if len(set(values)) > 1:
                said = f"{option.opts[0]} is given {len(values)} times, and only the last would count"
                raise click.UsageError(shown(f"{said}: {self._what_to_write(option, values)}."), context)

    def _what_to_write(self, option: click.Option, values: Sequence[str]) -> str:
        parts = dict.fromkeys(part for value in values for part in re.split("[,+]", value))
        listed = f"{option.opts[0]} {','.join(parts)}"
        if takes_list(option):
            return f"separate them with commas, {listed}"
        together = f"{option.opts[0]} {'+'.join(parts)} uses them side by side"
        return f"{together}, and `retrain sweep {listed}` compares them" if self.name == "train" else together


def _takes_several(option: click.Option) -> bool:
    """Whether one value of it can name several things, as N[,N…], or NAME+NAME of a network."""
    return not option.multiple and (option.name == "architecture" or takes_list(option))
