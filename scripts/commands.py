"""What the scripts that compare have in common: how they are called, how they fail, how a difference is written."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from retrain.core.errors import RetrainError

Function = Callable[..., None]


def command(function: Function) -> click.Command:
    """A command whose options may be written with dashes, and whose errors are one sentence."""

    @functools.wraps(function)
    def run(**options: Any) -> None:
        try:
            function(**options)
        except RetrainError as error:
            raise failure(str(error), error.exit_code) from None

    settings = {"token_normalize_func": lambda name: name.replace("-", "_"), "max_content_width": 100}
    return click.command(context_settings=settings)(run)


def failure(sentence: str, exit_code: int) -> click.ClickException:
    """An error to be raised: 2 for a wrong call, 1 for a failed run."""
    error = click.ClickException(sentence)
    error.exit_code = exit_code  # type: ignore[misc]  # click's own way
    return error


def comparison_options(function: Function) -> Function:
    """Over how many splits, and where weights and bottlenecks are kept."""
    folder = click.Path(path_type=Path)
    for option in (
        click.option("--bottleneck_dir", type=folder, default="tf_files/bottlenecks", show_default=True),
        click.option("--model_dir", type=folder, default="tf_files/models", show_default=True),
        click.option("--splits", type=click.IntRange(min=2), default=10, show_default=True),
    ):
        function = option(function)
    return function


def change(differences: npt.NDArray[Any], digits: int = 4) -> str:
    """The mean of paired differences (splits,) +- its standard error."""
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{differences.mean():+.{digits}f} +- {error:.{digits}f}"
