"""How accurate the default head is, against the choice of `retrain sweep` and scikit-learn's LogisticRegressionCV.

Question: is the default head as good as what a search finds? All are given the same bottlenecks and the same random
splits of 80, 10 and 10 %, and are compared split by split, so that the difficulty of a split does not count. The
default head is chosen on the validation photos and then refitted to them and the training photos; it is measured
before and after. The sweep and scikit-learn cross-validate on the photos of both sides, and are then trained on both;
the sweep's choice is trained as the command that it prints does.
Result (docs/sweep.md), mobilenet_v2_1.0_224, 10 splits, cats / flowers: default 0.8862 / 0.8770, sweep over penalties
alone -0.0013 +- 0.0015 / +0.0005 +- 0.0059, scikit-learn -0.0040 +- 0.0045 / -0.0049 +- 0.0128. A second backbone
gains +0.0168 +- 0.0067 / +0.0193 +- 0.0150. Without a refit to the validation photos the flowers, of 64 training
photos a class, lose 0.0128 +- 0.0117, and with one the cats, of 160, lose 0.0015 +- 0.0039: the border at 100 photos a
class lies between the two, and neither is proven.

    python -m research.compare_heads --image_dir cats --image_dir flowers
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from research.comparing import change, comparison_options
from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.cli.options import names, numbers, weights_by_name
from retrain.insight.terminal import TerminalScreen
from retrain.photos.source import SourceConfig
from retrain.photos.split import split_photos
from retrain.runs.sweep import Grid, Material, SweepConfig, fit_recipe, gather, sweep_heads
from retrain.training.fitting.convergence import fit_to_convergence, refit_helps
from retrain.training.fitting.sample import Sample
from retrain.training.head import Classes, predict
from scripts.commands import command

FOLDS = 5
Sides = np.ndarray[tuple[int], np.dtype[np.str_]]
# From the material, the sides of its photos and the grid: the accuracies on the test photos, by name.
Contender = Callable[[Material, Sides, Grid], dict[str, float]]


def default_head(material: Material, sides: Sides, grid: Grid) -> dict[str, float]:
    """The head of `retrain` without options, on the first architecture."""
    everything = material.sample(grid.architectures[0])
    training, validation, testing = (everything.take(sides == side) for side in ("training", "validation", "testing"))
    both = everything.take(sides != "testing")
    fit = fit_to_convergence(training, validation, len(material.labels), everything=both)
    before = fit.before_refit or fit.head
    few = refit_helps(len(training), len(material.labels))
    heads = {"default": fit.head if few else before, "never refitted": before, "always refitted": fit.head}
    return {name: accuracy(predict(head, testing).argmax(axis=1), testing) for name, head in heads.items()}


def swept_head(material: Material, sides: Sides, grid: Grid) -> dict[str, float]:
    """What the sweep over the grid chooses."""
    sweep = sweep_heads(material, sides, grid.recipes(), grid.architectures, FOLDS)
    best = sweep.results[0].configuration
    everything = material.sample(best.architecture)
    training, testing = everything.take(sides != "testing"), everything.take(sides == "testing")
    assert sweep.test.accuracy is not None
    result = {"sweep": sweep.test.accuracy}
    if best.recipe.optimizer == "lbfgs":
        nobody = everything.take(np.zeros(0, np.intp))
        head = fit_recipe(training, nobody, len(material.labels), best.recipe).head
        result["sweep, trained on validation too"] = accuracy(predict(head, testing).argmax(axis=1), testing)
    return result


def scikit_learn_head(material: Material, sides: Sides, grid: Grid) -> dict[str, float]:
    """LogisticRegressionCV with 10 strengths and 5 folds, on standardised bottlenecks of the first architecture."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    everything = material.sample(grid.architectures[0])
    training, testing = everything.take(sides != "testing"), everything.take(sides == "testing")
    regression = LogisticRegressionCV(Cs=np.geomspace(1e-4, 1, 10), cv=FOLDS, scoring="neg_log_loss", max_iter=1000)
    model = make_pipeline(StandardScaler(), regression)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of defaults that are to change
        model.fit(training.bottlenecks, training.classes)
    return {"scikit-learn": accuracy(model.predict(testing.bottlenecks), testing)}


CONTENDERS: tuple[Contender, ...] = (default_head, swept_head, scikit_learn_head)


def compare(
    material: Material, grid: Grid, splits: int, contenders: Sequence[Contender] = CONTENDERS
) -> Mapping[str, tuple[float, ...]]:
    """Test accuracies in 0..1 by contender, one for each split."""
    ungiven = [replace(photo, split=None) for photo in material.photos]
    accuracies: dict[str, list[float]] = {}
    for seed in range(splits):
        sides = np.array(split_photos(ungiven, seed=seed).splits)
        for contender in contenders:
            for name, value in contender(material, sides, grid).items():
                accuracies.setdefault(name, []).append(value)
    # A contender that is missing from some splits could not be compared split by split.
    return {name: tuple(values) for name, values in accuracies.items() if len(values) == splits}


def cells(accuracies: Mapping[str, tuple[float, ...]], name: str, reference: str = "default") -> tuple[str, str]:
    """The mean accuracy, and the mean difference to the reference +- its standard error."""
    differences = np.subtract(accuracies[name], accuracies[reference])
    return f"{np.mean(accuracies[name]):.4f}", change(differences)


def accuracy(answers: Classes, sample: Sample) -> float:
    """The share of right answers."""
    return float((answers == sample.classes).mean())


@command
@click.option("--image_dir", multiple=True, required=True, type=click.Path(path_type=Path), help="May be given twice.")
@click.option(
    "--architecture", default="mobilenet_v2_1.0_224", show_default=True, callback=names, help="For the sweep, several."
)
@click.option(
    "--weights", multiple=True, callback=weights_by_name, metavar="NAME=FILE", help="Instead of the published ones."
)
@click.option("--l2", callback=numbers, metavar="N[,N…]", help="What the sweep tries. [default: its own]")
@comparison_options
def main(
    image_dir: Sequence[Path],
    architecture: tuple[str, ...],
    weights: dict[str, str],
    l2: tuple[float, ...],
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print test accuracies of heads and their paired differences to the default head."""
    table = Table(title=f"{', '.join(architecture)}: test accuracy over {splits} splits")
    for heading in ("photos", "head", "accuracy", "difference to default"):
        table.add_column(heading)
    grid = Grid(architecture, weights, l2)
    screen = TerminalScreen()
    try:
        for folder in image_dir:
            config = SweepConfig(
                SourceConfig(folder),
                grid,
                backbone=BackboneConfig(model_dir=model_dir),
                extraction=ExtractionConfig(bottleneck_dir),
            )
            material = gather(config, screen)
            accuracies = compare(material, grid, splits)
            for name in accuracies:
                table.add_row(folder.name, name, *cells(accuracies, name))
    finally:
        screen.finish()
    Console().print(table)


if __name__ == "__main__":
    main()
