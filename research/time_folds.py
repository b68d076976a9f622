"""How long the heads of five folds take, against that of one split: where folds take turns by default, and where not.

Question: up to how many photos is the head stage of a training at most three times as long? Synthetic bottlenecks, so
that there are as many as one likes; the seconds are those of the CPU, so that other programs do not count. The look for
near-copies, without which folds are not dealt, grows with the square of the photos, and is shown beside.
Result: retrain/photos/split.py, MOST_PHOTOS and MOST_ANSWERS.

    OPENBLAS_NUM_THREADS=1 python -m research.time_folds --photos 10000 --classes 12 --classes 50
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from retrain import Backbone, Bottlenecks, Dataset, SplitConfig
from retrain.bottlenecks.extraction import Extraction
from retrain.bottlenecks.near_copies import find_near_copies
from retrain.photos.dataset import Photo
from retrain.training.confidence import with_confidence
from retrain.training.train_head import train_head
from retrain.training.trained import TrainedHead
from scripts.bench_scale import DIM, pooled_features
from scripts.commands import command

Found = TypeVar("Found")


def synthetic(photos: int, classes: int, separation: float) -> Bottlenecks:
    """The bottlenecks of photos that do not exist."""
    of_class = np.arange(photos) % classes
    matrix = pooled_features(of_class, DIM, classes, separation=separation)
    labels = tuple(f"{number:04}" for number in range(classes))
    all_photos = tuple(Photo(f"{n}.jpg", labels[n % classes], f"{n:064x}", gone=True) for n in range(photos))
    extraction = Extraction(all_photos, matrix, (), photos, 0, 0, "synthetic", {})
    return Bottlenecks(Dataset(()), Backbone.find("fake"), extraction, matrix, labels)


def timed(job: Callable[[], Found]) -> tuple[float, Found]:
    """Seconds of the CPU, and what came out."""
    begin = time.process_time()
    found = job()
    return time.process_time() - begin, found


def head_stage(bottlenecks: Bottlenecks, split: SplitConfig) -> TrainedHead:
    """What a training does between bottlenecks and export."""
    return with_confidence(train_head(bottlenecks, split.divide(bottlenecks.photos)))


def cells(bottlenecks: Bottlenecks, bottleneck_dir: Path) -> tuple[str, ...]:
    """What was measured with these bottlenecks, for a row of the table."""
    one, _ = timed(lambda: head_stage(bottlenecks, SplitConfig(folds=0)))
    five, trained = timed(lambda: head_stage(bottlenecks, SplitConfig(folds=5)))
    looking, _ = timed(lambda: find_near_copies(bottlenecks.photos, bottlenecks.matrix, bottleneck_dir))
    accuracy = trained.test.accuracy or 0.0
    return f"{one:.1f}", f"{five:.1f}", f"{five / one:.2f}", f"{accuracy:.3f}", f"{looking:.1f}"


@command
@click.option("--photos", type=int, multiple=True, default=(20_000,), show_default=True)
@click.option("--classes", type=int, multiple=True, default=(12, 100), show_default=True)
@click.option("--separation", default=0.35, show_default=True, help="How far apart classes are.")
@click.option("--bottleneck_dir", type=click.Path(path_type=Path), default="tf_files/bottlenecks", show_default=True)
def main(photos: Sequence[int], classes: Sequence[int], separation: float, bottleneck_dir: Path) -> None:
    """Print the seconds of the head stage by one split and by five folds."""
    table = Table()
    for heading in ("photos", "classes", "one split, s", "five folds, s", "ratio", "accuracy", "copies, s"):
        table.add_column(heading)
    for count in photos:
        for number in classes:
            table.add_row(f"{count:,}", f"{number}", *cells(synthetic(count, number, separation), bottleneck_dir))
    Console().print(table)


if __name__ == "__main__":
    main()
