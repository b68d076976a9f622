"""Refuses, before any work, paths that cannot even be looked at, by the name of their option."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from label_image.files import reason_of
from label_image.terminal import shown

TEXTS = {"image_dir", "data", "weights", "tfhub_module"}  # that may be something else than a path


def check_reachable(context: click.Context) -> None:
    """Raise ClickException if the place that an option names is behind a folder that may not be entered.

    That there is nothing is for others to say, or as it should be.
    """
    for parameter in context.command.params:
        for path in _paths(parameter, context.params.get(parameter.name or "")):
            try:
                os.stat(path)
            except (FileNotFoundError, NotADirectoryError, ValueError):
                continue
            except OSError as error:
                name = parameter.opts[0] if isinstance(parameter, click.Option) else parameter.make_metavar(context)
                raise click.ClickException(
                    f"{name} {shown(path)} cannot be reached: {reason_of(error)}. "
                    "Choose another place, or ask for permission to use this one."
                ) from None


def _paths(parameter: click.Parameter, value: object) -> Iterator[str | Path]:
    if isinstance(value, Path) or (isinstance(value, str) and parameter.name in TEXTS and "://" not in value):
        yield value
    elif isinstance(value, dict) and parameter.name in TEXTS:
        yield from value.values()
