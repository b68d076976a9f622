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
Z = 1.959964  # of a 95 % interval
TEST_TO_TRAINING = 10 / 80  # of `retrain`'s one split


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


def data_options(architecture: str) -> Callable[[Function], Function]:
    """Which photos are compared, and with which backbone: `architecture` where none is named."""

    def add(function: Function) -> Function:
        image_dir = click.Path(path_type=Path)
        for option in (
            click.option("--weights", metavar="FILE", help="Weights of the backbone, instead of the published ones."),
            click.option("--architecture", default=architecture, show_default=True),
            click.option("--image_dir", multiple=True, required=True, type=image_dir, help="May be given twice."),
        ):
            function = option(function)
        return function

    return add


def holds(interval: tuple[float, float], quoted: float, truth: float, truth_error: float) -> bool:
    """Whether an interval holds a truth that is measured, with a standard error: as wide as that of a difference."""
    low, high = (edge - quoted for edge in interval)
    return bool(-np.hypot(low, Z * truth_error) <= truth - quoted <= np.hypot(high, Z * truth_error))


def some(bottlenecks: Bottlenecks, rows: npt.NDArray[np.intp]) -> Bottlenecks:
    """The bottlenecks of some of the photos."""
    extraction = bottlenecks.extraction
    photos = tuple(extraction.photos[row] for row in rows)
    matrix = np.ascontiguousarray(bottlenecks.matrix[rows])
    return replace(bottlenecks, extraction=replace(extraction, photos=photos, matrix=matrix), views=matrix)


def standard_error(differences: npt.NDArray[Any], test_to_training: float = TEST_TO_TRAINING) -> float:
    """The standard error of the mean of what was measured on random splits (splits,) of the same photos.

    The corrected one of Nadeau and Bengio (2003, "Inference for the Generalization Error", Machine Learning 52): the
    standard deviation times sqrt(1 / splits + test / training), since the splits share most of their photos.
    `test_to_training` is the number of test photos for one training photo.
    """
    return float(differences.std(ddof=1) * np.sqrt(1 / len(differences) + test_to_training))


def change(differences: npt.NDArray[Any], digits: int = 4, test_to_training: float = TEST_TO_TRAINING) -> str:
    """The mean of paired differences (splits,) +- its `standard_error`."""
    error = standard_error(differences, test_to_training)
    return f"{differences.mean():+.{digits}f} +- {error:.{digits}f}"
