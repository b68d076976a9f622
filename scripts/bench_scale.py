"""Synthetic bottlenecks and files, more than one has photos for; scripts/bench.py measures what becomes of them.

The commands `train` and `start` each run in a process of their own, whose peak memory is then theirs alone.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from label_image.files import sha256_of_bytes
from retrain.backbones.backbone import find_backbone
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.store import Key, Store
from retrain.core.matrix_file import scratch_matrix
from retrain.photos.hashes import PhotoHashes
from retrain.photos.opening import list_photos
from retrain.photos.reading import remember_content
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.head import Classes, Matrix, Sample

DIM, CLASSES = 1280, 100
FACTORS = 64  # that make the features correlate
BLOCK = 10_000  # rows made at a time


def seconds_of(job: Callable[[], object]) -> float:
    """Wall time of a call."""
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin


def pooled_features(classes: Classes, dim: int, count: int, seed: int = 0, separation: float = 1.0) -> Matrix:
    """Features like those of an average pool after a ReLU, float32 (n, dim): not negative, correlated, noisy.

    `classes` is (n,), 0..count-1. The means of the classes and the correlations are the same for every seed;
    the less `separation`, the closer the means are.
    """
    structure, noise = np.random.default_rng(0), np.random.default_rng((1, seed))
    mixing = structure.standard_normal((FACTORS, dim), np.float32)
    mixing *= (np.arange(1, FACTORS + 1, dtype=np.float32) ** -0.5)[:, np.newaxis]  # as real ones: few directions count
    means = np.float32(separation) * structure.standard_normal((count, FACTORS), np.float32)
    features = np.empty((len(classes), dim), np.float32)
    for start in range(0, len(classes), BLOCK):
        rows = features[start : start + BLOCK]
        factors = means[classes[start : start + BLOCK]] + noise.standard_normal((len(rows), FACTORS), np.float32)
        rows[:] = factors @ mixing / 2 + noise.standard_normal(rows.shape, np.float32) / 4
    return np.maximum(features, 0, out=features)


def make_store(folder: Path, rows: int) -> None:
    """Write synthetic bottlenecks straight into a store; their class is their number modulo CLASSES."""
    with Store(folder, {"synthetic": rows}, DIM) as store:
        for start in range(0, rows, BLOCK):
            numbers = range(start, min(start + BLOCK, rows))
            features = pooled_features(np.array(numbers) % CLASSES, DIM, CLASSES, seed=start)
            store.put_many([_key(number) for number in numbers], features)


def make_files(folder: Path, files: int) -> None:
    """Empty files in the class folders of `folder`/photos, and a store and a table of hashes that know them all."""
    for label in range(CLASSES):
        (folder / "photos" / f"{label:02}").mkdir(parents=True)
    for number in range(files):
        (folder / "photos" / f"{number % CLASSES:02}" / f"{number}.jpg").touch()
    read_ns = time.time_ns() + 60 * 10**9  # a table does not take in files that were changed a moment ago
    hashes, backbone, keys = PhotoHashes(folder), find_backbone("fake", folder), []
    for file in list_photos(folder / "photos").files:
        keys.append(Key(sha256_of_bytes(os.fsencode(file.path))))
        remember_content(file, keys[-1].photo_sha256, read_ns, hashes)
    hashes.save()
    with Store(folder, backbone.covers(), backbone.dim, backbone.stored_dtype) as store:
        store.put_many(keys, np.ones((len(keys), backbone.dim), np.float32))


def _key(number: int) -> Key:
    return Key(f"{number:064x}")


@click.group()
def main() -> None:
    """What scripts/bench.py measures as processes; each prints its seconds as JSON."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("rows", type=int)
def train(folder: Path, rows: int) -> None:
    """The vectors of `make_store` into a memory-mapped matrix, and a head on them."""
    matrix = scratch_matrix((rows, DIM), folder)
    store = Store(folder, {"synthetic": rows}, DIM)
    reading = seconds_of(lambda: store.get_many([_key(number) for number in range(rows)], out=matrix))
    classes, cut = np.arange(rows) % CLASSES, rows // 10
    everything = Sample(matrix, classes)
    training, validation = everything.take(np.arange(cut, rows)), everything.take(np.arange(cut))
    fitting = seconds_of(lambda: fit_to_convergence(training, validation, CLASSES))
    click.echo(json.dumps({"store to matrix": reading, "head, over all L2 strengths": fitting}))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def start(folder: Path) -> None:
    """What a warm run does with the files of `make_files` before it trains, and merely looking at each of them."""

    def look() -> None:
        for place, _, names in os.walk(folder / "photos"):
            for name in names:
                os.stat(os.path.join(place, name))

    def find_bottlenecks() -> None:
        extraction = extract(list_photos(folder / "photos"), find_backbone("fake", folder), folder)
        assert extraction.computed == 0 and not extraction.skipped, "the files are not as they were made"

    click.echo(json.dumps({"walk and stat": seconds_of(look), "list, look up, read": seconds_of(find_bottlenecks)}))


if __name__ == "__main__":
    main()
