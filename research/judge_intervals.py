"""How often the quoted 95 % interval holds the truth: on small sets, and where photos come in bursts.

Question: heads of five folds share their photos, and takes of one subject are right or wrong together. Is the Wilson
interval of n / 1.5 photos, divided by the design effect of the groups, as honest as it says? In each repetition a few
subjects are drawn, a head is trained and measured on their photos, as `retrain` does it, and the truth is its accuracy
on all the others, each class with the share that it has in the pool (bursts make some classes large). The truth is
itself measured, on few photos where few are left: so it is also asked how often it is held where its error is allowed
for.

A burst is planted by giving each photo more takes, 1 to 2 * takes - 1 in all: its bottleneck and some noise, `--noise`
times the standard deviation of each number. They are named as takes of one subject (`_nohash_`); with `--unnamed`
nobody knows that they belong together. With `--numbers 256` the heads see the first 256 numbers of each bottleneck:
the same question, a fifth of the time.
Result: see docs/evaluation.md.

    python -m research.judge_intervals --image_dir cats --image_dir flowers --subjects 100 --splits 200 --numbers 256
    python -m research.judge_intervals --image_dir cats --subjects 60 --takes 5 --splits 200 --numbers 256
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from research.comparing import comparison_options, holds, some
from retrain import Backbone, Bottlenecks, Dataset, ExtractionConfig, HeadConfig, SplitConfig, TerminalScreen, extract
from retrain import fit_head as fit
from retrain.core.progress import SILENT
from retrain.photos.dataset import Photo
from retrain.photos.folds import FOLDS
from retrain.training.fitting.sample import Sample
from retrain.training.head import Head, predict
from retrain.training.metrics import design_effect, effect_on_accuracy, wilson_interval
from scripts.commands import command

INFLATIONS = (1.0, 1.25, 1.5, 1.75, 2.0)  # by which the number of photos is divided, to see what would do

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Said:
    """What was quoted of a head, and the truth with its own standard error. `effect` is the design effect found."""

    quoted: float
    interval: tuple[float, float]
    truth: float
    truth_error: float
    n: int
    effect: float

    @property
    def held(self) -> bool:
        """Whether the interval that is quoted holds the truth."""
        return self.interval[0] <= self.truth <= self.interval[1]

    @property
    def nearly_held(self) -> bool:
        """The same where the error of the truth is allowed for."""
        return holds(self.interval, self.quoted, self.truth, self.truth_error)

    def held_by(self, inflation: float) -> bool:
        """Whether the interval of photos divided by this number would."""
        worth = self.n / (inflation * self.effect)
        low, high = wilson_interval(self.quoted * worth, worth)
        return low <= self.truth <= high


def narrowed(bottlenecks: Bottlenecks, numbers: int) -> Bottlenecks:
    """The bottlenecks by their first numbers alone."""
    matrix = np.ascontiguousarray(bottlenecks.matrix[:, :numbers])
    return replace(bottlenecks, extraction=replace(bottlenecks.extraction, matrix=matrix), views=matrix)


def with_bursts(bottlenecks: Bottlenecks, takes: int, noise: float, named: bool = True) -> tuple[Bottlenecks, Rows]:
    """The photos, with as many takes of each on average; and the subject of each, copies being one subject."""
    random = np.random.default_rng(0)
    subjects = np.array(bottlenecks.split(SplitConfig(folds=FOLDS)).groups)
    rows = np.repeat(np.arange(len(subjects)), random.integers(1, 2 * takes, len(subjects)))
    first = np.diff(rows, prepend=-1) > 0
    matrix = bottlenecks.matrix[rows]
    scale = np.float32(noise) * bottlenecks.matrix.std(axis=0)
    matrix[~first] += scale * random.standard_normal((int((~first).sum()), matrix.shape[1]), np.float32)
    photos = []
    for number, row in enumerate(rows.tolist()):
        photo = bottlenecks.photos[row]
        name = f"{subjects[row]}_nohash_{number}.jpg" if named else f"{number}.jpg"
        sha256 = hashlib.sha256(f"{photo.sha256} {number}".encode()).hexdigest()
        photos.append(Photo(name, photo.label, sha256, gone=True))
    extraction = replace(bottlenecks.extraction, photos=tuple(photos), matrix=matrix)
    return replace(bottlenecks, extraction=extraction, views=matrix), subjects[rows]


def judge(bottlenecks: Bottlenecks, subjects: Rows, drawn: int, seed: int) -> Said:
    """Train and measure on so many subjects that are drawn, and ask the head about all others."""
    which = np.random.default_rng(seed).permutation(np.unique(subjects))[:drawn]
    inside = np.isin(subjects, which)
    pool, rest = some(bottlenecks, np.flatnonzero(inside)), Sample(bottlenecks.matrix, bottlenecks.classes)
    division = SplitConfig(seed=seed).divide(pool.photos)
    trained = fit(pool, division, HeadConfig(), progress=SILENT)
    truth, truth_error = accuracy_where_shares_are_alike(
        trained.head, rest.take(~inside), pool.classes, subjects[~inside]
    )
    test, out_of_fold = trained.test, trained.out_of_fold
    assert test.accuracy is not None and test.interval is not None and out_of_fold is not None
    tested = trained.test_rows
    right = (out_of_fold.quoted()[:, tested].argmax(axis=2) == pool.classes[tested]).mean(axis=0)
    groups = division.groups_of(tested)
    assert groups is not None
    return Said(test.accuracy, test.interval, truth, truth_error, test.n, effect_on_accuracy(right, groups))


def accuracy_where_shares_are_alike(head: Head, sample: Sample, classes: Rows, subjects: Rows) -> tuple[float, float]:
    """The accuracy where each class has the share that it has among these `classes` (n,), and its standard error."""
    right = predict(head, sample).argmax(axis=1) == sample.classes
    recalls = np.bincount(sample.classes, right) / np.maximum(1, np.bincount(sample.classes))
    accuracy = float(recalls[classes].mean())
    effect = design_effect(right.astype(np.float64), subjects)
    return accuracy, float(np.sqrt(accuracy * (1 - accuracy) * effect / len(sample)))


def row_of(name: str, found: Sequence[Said]) -> tuple[str, ...]:
    """A line of the table."""
    errors = np.array([each.quoted - each.truth for each in found])
    too_high = np.mean([each.truth < each.interval[0] for each in found])
    return (
        name,
        f"{np.mean([each.n for each in found]):.0f}",
        f"{np.mean([each.truth for each in found]):.3f}",
        f"{100 * errors.mean():+.1f}",
        f"{np.mean([each.effect for each in found]):.2f}",
        f"{100 * np.mean([each.interval[1] - each.interval[0] for each in found]):.1f}",
        f"{np.mean([each.held for each in found]):.1%} ({too_high:.1%})",
        f"{np.mean([each.nearly_held for each in found]):.1%}",
        "  ".join(f"{100 * np.mean([each.held_by(inflation) for each in found]):.1f}" for inflation in INFLATIONS),
    )


@command
@click.option("--image_dir", multiple=True, required=True, help="May be given several times.")
@click.option("--architecture", default="efficientnet_lite0", show_default=True)
@click.option("--subjects", type=int, multiple=True, default=(100, 200), show_default=True, help="How many are drawn.")
@click.option("--takes", type=click.IntRange(min=1), default=1, show_default=True, help="Of each, on average.")
@click.option("--noise", default=0.1, show_default=True, help="How unlike the takes are.")
@click.option("--numbers", type=click.IntRange(min=1), help="How many of each bottleneck; by default all.")
@click.option("--unnamed", is_flag=True, help="Nobody knows which photos are takes of one subject.")
@comparison_options
def main(
    image_dir: Sequence[str],
    architecture: str,
    subjects: Sequence[int],
    takes: int,
    noise: float,
    numbers: int | None,
    unnamed: bool,
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print how often the interval holds the truth, over so many repetitions (`--splits`)."""
    backbone = Backbone.find(architecture, model_dir=model_dir)
    unlike = f", noise {noise:g}{', unnamed' if unnamed else ''}" if takes > 1 else ""
    table = Table(title=f"{architecture}, {takes} takes of each subject{unlike}; {splits} repetitions")
    held = "held (truth below)"
    by = f"held by n / {' / '.join(map(str, INFLATIONS))}"
    for heading in ("", "photos", "truth", "quoted - truth", "design effect", "width", held, "truth not exact", by):
        table.add_column(heading)
    for folder in image_dir:
        bottlenecks = extract(
            Dataset.open(folder), backbone, ExtractionConfig(bottleneck_dir), progress=TerminalScreen()
        )
        bottlenecks = bottlenecks if numbers is None else narrowed(bottlenecks, numbers)
        planted, of_subject = with_bursts(bottlenecks, takes, noise, not unnamed)
        for drawn in subjects:
            found = [judge(planted, of_subject, drawn, seed) for seed in range(splits)]
            table.add_row(*row_of(f"{Path(folder).name}, {drawn} subjects", found))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
