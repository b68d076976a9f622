"""What augmented views of the photos gain and cost: heads trained on 1, 2, 4 … views, over the same random splits.

Question: should the default head be trained on views? The bottlenecks of all views are computed first, once, and
kept; then no head costs another pass through the network.
Result (docs/views.md), mobilenet_v2_1.0_224, 10 splits, cats / flowers: training on 8 views +0.0036 +- 0.0051 /
-0.0004 +- 0.0162; judging by all views (`--tta`) +0.0147 +- 0.0083 / +0.0377 +- 0.0195, both unproven. So views are an
option, not the default.

    python -m research.compare_views --image_dir cats --image_dir flowers
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from research.comparing import change, comparison_options, data_options
from retrain.backbones.backbone import find_backbone
from retrain.bottlenecks.bottlenecks import Bottlenecks, extract
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.blas import one_thread
from retrain.photos.augmentation import Augmentation
from retrain.photos.opening import list_photos
from retrain.photos.split import split_photos
from retrain.photos.views import ViewsConfig
from retrain.training.train_head import train_head
from scripts.commands import command

AUGMENTATION = Augmentation(flip_left_right=True, random_crop=10, random_scale=10, random_brightness=10)


def compare(bottlenecks: Bottlenecks, counts: Sequence[int], splits: int) -> dict[str, list[tuple[float, float]]]:
    """By name, for each split: the test accuracy (0..1) and the seconds that the head took."""
    photos = [replace(photo, split=None) for photo in bottlenecks.photos]
    measured: dict[str, list[tuple[float, float]]] = {}
    for seed in range(splits):
        division = split_photos(photos, seed=seed)
        for count in counts:
            some = replace(bottlenecks, views=bottlenecks.views[: count * len(photos)])
            for tta in (False, True) if count == max(counts) > 1 else (False,):
                begin = time.perf_counter()
                with one_thread():
                    test = train_head(some, division, tta=tta).test
                name = f"{count} views, tta" if tta else f"{count} views" if count > 1 else "1 view"
                measured.setdefault(name, []).append((test.accuracy or 0.0, time.perf_counter() - begin))
    return measured


@command
@data_options("mobilenet_v2_1.0_224")
@click.option("--views", type=click.IntRange(min=2), default=8, show_default=True)
@comparison_options
def main(
    image_dir: Sequence[Path],
    architecture: str,
    weights: str | None,
    views: int,
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print test accuracies and head times for more and more views of the photos."""
    table = Table(title=f"{architecture}, views by {AUGMENTATION}, {splits} splits")
    for heading in ("photos", "trained on", "test accuracy", "difference to 1 view", "head", "head per view"):
        table.add_column(heading)
    counts = [count for count in (1, 2, 4, 8, 16, 32) if count < views] + [views]
    backbone = find_backbone(architecture, model_dir, weights)
    for folder in image_dir:
        config = ExtractionConfig(bottleneck_dir)
        bottlenecks = extract(list_photos(folder), backbone, config, ViewsConfig(AUGMENTATION, views))
        measured = compare(bottlenecks, counts, splits)
        first, first_seconds = np.array(measured["1 view"]).T
        for name, figures in measured.items():
            accuracy, seconds = np.array(figures).T
            per_view = np.median(seconds) / np.median(first_seconds) / int(name.split()[0])
            spent = f"{np.median(seconds):.2f} s"
            table.add_row(
                folder.name, name, f"{accuracy.mean():.4f}", change(accuracy - first), spent, f"{per_view:.2f} x"
            )
    Console().print(table)


if __name__ == "__main__":
    main()
