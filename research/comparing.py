"""What the comparisons share: over how many splits they go, and how a paired difference is written."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from retrain import Bottlenecks

Function = Callable[..., None]


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


def some(bottlenecks: Bottlenecks, rows: npt.NDArray[np.intp]) -> Bottlenecks:
    """The bottlenecks of some of the photos."""
    extraction = bottlenecks.extraction
    photos = tuple(extraction.photos[row] for row in rows)
    matrix = np.ascontiguousarray(bottlenecks.matrix[rows])
    return replace(bottlenecks, extraction=replace(extraction, photos=photos, matrix=matrix), views=matrix)


def change(differences: npt.NDArray[Any], digits: int = 4) -> str:
    """The mean of paired differences (splits,) +- its standard error."""
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{differences.mean():+.{digits}f} +- {error:.{digits}f}"
