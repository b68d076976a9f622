"""How well scores tell photos of known classes from other pictures, and how well `retrain`'s threshold works.

Question: by which score should a model answer "unknown"? A model of --image_dir is shown its own test photos, those
of --strangers, and noise of several grains, over random splits. Compared are the area under the ROC curve of each
score, and the shares that are refused where 2 % of the validation photos are.
Result (docs/evaluation.md), cats against flowers, mobilenet_v2_1.0_224, 10 splits, AUROC: cosine to the nearest class
mean 1.000 (100 % refused, and 1.9 % of the test cats), Gaussians with a shared covariance 0.997, energy of the logits
0.976, largest probability 0.892. So the exports carry the cosine to the nearest class mean.

    python -m research.compare_unknown --image_dir cats --strangers flowers
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from research.comparing import comparison_options
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.extraction import extract
from retrain.core.machine import choose_precision
from retrain.photos.classes import class_indices
from retrain.photos.opening import list_photos
from retrain.photos.split import split_photos
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.sample import Matrix, Sample
from retrain.training.head import Head, log_softmax
from retrain.training.metrics import roc_area
from retrain.training.unknown import REFUSED, fit_novelty_detector
from scripts.commands import command

NOISE = 200  # pictures
NEIGHBOURS = 5
Scores = np.ndarray[tuple[int], np.dtype[np.floating]]
Score = Callable[[Matrix], Scores]  # (n, dim) -> (n,), higher for what is known


def noise(size: int) -> np.ndarray:
    """Pictures of noise, uint8 (NOISE, size, size, 3): coarse and fine, coloured and gray, smooth and in blocks."""
    random = np.random.default_rng(0)
    pictures = []
    for index in range(NOISE):
        side = max(2, size // (1, 2, 4, 8, 16, 32)[index % 6])
        grains = random.integers(0, 256, (side, side, 3), np.uint8)
        if index % 2:
            grains = np.repeat(grains[..., :1], 3, axis=2)
        filter = Image.Resampling.BICUBIC if index % 4 < 2 else Image.Resampling.NEAREST
        pictures.append(np.asarray(Image.fromarray(grains).resize((size, size), filter)))
    return np.stack(pictures)


def scores(known: Sample, head: Head, classes: int) -> dict[str, Score]:
    """Each score by name; `known` are the photos that it may use."""
    familiar = fit_novelty_detector(known, classes)
    photos = known.bottlenecks / np.linalg.norm(known.bottlenecks, axis=1, keepdims=True)

    def neighbours(bottlenecks: Matrix) -> Scores:
        unit = bottlenecks / np.linalg.norm(bottlenecks, axis=1, keepdims=True)
        return np.sort(unit @ photos.T, axis=1)[:, -NEIGHBOURS]

    means = np.stack([known.bottlenecks[known.classes == index].mean(axis=0) for index in range(classes)])
    within = known.bottlenecks - means[known.classes]
    covariance = within.T @ within / len(within)
    covariance += 0.1 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance))

    def gaussians(bottlenecks: Matrix) -> Scores:
        white, centres = bottlenecks @ whitening, means @ whitening
        return -np.min([((white - centre) ** 2).sum(axis=1) for centre in centres], axis=0)

    return {
        "cosine to the nearest class mean (retrain)": familiar.similarity,
        f"cosine to the {NEIGHBOURS}th nearest training photo": neighbours,
        "Gaussians with a shared covariance": gaussians,
        "energy of the logits": lambda bottlenecks: np.logaddexp.reduce(head.logits(bottlenecks), axis=1),
        "largest probability": lambda bottlenecks: log_softmax(head.logits(bottlenecks)).max(axis=1),
    }


def measure(
    photos: Sample, labels: Sequence[str], sides: np.ndarray, others: Sequence[Matrix]
) -> dict[str, tuple[float, ...]]:
    """By score: area under the ROC curve and share refused, each for the test photos' rest of the world `others`.

    The last number is the share of test photos that is refused.
    """
    training, validation, testing = (photos.take(sides == side) for side in ("training", "validation", "testing"))
    head = fit_to_convergence(training, validation, len(labels)).head
    known = photos.take(sides != "testing")
    results = {}
    for name, score in scores(training, head, len(labels)).items():
        of_test = score(testing.bottlenecks)
        threshold = np.quantile(score(validation.bottlenecks), REFUSED)
        if name.endswith("(retrain)"):
            familiar = fit_novelty_detector(known, len(labels))
            of_test, score, threshold = (
                familiar.similarity(testing.bottlenecks),
                familiar.similarity,
                familiar.threshold,
            )
        figures: list[float] = []
        for other in others:
            of_other = score(other)
            both = np.concatenate([of_test, of_other])
            area = roc_area(both, np.arange(len(both)) < len(of_test))
            figures += [area or 0.0, float((of_other < threshold).mean())]
        results[name] = (*figures, float((of_test < threshold).mean()))
    return results


def bottlenecks_of(folder: Path, backbone: Backbone, bottleneck_dir: Path) -> tuple[Sample, list[str], list]:
    """All photos of a folder, its labels and its photos."""
    extraction = extract(list_photos(folder), backbone, bottleneck_dir)
    labels = sorted({photo.label for photo in extraction.photos})
    classes = class_indices(extraction.photos, labels)
    return Sample(np.asarray(extraction.matrix), classes), labels, list(extraction.photos)


@command
@click.option("--image_dir", required=True, type=click.Path(path_type=Path), help="The known classes.")
@click.option("--strangers", required=True, type=click.Path(path_type=Path), help="Photos of anything else.")
@click.option("--architecture", default="mobilenet_v2_1.0_224", show_default=True)
@click.option("--weights", metavar="FILE", help="Instead of the published ones.")
@comparison_options
def main(
    image_dir: Path,
    strangers: Path,
    architecture: str,
    weights: str | None,
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print how well known photos are told from strangers and from noise, as means over the splits."""
    table = Table(title=f"{architecture}: {image_dir.name} against {strangers.name} and noise, {splits} splits")
    headings = ("strangers, AUROC", "refused", "noise, AUROC", "refused", "test photos refused")
    for heading in ("score", *headings):
        table.add_column(heading)
    backbone = find_backbone(architecture, model_dir, weights)
    backbone = backbone.computed_in(choose_precision("auto"))
    photos, labels, listed = bottlenecks_of(image_dir, backbone, bottleneck_dir)
    others = [bottlenecks_of(strangers, backbone, bottleneck_dir)[0].bottlenecks]
    others.append(start_engine(backbone)(noise(backbone.input_size)))
    ungiven = [replace(photo, split=None) for photo in listed]
    measured: dict[str, list[tuple[float, ...]]] = {}
    for seed in track(range(splits), "splits"):
        sides = np.array(split_photos(ungiven, seed=seed).splits)
        for name, figures in measure(photos, labels, sides, others).items():
            measured.setdefault(name, []).append(figures)
    for name, rows in measured.items():
        area, refused, noise_area, noise_refused, test = np.mean(rows, axis=0)
        table.add_row(name, f"{area:.3f}", f"{refused:.1%}", f"{noise_area:.3f}", f"{noise_refused:.1%}", f"{test:.1%}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
