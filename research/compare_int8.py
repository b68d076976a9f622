"""What int8 costs in accuracy, and how a head that is fitted to its bottlenecks is best run in float32.

Question: exports compute in float32; of a head that was fitted to bottlenecks in int8, which way of running it is best?
As it is; after an affine correction of each feature, learnt on 256 training photos in both precisions, that makes
float32 look like int8 (folded into the head); fitted to bottlenecks that were corrected the other way; or run on int8,
which would mean to hand over that network. And on how many photos has the network to be calibrated?

Result (docs/speed.md), cats and flowers, 10 splits, calibrated on 100 photos: no way differs from float32 by two
standard errors, with any of three networks (EfficientNet-Lite0, MobileNet 1.0, a partial Inception-V3), and no
correction is measurably better than none: fitted to corrected bottlenecks, against as it is, -0.0014 +- 0.0038 and
+0.0027 +- 0.0041 (Lite0), +0.0029 +- 0.0047 and +0.0050 +- 0.0074 (MobileNet), +0.0012 +- 0.0016 and -0.0029 +- 0.0044
(Inception). So the head stays as it is, and the run says what float32 changes. On 32, 100 and 300 photos the error of a
bottleneck was 0.160, 0.147 and 0.144 (Lite0, cats), and 0.118, 0.114 and 0.114 (MobileNet), with the same accuracy
(both with 7 bits in the first layer): 100 will do.
What did matter is the first layer, which NNCF gives 7 bits unless it is told not to. With 7 bits 8,242 photos of 100
classes (Caltech-101, 128 pixels) showed a loss: Lite0 -0.0040 +- 0.0017 as it is, -0.0025 +- 0.0011 fitted to
corrected. With 8 bits it is -0.0019 +- 0.0010 as it is, fitted to corrected +0.0002 +- 0.0006 better than that, and
-0.0024 +- 0.0016 where int8 itself is run. So about 0.2 points may be lost, and int8 is never chosen by itself.
CPUs without VNNI need the 7 bits (`retrain/backbones/engines/int8.py`), in all layers of Lite0 and in the first one of
MobileNet: on 26,000 photos of 200 classes (Tiny ImageNet) MobileNet 1.0 loses -0.0036 +- 0.0018 so, and -0.0063 +-
0.0023 with 7 bits in all layers.

    python -m research.compare_int8 --image_dir cats --image_dir flowers --architecture efficientnet_lite0
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from research.compare_precisions import fit_head
from research.comparing import change, comparison_options, data_options
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.bottlenecks.calibrating import calibrated
from retrain.bottlenecks.extraction import extract
from retrain.core.evenly import spread
from retrain.core.machine import choose_precision
from retrain.core.places import place_of
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Dataset, Photo
from retrain.photos.opening import list_photos
from retrain.photos.split import split_photos
from retrain.training.head import Matrix, Sample
from scripts.commands import command

LEARNT_ON = 256  # training photos whose bottlenecks in both precisions make a correction
FLOAT32 = "float32 alone"
WAYS = ("as it is", "corrected by the head", "fitted to corrected", "run in int8")


def correction(of: Matrix, to: Matrix) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Factor and offset of each feature, by least squares, with which bottlenecks (n, dim) come closest to others."""
    centred = of - of.mean(axis=0)
    square = (centred**2).sum(axis=0)
    factor = np.where(square > 0, (centred * (to - to.mean(axis=0))).sum(axis=0) / np.maximum(square, 1e-12), 1)
    return factor.astype(np.float32), (to.mean(axis=0) - factor * of.mean(axis=0)).astype(np.float32)


def compare(
    photos: Sequence[Photo], float32: Matrix, int8: Matrix, splits: int
) -> Mapping[str, npt.NDArray[np.float64]]:
    """Test accuracies (splits,) of each way, and the share of answers that are the same in both precisions."""
    ungiven = [replace(photo, split=None) for photo in photos]
    labels = sorted({photo.label for photo in photos})
    classes = class_indices(photos, labels)
    found: dict[str, list[float]] = {name: [] for name in (FLOAT32, *WAYS, "same answers")}
    for seed in range(splits):
        sides = np.array(split_photos(ungiven, seed=seed).splits)
        testing, training = sides == "testing", np.flatnonzero(sides == "training")
        learnt = training[spread(len(training), LEARNT_ON)]
        to_int8 = correction(float32[learnt], int8[learnt])
        to_float32 = correction(int8[learnt], float32[learnt])
        corrected = int8 * to_float32[0] + to_float32[1]
        plain, fast, other = (
            fit_head(Sample(matrix, classes), sides, len(labels)) for matrix in (float32, int8, corrected)
        )
        answers = {
            FLOAT32: plain.logits(float32[testing]),
            WAYS[0]: fast.logits(float32[testing]),
            WAYS[1]: fast.logits(float32[testing] * to_int8[0] + to_int8[1]),
            WAYS[2]: other.logits(float32[testing]),
            WAYS[3]: fast.logits(int8[testing]),
        }
        said = {name: logits.argmax(axis=1) for name, logits in answers.items()}
        for name, answer in said.items():
            found[name].append(float((answer == classes[testing]).mean()))
        found["same answers"].append(float((said[WAYS[0]] == said[WAYS[3]]).mean()))
    return {name: np.array(values) for name, values in found.items()}


def bottlenecks_in_int8(listing: Dataset, backbone: Backbone, folder: Path, photos: int) -> Matrix:
    """Those of a network that is calibrated on so many photos, in a store of their own."""
    place = place_of(folder / f"int8-{photos}")
    return extract(listing, calibrated(backbone.computed_in("int8"), listing.files, place, photos=photos), place).matrix


@command
@data_options("efficientnet_lite0")
@click.option("--photos", multiple=True, type=click.IntRange(min=32), default=[100], help="To be calibrated on.")
@comparison_options
def main(
    image_dir: Sequence[Path],
    architecture: str,
    weights: str | None,
    photos: Sequence[int],
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print what int8 costs in test accuracy, by how the head that is fitted to it is run."""
    choose_precision("int8")
    backbone = find_backbone(architecture, model_dir, weights)
    table = Table(title=f"{architecture}: test accuracy over {splits} splits, and its change +- its standard error")
    against = f"{WAYS[2]}, against {WAYS[0]}"
    for heading in ("photos", "calibrated on", "error", FLOAT32, *WAYS, against, "same answers"):
        table.add_column(heading)
    for folder in image_dir:
        listing = list_photos(folder)
        plain = extract(listing, backbone, bottleneck_dir)
        for count in photos:
            # Each set of photos has a network of its own, as it would have in a store of its own.
            int8 = bottlenecks_in_int8(listing, backbone, bottleneck_dir / folder.name, count)
            found = compare(plain.photos, plain.matrix, int8, splits)
            error = np.linalg.norm(int8 - plain.matrix, axis=1) / np.linalg.norm(plain.matrix, axis=1)
            changes = [change(found[way] - found[FLOAT32]) for way in WAYS]
            table.add_row(
                folder.name,
                str(count),
                f"{error.mean():.3f}",
                f"{found[FLOAT32].mean():.4f}",
                *changes,
                change(found[WAYS[2]] - found[WAYS[0]]),
                f"{found['same answers'].mean():.3f}",
            )
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
