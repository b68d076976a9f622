"""Which unlabelled photo to ask about next?

Question: in which order should the studio show photos that wait for a label? A share of the photos is kept aside, by
content group; of the others a few are labelled at random, the same ones for each order. Then a head is trained as the
studio does it, the order says which photos are labelled next, and so on; the accuracy is that on what was kept aside.
So that heads are fitted in a tenth of the time, bottlenecks are cut to their 256 principal directions.
Result, efficientnet_lite0, 20 splits: accuracy by random labels, and by how many points it is higher in other orders.
The errors are plain ones over the splits, which share photos, so they are too small; corrected for that as elsewhere
(`research.comparing`, 30 photos kept aside for 70) they are 3.1 times as large, which is too much where 80 of 1,680 are
labelled. So the gain of the margin is likely and not proven, and that it is no worse is what it was chosen for. The
studio goes by the margin, without copies in a row, which costs nothing here, where there are hardly any; what it brings
where a webcam's bursts are labelled was not measured.

    cats, labels                      10            20            40            80
    random                         0.328         0.467         0.583         0.722
    margin                     -0.4 +- 2.0   -2.1 +- 2.1   +3.2 +- 1.3   +2.1 +- 0.8
    entropy                    -6.7 +- 1.7   -9.7 +- 1.8   -4.9 +- 1.6   -6.4 +- 1.0
    k-centre                   -0.3 +- 1.6   -0.9 +- 1.8   +0.2 +- 1.6   -4.4 +- 1.3
    margin x distance          -2.5 +- 2.0   -1.8 +- 1.6   +1.2 +- 1.5   -1.5 +- 1.3
    margin, no copies in a row -0.4 +- 2.0   -1.7 +- 2.1   +3.6 +- 1.2   +2.6 +- 0.8
    flowers, labels                   10            20            40            80
    random                         0.480         0.640         0.717         0.798
    margin                     -0.0 +- 1.9   -3.0 +- 2.4   +2.1 +- 1.5   +2.6 +- 0.9
    entropy                    -6.6 +- 1.8   -8.7 +- 2.4   +0.8 +- 1.7   +2.1 +- 0.8
    k-centre                   -3.2 +- 1.8   -7.3 +- 1.8   -3.7 +- 1.8   -0.2 +- 1.2
    margin x distance          -2.1 +- 1.3   -7.5 +- 2.4   -1.2 +- 1.7   +1.4 +- 1.1
    margin, no copies in a row +0.4 +- 1.9   -3.4 +- 2.4   +1.8 +- 1.5   +2.2 +- 1.0

    python -m research.compare_labelling_orders --image_dir cats --image_dir flowers --splits 20
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from rich.table import Table

from research.comparing import change, comparison_options, some
from retrain import Backbone, Bottlenecks, Dataset, ExtractionConfig, TerminalScreen, extract
from retrain.photos.groups import content_groups
from retrain.photos.split import SplitConfig
from retrain.studio.guesses import in_order
from retrain.training.fitting.sample import Classes, Matrix, Rows, Sample
from retrain.training.head import predict
from retrain.training.trained import TrainedHead
from retrain.training.whole_training import train_and_measure
from scripts.commands import command

KEPT_ASIDE = 0.3
DIRECTIONS = 256
LABELS = (5, 10, 20, 40, 80)  # how many photos have one when it is measured
Random = np.random.Generator
# Probabilities (n, classes) and vectors (n, dim) of the unlabelled, vectors of the labelled -> positions, best first.
Order = Callable[[Matrix, Matrix, Matrix, int], Rows]


def margins(probabilities: Matrix) -> Matrix:
    """How much more probable the most probable class is than the next, (n,)."""
    ranked = np.sort(probabilities, axis=1)
    result: Matrix = ranked[:, -1] - ranked[:, -2]
    return result


def by_margin(probabilities: Matrix, vectors: Matrix, labelled: Matrix, count: int) -> Rows:
    return np.argsort(margins(probabilities), kind="stable")[:count]


def by_entropy(probabilities: Matrix, vectors: Matrix, labelled: Matrix, count: int) -> Rows:
    entropies = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1)
    return np.argsort(-entropies, kind="stable")[:count]


def by_k_centre(probabilities: Matrix, vectors: Matrix, labelled: Matrix, count: int) -> Rows:
    """Farthest first (Sener and Savarese 2018), by the cosine."""
    return farthest_first(np.ones(len(vectors), np.float32), vectors, labelled, count)


def by_distant_margin(probabilities: Matrix, vectors: Matrix, labelled: Matrix, count: int) -> Rows:
    """Farthest first, of distances that count as much as the photo is uncertain."""
    return farthest_first(1 - margins(probabilities), vectors, labelled, count)


def by_studio(probabilities: Matrix, vectors: Matrix, labelled: Matrix, count: int) -> Rows:
    """Margin, without photos in a row that look nearly the same."""
    return in_order(margins(probabilities), vectors)[:count]


def farthest_first(weights: Matrix, vectors: Matrix, labelled: Matrix, count: int) -> Rows:
    """Greedily the photo with the greatest weight (n,) times distance to what is labelled or was picked before."""
    units, known = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (vectors, labelled))
    distances = 1 - (units @ known.T).max(axis=1)
    picked = []
    for _ in range(count):
        place = int((weights * distances).argmax())
        picked.append(place)
        distances = np.minimum(distances, 1 - units @ units[place])
        distances[place] = -1
    return np.array(picked, np.intp)


ORDERS: Mapping[str, Order | None] = {
    "random": None,
    "margin": by_margin,
    "entropy": by_entropy,
    "k-centre": by_k_centre,
    "margin x distance": by_distant_margin,
    "margin, no copies in a row": by_studio,
}


def reduced(bottlenecks: Bottlenecks) -> Bottlenecks:
    """The same photos in the directions in which their bottlenecks are long: lengths and angles hardly change."""
    matrix = bottlenecks.matrix.astype(np.float64)
    _, directions = np.linalg.eigh(matrix.T @ matrix)
    return of_matrix(bottlenecks, (matrix @ directions[:, -DIRECTIONS:]).astype(np.float32))


def of_matrix(bottlenecks: Bottlenecks, matrix: Matrix) -> Bottlenecks:
    return replace(bottlenecks, extraction=replace(bottlenecks.extraction, matrix=matrix), views=matrix)


def trained_on(bottlenecks: Bottlenecks, rows: Rows) -> TrainedHead:
    """A head as the studio trains it, but that folds are dealt once, and copies in other bytes not looked for."""
    pool = some(bottlenecks, rows)
    known = tuple(label for label in bottlenecks.labels if any(photo.label == label for photo in pool.photos))
    pool = Bottlenecks(pool.dataset, pool.backbone, pool.extraction, pool.matrix, known, pool.config)
    division = replace(SplitConfig().divide(pool.photos), further_folds=())
    return train_and_measure(pool, division, in_float32=False)


def accuracy(trained: TrainedHead, aside: Bottlenecks) -> float:
    """Of the photos that were kept aside; a class that has no label yet is never right."""
    said = predict(trained.head, Sample(aside.matrix, aside.classes)).argmax(axis=1)
    names = np.array(trained.labels)[said]
    return float(np.mean(names == np.array([photo.label for photo in aside.photos])))


def first_labels(classes: Classes, random: Random) -> Rows:
    """The photos that are labelled before there is a head: at random, but of two classes at least."""
    while True:
        rows = random.permutation(len(classes))[: LABELS[0]]
        if len(set(classes[rows])) > 1:
            return rows


def accuracies(pool: Bottlenecks, aside: Bottlenecks, order: Order | None, batch: int, seed: int) -> list[float]:
    """The accuracy at each of LABELS; a head is trained after each `batch` of labels."""
    random = np.random.default_rng(seed)
    labelled = first_labels(pool.classes, random)
    found = []
    while True:
        trained = trained_on(pool, labelled)
        if len(labelled) in LABELS:
            found.append(accuracy(trained, aside))
        if len(labelled) == LABELS[-1]:
            return found
        rest = np.setdiff1d(np.arange(len(pool.photos)), labelled)
        count = next(many for many in LABELS if many > len(labelled)) - len(labelled)
        count = min(count, batch)
        if order is None:
            chosen = random.permutation(rest)[:count]
        else:
            said = predict(trained.head, Sample(pool.matrix, pool.classes[rest], rest))
            chosen = rest[order(said, pool.matrix[rest], pool.matrix[labelled], count)]
        labelled = np.concatenate([labelled, chosen])


def compare(bottlenecks: Bottlenecks, splits: int, batch: int) -> dict[str, npt.NDArray[np.float64]]:
    """By order, the accuracies (splits, LABELS)."""
    names = content_groups(bottlenecks.photos)
    _, groups = np.unique(names, return_inverse=True)
    found: dict[str, list[list[float]]] = {name: [] for name in ORDERS}
    for seed in track(range(splits), "splits"):
        aside = np.random.default_rng(seed).random(groups.max() + 1)[groups] < KEPT_ASIDE
        pool, rest = some(bottlenecks, np.flatnonzero(~aside)), some(bottlenecks, np.flatnonzero(aside))
        for name, order in ORDERS.items():
            found[name].append(accuracies(pool, rest, order, batch, seed))
    return {name: np.array(rows) for name, rows in found.items()}


@command
@click.option("--image_dir", multiple=True, required=True, help="May be given twice.")
@click.option("--architecture", default="efficientnet_lite0", show_default=True)
@click.option("--batch", default=10, show_default=True, help="Labels between two trainings.")
@comparison_options
def main(
    image_dir: Sequence[str], architecture: str, batch: int, splits: int, model_dir: Path, bottleneck_dir: Path
) -> None:
    """Print how good a head is after so many labels, by the order in which photos were labelled."""
    backbone = Backbone.find(architecture, model_dir=model_dir)
    for folder in image_dir:
        config = ExtractionConfig(bottleneck_dir)
        bottlenecks = extract(Dataset.open(folder), backbone, config, progress=TerminalScreen())
        found = compare(reduced(bottlenecks), splits, batch)
        table = Table(title=f"{Path(folder).name}: accuracy by labels, {splits} splits; less that of random")
        for heading in ("", *(f"{count} labels" for count in LABELS)):
            table.add_column(heading)
        for name, rows in found.items():
            cells = [f"{mean:.3f}" for mean in rows.mean(axis=0)]
            if name != "random":
                gains = (rows - found["random"]).T
                cells = [f"{cell} ({change(gain, 3, 0)})" for cell, gain in zip(cells, gains, strict=True)]
            table.add_row(name, *cells)
        Console(width=170).print(table)


if __name__ == "__main__":
    main()
