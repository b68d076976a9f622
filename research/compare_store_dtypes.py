"""What bottlenecks that are kept in float16 cost in accuracy: heads on them against heads on the same ones in float32.

Question: may `--store_dtype float16` be offered to whoever has millions of photos? Each split is made three times: with
bottlenecks in float32, with the same rounded to float16, and trained on the rounded ones and run on the others, as
exports do. The accuracies are compared split by split.
Result: EfficientNet-Lite0 in float32, cats and flowers, 10 splits: no accuracy changed, on any split, in either way
(0.8884 and 0.8873). Rounding to float16 changes a number by 2^-12 of it at most, computing in bfloat16 by a percent. So
it is an option, which docs/store.md describes.

    python -m research.compare_store_dtypes --image_dir cats --image_dir flowers --architecture efficientnet_lite0
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from research.compare_precisions import Comparison, compare
from research.comparing import comparison_options, data_options
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.bottlenecks.extraction import extract
from retrain.core.machine import PRECISIONS, choose_precision
from retrain.photos.opening import list_photos
from scripts.commands import command


def compare_folder(image_dir: Path, backbone: Backbone, bottleneck_dir: Path, splits: int) -> Comparison:
    """Compare the bottlenecks of a folder of photos with what a store of float16 makes of them."""
    found = extract(list_photos(image_dir), backbone, bottleneck_dir)
    return compare(found.photos, found.matrix, found.matrix.astype(np.float16).astype(np.float32), splits)


@command
@data_options("efficientnet_lite0")
@click.option("--precision", type=click.Choice(PRECISIONS), default="auto", show_default=True)
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
    """Print what bottlenecks in float16 cost in test accuracy."""
    chosen = choose_precision(precision)
    backbone = find_backbone(architecture, model_dir, weights).computed_in(chosen)
    table = Table(title=f"{architecture} in {chosen}: test accuracy over {splits} splits, and its change")
    for heading in ("photos", "kept in float32", "in float16", "trained on float16, run on float32"):
        table.add_column(heading)
    for folder in image_dir:
        table.add_row(folder.name, *compare_folder(folder, backbone, bottleneck_dir, splits).cells())
    Console().print(table)


if __name__ == "__main__":
    main()
