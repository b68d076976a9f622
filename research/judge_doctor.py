"""How much `retrain doctor` finds of the wrong labels, copies and outliers that are planted in a set of photos.

Question: do its findings deserve a look? Labels are flipped by chance, to any other class or to the one that is
confused most with the right one. Copies are encoded again, resized or mirrored, and half of them get another class.
Pairs of the set that are copies by nature are counted apart: with `--pairs` they are written as pictures side by
side, to be judged by eye.
Result (docs/doctor.md), 12 cat breeds x 200, 5 seeds: of 5 % wrong labels 91 % are found at a precision of 0.82
(flipped to any class; 66 % at 0.60 to the most similar breed; more kinds of noise are in docs/doctor.md, from 0 to 94
%); all 50 copies; 23.6 of 24 flowers among the cats, on average, beside 9 cats.

    python -m research.judge_doctor cats --architecture mobilenet_v2_1.0_224
"""

import io
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from PIL import Image, ImageOps

from label_image.number_range import NumberRange
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.bottlenecks.extraction import Extraction, extract
from retrain.core.machine import choose_precision
from retrain.insight.doctor.diagnose import diagnose
from retrain.insight.doctor.duplicates import find_copies
from retrain.insight.doctor.findings import Copies
from retrain.insight.doctor.label_errors import suspect_labels
from retrain.insight.doctor.looks import look_at
from retrain.insight.doctor.out_of_fold import groups_with_copies, out_of_fold
from retrain.insight.doctor.outliers import neighbour_distances, outlier_findings
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Dataset, Photo, PhotoFile
from retrain.photos.folds import deal_folds
from retrain.photos.opening import list_photos
from retrain.photos.split import split_photos
from retrain.training.fitting.sample import Classes

RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
STRANGERS = 24
KINDS = (
    "JPEG 30", "JPEG 60", "WebP 50", "PNG", "half", "third", "double", "mirrored", "mirrored half", "mirrored JPEG",
)  # fmt: skip


@dataclass(frozen=True)
class Flips:
    """How wrong labels were found: at the cut of the doctor's own, and along the ranking.

    `curve` holds the precision at each of RECALLS.
    """

    planted: int
    suspected: int
    precision: float
    recall: float
    curve: tuple[float, ...]


@dataclass(frozen=True)
class Duplicates:
    """How planted copies were found. `others` are the pairs of rows beyond them, to be judged by eye."""

    planted: int
    found: int
    missed: tuple[str, ...]
    others: tuple[tuple[int, int, float], ...]


def flip_labels(classes: Classes, share: float, seed: int, confused_with: Classes | None = None) -> Classes:
    """The classes (n,) with a share of them wrong: any other, or where given the one in `confused_with` (n,)."""
    random = np.random.default_rng(seed)
    count = int(classes.max()) + 1
    flipped = classes.copy()
    rows = random.choice(len(classes), round(share * len(classes)), replace=False)
    any_other = (classes[rows] + random.integers(1, count, len(rows))) % count
    flipped[rows] = any_other if confused_with is None else confused_with[rows]
    return flipped


def judge_flips(
    extraction: Extraction, copies: tuple[Copies, ...], share: float, seed: int, *, confused: bool, oracle: bool
) -> Flips:
    """Plant flips and look for them; an `oracle` is a head that was trained on the right labels."""
    labels = sorted({photo.label for photo in extraction.photos})
    classes = class_indices(extraction.photos, labels)
    folds = np.array(deal_folds(extraction.photos, groups_with_copies(extraction.photos, copies), f"doctor {seed}"))
    clean = out_of_fold(extraction.matrix, classes, folds, len(labels)) if confused or oracle else None
    second = None
    if confused:
        assert clean is not None
        without = clean.copy()
        without[np.arange(len(classes)), classes] = -1
        second = without.argmax(axis=1)
    given = flip_labels(classes, share, seed, second)
    wrong = given != classes
    probabilities = clean if oracle else out_of_fold(extraction.matrix, given, folds, len(labels))
    assert probabilities is not None
    suspicion = suspect_labels(probabilities, given)
    hits = wrong[np.argsort(-suspicion.ratios, kind="stable")].cumsum()
    precisions = hits / np.arange(1, len(hits) + 1)
    curve = [float(precisions[np.searchsorted(hits, np.ceil(recall * wrong.sum()))]) for recall in RECALLS]
    found = int(wrong[suspicion.rows].sum())
    suspected = len(suspicion.rows)
    return Flips(int(wrong.sum()), suspected, found / max(1, suspected), found / wrong.sum(), tuple(curve))


