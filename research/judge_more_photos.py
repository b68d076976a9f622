"""How true is what the studio foretells of more photos?

Question: a head is trained on half of the photos that are there, and `what_more_would_bring` says what twice the photos
bring, of all classes or of one. Then the other half is given to heads at the same strength, of all classes or of one.
How far is what was foretold from what came, and how many of the intervals hold it? What came is measured on a fifth of
the photos, by content group, that no head has seen: so "held" allows for its error, too.
Result: see retrain/runs/more_photos.py; 10 splits of the cats, and 20 of the flowers.

    python -m research.judge_more_photos --image_dir cats --image_dir flowers --splits 20
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from research.comparing import Z, change, comparison_options, holds, some
from retrain import Backbone, Bottlenecks, Dataset, ExtractionConfig, TerminalScreen, extract
from retrain.core.blas import one_thread
from retrain.photos.groups import content_groups
from retrain.runs.more_photos import Gain, what_more_would_bring
from retrain.training.fitting.part_heads import PartHeads
from retrain.training.fitting.sample import Sample
from retrain.training.whole_training import train_and_measure
from scripts.commands import command

ASIDE = 0.2  # of the photos
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Judged = tuple[Gain, float, float]  # what was foretold, what came, and its standard error


def sides(bottlenecks: Bottlenecks, seed: int) -> tuple[Mask, Mask]:
    """Which photos are kept aside, and which of the others are there from the beginning: half of each class."""
    _, groups = np.unique(content_groups(bottlenecks.photos), return_inverse=True)
    place = np.random.default_rng(seed).permutation(groups.max() + 1)[groups]
    ranks = np.zeros(len(groups))
    for index in range(len(bottlenecks.labels)):
        own = np.flatnonzero(bottlenecks.classes == index)
        ranks[own] = np.searchsorted(np.sort(place[own]), place[own]) / len(own)
    return ranks < ASIDE, (ranks >= ASIDE) & (ranks < (1 + ASIDE) / 2)


def came(right: np.ndarray, before: np.ndarray, own: Mask) -> tuple[float, float]:
    """By how much more of some photos are right, and the standard error of that."""
    gained = right[own].astype(float) - before[own]
    return float(gained.mean()), float(np.sqrt((gained.var() * len(gained) + 1) / len(gained) ** 2))


def judge(bottlenecks: Bottlenecks, seed: int) -> tuple[Judged, list[Judged], list[Judged]]:
    """Of all classes, of the accuracy by twice the photos of each class, and of its recall."""
    aside, there = sides(bottlenecks, seed)
    trained = train_and_measure(pool := some(bottlenecks, np.flatnonzero(there)), pool.split(), in_float32=False)
    more = what_more_would_bring(trained)
    classes, labels = bottlenecks.classes, bottlenecks.labels
    assert trained.out_of_fold is not None
    l2 = trained.out_of_fold.path[trained.out_of_fold.best]
    counts = [there, ~aside, *(~aside & (there | (classes == index)) for index in range(len(labels)))]
    with one_thread():
        fitter = PartHeads(Sample(bottlenecks.matrix, classes), len(labels), l2)
        start = np.tile(fitter.fit(np.array([there], np.float32)), (len(counts), 1, 1))
        scores = fitter.scores(fitter.fit(np.array(counts, np.float32), start), np.flatnonzero(aside))
    right = scores.argmax(axis=1) == classes[aside]
    everywhere = np.ones(aside.sum(), np.bool_)
    of_accuracy, of_recall = [], []
    for index, one in enumerate(more.classes):
        if one.accuracy is not None and one.recall is not None:
            of_accuracy.append((one.accuracy, *came(right[2 + index], right[0], everywhere)))
            of_recall.append((one.recall, *came(right[2 + index], right[0], classes[aside] == index)))
    assert more.twice is not None
    return (more.twice, *came(right[1], right[0], everywhere)), of_accuracy, of_recall


def row_of(name: str, found: Sequence[Judged], splits: int) -> tuple[str, ...]:
    """A line of the table; errors are of the means over the splits."""
    foretold = np.array([gain.gain for gain, _, _ in found])
    truth = np.array([value for _, value, _ in found])
    held = np.mean([holds((gain.low, gain.high), gain.gain, value, error) for gain, value, error in found])
    told = [(gain, value) for gain, value, _ in found if gain.is_told]
    differences = (foretold - truth).reshape(splits, -1).mean(axis=1)
    return (
        name,
        f"{100 * foretold.mean():+.2f}",
        f"{100 * truth.mean():+.2f}",
        change(100 * differences, 2, ASIDE / (1 - ASIDE)),
        f"{np.corrcoef(foretold, truth)[0, 1]:.2f}",
        f"{held:.0%}",
        f"{np.mean([100 * (gain.high - gain.low) for gain, _, _ in found]):.2f}",
        f"{len(told) / len(found):.0%}",
        f"{np.mean([(gain.gain > 0) == (value > 0) for gain, value in told]):.0%}" if told else "",
    )


@command
@click.option("--image_dir", multiple=True, required=True, help="May be given twice.")
@click.option("--architecture", default="efficientnet_lite0", show_default=True)
@comparison_options
def main(image_dir: Sequence[str], architecture: str, splits: int, model_dir: Path, bottleneck_dir: Path) -> None:
    """Print what was foretold and what came, in points, over so many splits."""
    backbone = Backbone.find(architecture, model_dir=model_dir)
    for folder in image_dir:
        config = ExtractionConfig(bottleneck_dir)
        bottlenecks = extract(Dataset.open(folder), backbone, config, progress=TerminalScreen())
        judged = [judge(bottlenecks, seed) for seed in track(range(splits), "splits")]
        table = Table(title=f"{Path(folder).name}: twice the photos, {splits} splits, in points (Z = {Z:.2f})")
        headings = ("foretold", "came", "difference", "correlation", "held", "width", "told", "sign right")
        for heading in ("", *headings):
            table.add_column(heading)
        table.add_row(*row_of("all classes: accuracy", [one for one, _, _ in judged], splits))
        table.add_row(*row_of("one class: accuracy", [one for _, many, _ in judged for one in many], splits))
        table.add_row(*row_of("one class: its recall", [one for _, _, many in judged for one in many], splits))
        Console(width=150).print(table)


if __name__ == "__main__":
    main()
