"""What a shell offers behind an option whose values are names, one or several."""

from collections.abc import Callable, Iterable

import click

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def one_or_more(names: Callable[[], Iterable[str]], separator: str) -> Complete:
    """Names that can follow what is typed, also behind others with a separator between them."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        before, between, typed = incomplete.rpartition(separator)
        return [f"{before}{between}{name}" for name in names() if name.startswith(typed)]

    return complete