def make_copy(path: str, kind: str, target: Path) -> Path:
    """Write a copy of a photo, changed as one of KINDS says; returns its path."""
    with Image.open(path) as opened:
        photo = ImageOps.exif_transpose(opened).convert("RGB")
    width, height = photo.size
    if "half" in kind:
        photo = photo.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    elif kind == "third":
        photo = photo.resize((width // 3, height // 3), Image.Resampling.BICUBIC)
    elif kind == "double":
        photo = photo.resize((width * 2, height * 2), Image.Resampling.BICUBIC)
    if "mirrored" in kind:
        photo = ImageOps.mirror(photo)
    data = io.BytesIO()
    if kind == "WebP 50":
        photo.save(data, "WEBP", quality=50)
    elif kind == "PNG":
        photo.save(data, "PNG")
    else:
        quality = {"JPEG 30": 30, "JPEG 60": 60, "mirrored JPEG": 50}.get(kind, 85)
        photo.save(data, "JPEG", quality=quality)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data.getvalue())
    return target


def plant_copies(listing: Dataset, number: int, seed: int, folder: Path) -> tuple[Dataset, dict[str, tuple[str, str]]]:
    """The listing with copies of its photos, and for the path of each its original and its kind."""
    random = np.random.default_rng(seed)
    labels = sorted({file.label for file in listing.files})
    origin: dict[str, tuple[str, str]] = {}
    added = []
    for index, row in enumerate(random.choice(len(listing.files), number, replace=False)):
        file, kind = listing.files[row], KINDS[index % len(KINDS)]
        label = file.label if index // len(KINDS) % 2 == 0 else str(random.choice(labels))
        path = make_copy(file.path, kind, folder / f"copy {seed} {index}.jpg")
        status = path.stat()
        stats = status.st_size, status.st_mtime_ns, status.st_ino
        added.append(PhotoFile(str(path), label, *stats, ctime_ns=status.st_ctime_ns))
        origin[str(path)] = (file.path, kind)
    return replace(listing, files=(*listing.files, *added)), origin


def judge_copies(extraction: Extraction, origin: dict[str, tuple[str, str]]) -> Duplicates:
    """Which of the planted copies are in one group with their originals, and which other pairs are."""
    photos = extraction.photos
    copies = find_copies(photos, extraction.matrix, look_at(photos))
    group_of = {photos[row].path: number for number, group in enumerate(copies) for row in group.rows}
    missed = [kind for path, (original, kind) in origin.items() if group_of.get(path, -1) != group_of.get(original, -2)]
    others = []
    for group in copies:
        # What is left of the set's own, each with the first.
        own = sorted({origin.get(photos[row].path, (photos[row].path,))[0] for row in group.rows})
        rows = [next(row for row in range(len(photos)) if photos[row].path == path) for path in own]
        contents = {photos[row].sha256: row for row in rows}
        first, *rest = contents.values()
        others += [(first, row, group.similarity) for row in rest]
    return Duplicates(len(origin), len(origin) - len(missed), tuple(missed), tuple(others))


def judge_outliers(extraction: Extraction, strangers: Extraction, number: int, seed: int) -> tuple[int, int]:
    """Add photos of another set, each with a class by chance: how many of them are named, and how many others."""
    random = np.random.default_rng(seed)
    labels = sorted({photo.label for photo in extraction.photos})
    picked = random.choice(len(strangers.photos), number, replace=False)
    added = tuple(replace(strangers.photos[row], label=str(random.choice(labels)), split=None) for row in picked)
    photos = (*extraction.photos, *added)
    classes = class_indices(photos, labels)
    matrix = np.concatenate([extraction.matrix, strangers.matrix[picked]])
    folds = np.array(deal_folds(photos, groups_with_copies(photos, ()), f"doctor {seed}"))
    named = {finding.row for finding in outlier_findings(photos, neighbour_distances(matrix, classes, folds))}
    planted = set(range(len(extraction.photos), len(photos)))
    return len(named & planted), len(named - planted)


def draw_pairs(photos: tuple[Photo, ...], pairs: tuple[tuple[int, int, float], ...], target: Path) -> None:
    """The pairs as pictures side by side, the least similar first."""
    sheet = Image.new("RGB", (2 * 420, 170 * ((len(pairs) + 1) // 2)))
    for number, (one, other, _) in enumerate(sorted(pairs, key=lambda pair: pair[2])):
        for place, row in enumerate((one, other)):
            picture = Image.open(photos[row].path).convert("RGB")
            picture.thumbnail((205, 165))
            sheet.paste(picture, (number % 2 * 420 + place * 210, number // 2 * 170))
    sheet.save(target)


@click.command(context_settings={"token_normalize_func": lambda name: name.replace("-", "_")})
@click.argument("image_dir", type=click.Path(path_type=Path, exists=True))
@click.option("--architecture", default="mobilenet_v2_1.0_224", show_default=True)
@click.option("--model_dir", type=click.Path(path_type=Path), default="tf_files/models", show_default=True)
@click.option("--bottleneck_dir", type=click.Path(path_type=Path), default="tf_files/bottlenecks", show_default=True)
@click.option("--flips", type=NumberRange(0, 1), default=0.05, show_default=True, help="Share of wrong labels.")
@click.option("--copies", type=click.IntRange(min=0), default=50, show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--strangers", type=click.Path(path_type=Path), help="Photos of something else, to plant as outliers.")
@click.option("--pairs", type=click.Path(path_type=Path), help="Draw the set's own pairs into this picture.")
def main(
    image_dir: Path,
    architecture: str,
    model_dir: Path,
    bottleneck_dir: Path,
    flips: float,
    copies: int,
    seeds: int,
    strangers: Path | None,
    pairs: Path | None,
) -> None:
    """Print what `retrain doctor` finds of what is planted into IMAGE_DIR."""
    backbone: Backbone = find_backbone(architecture, model_dir, None)
    if architecture != "fake":
        backbone = backbone.computed_in(choose_precision("auto"))
    listing = list_photos(image_dir)
    extraction = extract(listing, backbone, bottleneck_dir)
    photos = extraction.photos
    began, cpu = time.perf_counter(), time.process_time()
    diagnosis = diagnose(extraction, split_photos(photos).splits, backbone.input_size)
    click.echo(
        f"{len(photos)} photos examined in {time.perf_counter() - began:.1f} s "
        f"({time.process_time() - cpu:.1f} s of CPU, {os.cpu_count()} cores); nothing planted: "
        + ", ".join(f"{kind} {number}" for kind, _, number in diagnosis.counts())
    )
    click.echo(f"\n{flips:.0%} wrong labels, {seeds} seeds: precision and recall of what is suspected; curve")
    click.echo("flips to       judge          suspected  precision  recall   precision at recall "
               + "  ".join(f"{recall:.2f}" for recall in RECALLS))  # fmt: skip
    for confused in (False, True):
        for oracle in (False, True):
            found = [
                judge_flips(extraction, diagnosis.copies, flips, seed, confused=confused, oracle=oracle)
                for seed in range(seeds)
            ]
            curve = np.mean([one.curve for one in found], axis=0)
            means = [np.mean([getattr(one, name) for one in found]) for name in ("suspected", "precision", "recall")]
            click.echo(
                f"{'the likeliest' if confused else 'any class':14} {'right labels' if oracle else 'the doctor':14} "
                f"{means[0]:9.0f}  {means[1]:9.3f}  {means[2]:6.3f}                       "
                + "  ".join(f"{precision:.2f}" for precision in curve)
            )
    click.echo(f"\n{copies} copies ({', '.join(KINDS)}):")
    for seed in range(seeds):
        with TemporaryDirectory() as folder:
            more, origin = plant_copies(listing, copies, seed, Path(folder))
            planted = extract(more, backbone, bottleneck_dir)
            found_copies = judge_copies(planted, origin)
            click.echo(
                f"seed {seed}: {found_copies.found} of {found_copies.planted} found; missed: "
                f"{', '.join(found_copies.missed) or 'none'}; near pairs of the set's own: {len(found_copies.others)}"
            )
            if pairs is not None and seed == 0:
                draw_pairs(planted.photos, found_copies.others, pairs)
    if strangers is not None:
        others = extract(list_photos(strangers), backbone, bottleneck_dir)
        for seed in range(seeds):
            named, more_named = judge_outliers(extraction, others, STRANGERS, seed)
            click.echo(f"seed {seed}: {named} of {STRANGERS} strangers named, and {more_named} other photos")


if __name__ == "__main__":
    main()
