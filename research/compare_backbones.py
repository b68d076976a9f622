"""Accuracy of the model that `retrain` makes, on the bottlenecks of several backbones, over the same random splits.

Question: which backbone should be the default, and what do two side by side gain? In each split the test photos of
`retrain --folds 0 --seed 0`, `1`, … are kept aside, 10 % by content; the head is chosen by five folds of the others,
and fitted to all of them.
Result (docs/architectures.md), cats / flowers, 10 splits: efficientnet_lite0 0.8942 / 0.8868, efficientnet_lite2
0.9131 / 0.8905, both side by side 0.9155 / 0.9025, mobilenet_1.0_224 0.8909 / 0.8954. The default is
efficientnet_lite0: about as accurate as MobileNet, and its weights can be installed as a package.

    python -m research.compare_backbones --image_dir cats --image_dir flowers --architecture efficientnet_lite0 \
        --architecture efficientnet_lite2
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from research.comparing import comparison_options, some
from retrain import Backbone, Dataset, ExtractionConfig, SplitConfig, TerminalScreen, extract, fit_head
from retrain.cli.options import weights_by_name
from retrain.training.fitting.sample import Sample
from retrain.training.head import predict
from scripts.commands import command


def accuracies(dataset: Dataset, backbone: Backbone, bottleneck_dir: Path, splits: int) -> list[float]:
    """The accuracy of the default head on the photos kept aside of each split, 0..1."""
    bottlenecks = extract(dataset, backbone, ExtractionConfig(bottleneck_dir), progress=TerminalScreen())
    found = []
    for seed in range(splits):
        aside = np.array(bottlenecks.split(SplitConfig(seed=seed, folds=0)).splits) == "testing"
        pool, rest = some(bottlenecks, np.flatnonzero(~aside)), some(bottlenecks, np.flatnonzero(aside))
        trained = fit_head(pool, pool.split(SplitConfig(seed=seed)))
        said = predict(trained.head, Sample(rest.matrix, rest.classes)).argmax(axis=1)
        found.append(float((said == rest.classes).mean()))
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
