"""How true are the quoted accuracies, and how good the exported heads: by five folds, and by one split.

Question: is it right that every photo is a test photo by default, is the 1.5 by which the interval's photos are divided
enough, and do four deals of the folds help where photos are few? In each repetition a share of the photos is kept
aside, by content group; a head is trained and measured on the others, as `retrain` does it; the truth is its accuracy
on what was kept aside. That is measured, too: the share of intervals that hold it is also given with its error allowed
for. Pools of 70 % of the photos share most of them, and quote nearly the same: how often intervals hold the truth is
seen on small pools, with a large share kept aside, or by `research/judge_intervals.py`.
Result: see docs/evaluation.md.

    python -m research.judge_quotes --image_dir cats --image_dir flowers --splits 200
    python -m research.judge_quotes --image_dir cats --splits 200 --kept_aside 0.85
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from research.comparing import change, comparison_options, holds, some
from retrain import Backbone, Bottlenecks, Dataset, ExtractionConfig, HeadConfig, SplitConfig, TerminalScreen, extract
from retrain import fit_head as fit
from retrain.core.progress import SILENT
from retrain.photos.folds import FOLDS
from retrain.training.fitting.sample import Sample
from retrain.training.head import predict
from scripts.commands import command


@dataclass(frozen=True)
class Judged:
    """A head: what was quoted of it, with its interval, and the truth with its own standard error."""

    quoted: float
    low: float
    high: float
    truth: float
    truth_error: float
    ece: float
    ece_by_chance: float


def set_aside(bottlenecks: Bottlenecks, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which photos (n,) are for the truth: this share of the content groups, copies in other bytes among them."""
    groups = np.array(bottlenecks.split(SplitConfig(folds=FOLDS)).groups)
    return np.random.default_rng(seed).random(groups.max() + 1)[groups] < share


def judge(pool: Bottlenecks, aside: Bottlenecks, split: SplitConfig, head: HeadConfig) -> Judged:
    """Train and measure on the pool, and see how the head does on the photos that were kept aside."""
    trained = fit(pool, pool.split(split), head, progress=SILENT)
    said = predict(trained.head, Sample(aside.matrix, aside.classes)).argmax(axis=1)
    truth = float((said == aside.classes).mean())
    truth_error = float(np.sqrt(truth * (1 - truth) / len(said)))
    test = trained.test
    assert test.accuracy is not None and test.interval is not None
    assert test.ece is not None and test.ece_by_chance is not None
    return Judged(test.accuracy, *test.interval, truth, truth_error, test.ece, test.ece_by_chance)


def compare(bottlenecks: Bottlenecks, splits: int, share: float, head: HeadConfig) -> tuple[list[Judged], list[Judged]]:
    """One split and five folds, on the same photos, in each repetition."""
    one, folds = [], []
    for seed in range(splits):
        aside = set_aside(bottlenecks, share, seed)
        pool, rest = some(bottlenecks, np.flatnonzero(~aside)), some(bottlenecks, np.flatnonzero(aside))
        one.append(judge(pool, rest, SplitConfig(seed=seed, folds=0), head))
        folds.append(judge(pool, rest, SplitConfig(seed=seed), head))
    return one, folds


def row_of(name: str, found: Sequence[Judged]) -> tuple[str, ...]:
    """A line of the table."""
    truths = np.array([each.truth for each in found])
    errors = np.array([each.quoted for each in found]) - truths
    covered = np.mean([each.low <= each.truth <= each.high for each in found])
    nearly = np.mean([holds((each.low, each.high), each.quoted, each.truth, each.truth_error) for each in found])
    return (
        name,
        f"{truths.mean():.4f}",
        f"{100 * errors.mean():+.2f}",
        f"{100 * np.abs(errors).mean():.2f}",
        f"{covered:.1%} ({nearly:.1%})",
        f"{100 * np.mean([each.high - each.low for each in found]):.1f}",
        f"{np.mean([each.ece for each in found]):.3f} ({np.mean([each.ece_by_chance for each in found]):.3f})",
    )


@command
@click.option("--kept_aside", default=0.3, show_default=True, help="Share; with 0.85 the pools have little in common.")
@click.option("--image_dir", multiple=True, required=True, help="May be given twice.")
@click.option("--architecture", default="efficientnet_lite0", show_default=True)
@click.option("--label_smoothing", type=float, default=0.0, show_default=True)
@click.option("--class_weight", type=click.Choice(["balanced"]))
@click.option("--l2", type=float, help="A given strength, instead of a chosen one.")
@comparison_options
def main(
    kept_aside: float,
    image_dir: Sequence[str],
    architecture: str,
    label_smoothing: float,
    class_weight: str | None,
    l2: float | None,
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print how true what is quoted is, with one split and with five folds, over so many repetitions."""
    head = HeadConfig(label_smoothing=label_smoothing, class_weight=class_weight, l2=l2)
    backbone = Backbone.find(architecture, model_dir=model_dir)
    for folder in image_dir:
        dataset = Dataset.open(folder)
        bottlenecks = extract(dataset, backbone, ExtractionConfig(bottleneck_dir), progress=TerminalScreen())
        one, folds = compare(bottlenecks, splits, kept_aside, head)
        table = Table(title=f"{Path(folder).name}: {splits} repetitions, {kept_aside:.0%} of the photos kept aside")
        for heading in (
            "",
            "truth",
            "quoted - truth",
            "error of quoted",
            "covered (truth not exact)",
            "width",
            "ECE (by chance)",
        ):
            table.add_column(heading)
        table.add_row(*row_of("one split", one))
        table.add_row(*row_of("five folds", folds))
        Console().print(table)
        gains = np.array([two.truth - first.truth for first, two in zip(one, folds, strict=True)])
        gain = change(gains, test_to_training=kept_aside / (1 - kept_aside))
        Console().print(f"true accuracy by folds less that by one split: {gain}")


if __name__ == "__main__":
    main()
