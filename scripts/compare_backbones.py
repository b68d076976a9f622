"""How accurate the default head is on the bottlenecks of several backbones, over the same random splits.

Each split is 80, 10 and 10 % of the photos, by content, as `retrain --seed 0`, `1`, … makes it; the head is the one
that `retrain` trains without options. docs/architectures.md has the result on cats and flowers.
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from commands import command, comparison_options
from rich.console import Console
from rich.table import Table

from retrain.api import evaluate, extract, fit_head
from retrain.backbones.backbone import Backbone
from retrain.cli.options import weights_by_name
from retrain.photos.opening import Dataset


def accuracies(dataset: Dataset, backbone: Backbone, bottleneck_dir: Path, splits: int) -> list[float]:
    """The test accuracy of the default head in each split, 0..1."""
    bottlenecks = extract(dataset, backbone, bottleneck_dir, progress=True)
    found = []
    for seed in range(splits):
        accuracy = evaluate(fit_head(bottlenecks, bottlenecks.split(seed=seed))).accuracy
        assert accuracy is not None  # every split has test photos
        found.append(accuracy)
    return found


def backbone_of(name: str, weights: dict[str, str], model_dir: Path, image_size: int | None) -> Backbone:
    """A backbone with those of the weights that are for it, or for a part of it."""
    own = {part: weights[part] for part in name.split("+") if part in weights}
    return Backbone.find(name, weights=own or None, model_dir=model_dir, image_size=image_size)


@command
@click.option("--image_dir", multiple=True, required=True, help="May be given twice.")
@click.option("--architecture", multiple=True, required=True, metavar="NAME", help="May be given many times.")
@click.option("--weights", multiple=True, callback=weights_by_name, metavar="NAME=FILE", help="Weights of one of them.")
@click.option("--image_size", type=int, help="Another input size than the architectures'.")
@comparison_options
def main(
    image_dir: Sequence[str],
    architecture: Sequence[str],
    weights: dict[str, str],
    image_size: int | None,
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print the mean test accuracy of each architecture on each set of photos, and its deviation over the splits."""
    table = Table(title=f"test accuracy over {splits} splits: mean, and standard deviation of one split")
    for heading in ("architecture", *(Path(folder).name for folder in image_dir)):
        table.add_column(heading)
    for name in architecture:
        backbone = backbone_of(name, weights, model_dir, image_size)
        cells = []
        for folder in image_dir:
            found = accuracies(Dataset.open(folder), backbone, bottleneck_dir, splits)
            cells.append(f"{np.mean(found):.4f} +- {np.std(found, ddof=1):.4f}")
        table.add_row(name, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
