"""What a faster precision costs in accuracy: heads on its bottlenecks against heads on float32 bottlenecks.

Question: may `--precision auto` choose bfloat16? Each split is made three times: all in float32, all in the faster
precision, and, as the exports do, trained on the faster precision and run in float32. The accuracies are compared
split by split, so that the difficulty of a split does not count.
Result (docs/speed.md), four networks, cats and flowers, 10 splits: no mean difference is as much as two standard
errors from zero; trained in bfloat16 and run in float32, losses of more than 0.006 on the cats are excluded. So `auto`
takes bfloat16 where the CPU has instructions for it.

    python -m research.compare_precisions --image_dir cats --image_dir flowers --architecture efficientnet_lite0
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from research.comparing import comparison_options, data_options
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.bottlenecks.extraction import extract
from retrain.core.machine import PRECISIONS, choose_precision
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Photo
from retrain.photos.opening import list_photos
from retrain.photos.split import split_photos
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.head import Head, Matrix, Sample
from scripts.commands import command


@dataclass(frozen=True)
class Comparison:
    """Test accuracies in 0..1, one for each split."""

    float32: tuple[float, ...]
    faster: tuple[float, ...]
    exported: tuple[float, ...]  # trained on the faster precision, run in float32

    def cells(self) -> tuple[str, str, str]:
        """The mean of float32, and the mean difference of the others +- its standard deviation over the splits."""
        return f"{np.mean(self.float32):.4f}", self._change(self.faster), self._change(self.exported)

    def _change(self, others: tuple[float, ...]) -> str:
        differences = np.subtract(others, self.float32)
        return f"{differences.mean():+.4f} +- {differences.std(ddof=1):.4f}"


def compare(photos: Sequence[Photo], float32: Matrix, faster: Matrix, splits: int) -> Comparison:
    """Compare bottlenecks (n, dim) of two precisions over random splits of 80, 10 and 10 %."""
    ungiven = [replace(photo, split=None) for photo in photos]
    labels = sorted({photo.label for photo in photos})
    classes = class_indices(photos, labels)
    accuracies: list[tuple[float, ...]] = []
    for seed in range(splits):
        sides = np.array(split_photos(ungiven, seed=seed).splits)
        plain, fast = (fit_head(Sample(matrix, classes), sides, len(labels)) for matrix in (float32, faster))
        testing = sides == "testing"
        accuracies.append(
            tuple(
                float((head.logits(matrix[testing]).argmax(axis=1) == classes[testing]).mean())
                for head, matrix in ((plain, float32), (fast, faster), (fast, float32))
            )
        )
    return Comparison(*zip(*accuracies, strict=True))


def fit_head(everything: Sample, sides: npt.NDArray[np.str_], classes: int) -> Head:
    """The head that `retrain` would fit to this split."""
    training, validation = (everything.take(sides == side) for side in ("training", "validation"))
    return fit_to_convergence(training, validation, classes).head


def compare_folder(
    image_dir: Path, backbone: Backbone, precision: str, bottleneck_dir: Path, splits: int
) -> Comparison:
    """Compare the bottlenecks of a folder of photos."""
    listing = list_photos(image_dir)
    plain, faster = (extract(listing, backbone.computed_in(dtype), bottleneck_dir) for dtype in ("float32", precision))
    return compare(plain.photos, plain.matrix, faster.matrix, splits)


@command
@data_options("mobilenet_v2_1.0_224")
@click.option("--precision", type=click.Choice(PRECISIONS), default="auto", show_default=True, help="The faster one.")
@comparison_options
def main(
    image_dir: Sequence[Path],
    architecture: str,
    weights: str | None,
    precision: str,
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print what the faster precision of this machine costs in test accuracy."""
    chosen = choose_precision(precision)
    if chosen == "float32":
        raise click.ClickException("There is nothing to compare: float32 is what this machine is fastest in.")
    backbone = find_backbone(architecture, model_dir, weights)
    table = Table(title=f"{architecture}: test accuracy over {splits} splits, and its change")
    for heading in ("photos", "float32", chosen, f"trained in {chosen}, run in float32"):
        table.add_column(heading)
    for folder in image_dir:
        comparison = compare_folder(folder, backbone, chosen, bottleneck_dir, splits)
        table.add_row(folder.name, *comparison.cells())
    Console().print(table)


if __name__ == "__main__":
    main()
