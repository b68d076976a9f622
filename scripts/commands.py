"""How scripts with options are called, and how they fail: in one sentence."""

import functools
from collections.abc import Callable
from typing import Any

import click

from retrain.cli.dashes import as_options
from retrain.core.errors import RetrainError

Function = Callable[..., None]


def command(function: Function) -> click.Command:
    """A command whose options may be written with dashes, and whose errors are one sentence."""

    @functools.wraps(function)
    def run(**options: Any) -> None:
        try:
            function(**options)
        except RetrainError as error:
            raise failure(as_options(str(error)), error.exit_code) from None

    settings = {"token_normalize_func": lambda name: name.replace("-", "_"), "max_content_width": 100}
    return click.command(context_settings=settings)(run)


def failure(sentence: str, exit_code: int) -> click.ClickException:
    """An error to be raised: 2 for a wrong call, 1 for a failed run."""
    error = click.ClickException(sentence)
    error.exit_code = exit_code  # type: ignore[misc]  # click's own way
    return error
