"""TensorBoard's embedding projector: bottlenecks as points in space, with thumbnails and labels.

It reads files that lie in a folder with event files: the vectors and what is known of each as tables
with tabs, the thumbnails as one picture (a sprite), and a configuration that names them.
"""

import math
from pathlib import Path

import numpy as np

from retrain.insight.html.rendering import shown
from retrain.photos.thumbnails import sprite
from retrain.runs.train import Run
from retrain.training.fitting.sample import Matrix, Rows

MOST = 2000  # photos: what a browser can still turn about
DIGITS = 4  # of a vector's numbers: more are not seen
SPRITE_QUALITY = 80  # of JPEG; as PNG the picture takes eight times as much
VECTORS, METADATA, SPRITE, CONFIG = "bottlenecks.tsv", "photos.tsv", "thumbnails.jpg", "projector_config.pbtxt"
COLUMNS = ("class", "side", "answer", "photo")


def write_projector(folder: Path, run: Run, most: int = MOST) -> None:
    """Write the projector's files to a folder that has event files, for `most` photos at the most."""
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    labels = [photo.label for photo in run.extraction.photos]
    rows = evenly(labels, most)
    _write_vectors(folder / VECTORS, np.asarray(run.extraction.matrix[rows], np.float32))
    lines = ["\t".join(COLUMNS), *("\t".join(map(_cell, line)) for line in _metadata(run, rows))]
    (folder / METADATA).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    picture, side = sprite(["" if photo.gone else photo.path for photo in (run.extraction.photos[row] for row in rows)])
    picture.save(folder / SPRITE, quality=SPRITE_QUALITY)
    config = ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="bottlenecks", tensor_path=VECTORS, metadata_path=METADATA)
    embedding.tensor_shape.extend([len(rows), run.extraction.matrix.shape[1]])
    embedding.sprite.image_path = SPRITE
    embedding.sprite.single_image_dim.extend([side, side])
    (folder / CONFIG).write_text(text_format.MessageToString(config), encoding="utf-8")


def evenly(labels: list[str], most: int) -> Rows:
    """At most `most` rows, in their order, as many of each class as there are, else of every class alike.

    Of a class that has too many those at even distances are taken.
    """
    rows_of: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(label, []).append(row)
    chosen: list[int] = []
    # The smallest classes first: what they leave of their share goes to the larger ones.
    for place, rows in enumerate(sorted(rows_of.values(), key=len)):
        share = (most - len(chosen)) // (len(rows_of) - place)
        spread = np.linspace(0, len(rows) - 1, min(share, len(rows))).round().astype(int)
        chosen += [rows[index] for index in spread]
    return np.array(sorted(chosen), np.intp)


def _metadata(run: Run, rows: Rows) -> list[tuple[str, ...]]:
    """What is known of these photos: class, side of the split or fold, what a test photo was taken for, file."""
    folds = run.division.folds
    answers = {
        int(row): run.labels[int(probabilities.argmax())]
        for row, probabilities in zip(run.trained.test_rows, run.trained.test_probabilities, strict=True)
    }
    return [
        (
            run.extraction.photos[row].label,
            run.division.splits[row] if folds is None else f"fold {folds[row] + 1}",
            answers.get(row, ""),
            run.extraction.photos[row].path,
        )
        for row in rows.tolist()
    ]


def _cell(text: str) -> str:
    """Text without tabs and line breaks, which would be other cells."""
    return " ".join(shown(text).split())


def _write_vectors(path: Path, vectors: Matrix) -> None:
    # np.savetxt takes many times as long.
    import pyarrow as pa
    from pyarrow import csv

    largest = float(np.abs(vectors).max(initial=0))
    digits = DIGITS - 1 - math.floor(math.log10(largest)) if largest > 0 else 0
    table = pa.table({str(column): values for column, values in enumerate(np.round(vectors, digits).T)})
    with open(path, "wb") as file:  # Arrow itself takes no name that is not UTF-8
        csv.write_csv(table, file, csv.WriteOptions(include_header=False, delimiter="\t"))
