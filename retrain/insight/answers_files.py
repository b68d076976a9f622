"""The answer for each photo of an evaluation, in a CSV or a Parquet file."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from label_image.csv_cells import cell, path_cell
from label_image.files import reason_of, temporary_folder
from label_image.table_names import misnamed
from retrain.core.errors import ExportError, OptionError
from retrain.core.outputs import check_distinct, check_file, check_not_among_photos, check_outside, place
from retrain.runs.evaluate import EvaluateConfig, Evaluation

BLOCK = 1000  # photos whose rows are made at once
# What comes before the probabilities, each in a column `p_` with the name of its class.
TEXTS, YES_OR_NO = ("path", "label", "predicted"), ("right", "unknown")
ENDINGS = {"`csv`": ".csv", "`parquet`": ".parquet"}
COLUMNS = ("path", "label", "predicted", "probability", "right", "unknown", "similarity")


def check_answers(config: EvaluateConfig, files: Mapping[str, Path | None]) -> None:
    """Refuse, before any work, files by their options that `write_answers` could not, or must not, write.

    Raises OptionError or ExportError; makes nothing.
    """
    check_distinct({"DATA": Path(config.data), **files})
    check_not_among_photos(Path(config.data), files)
    if config.model.is_dir():
        check_outside(config.model, files, "the export")
    for option, path in files.items():
        if path is not None:
            if wrong := misnamed(option, path, ENDINGS[option]):
                raise OptionError(wrong)
            check_file(path, option)


def write_answers(evaluation: Evaluation, csv_file: Path | None, parquet: Path | None) -> None:
    """A row for each photo that was answered. What differs and is there already is kept beside it.

    Raises ExportError.
    """
    for option, path, write in (("`csv`", csv_file, _write_csv), ("`parquet`", parquet, _write_parquet)):
        if path is None:
            continue
        try:
            with temporary_folder(path.parent) as temporary:
                write(evaluation, temporary / path.name)
                place(temporary / path.name, path)
        except OSError as error:
            raise ExportError(f"{option} {path} cannot be written: {reason_of(error)}.") from None


def _write_csv(evaluation: Evaluation, path: Path) -> None:
    # surrogateescape: a file name that is not UTF-8 is written as the bytes it has.
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow((*COLUMNS, *_probability_columns(evaluation)))
        for start in range(0, len(evaluation.said.photos), BLOCK):
            block = _columns(evaluation, slice(start, start + BLOCK))
            paths = map(path_cell, block.pop("path"))  # the first column
            writer.writerows(zip(paths, *(map(cell, column) for column in block.values()), strict=True))


def _write_parquet(evaluation: Evaluation, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {**dict.fromkeys(TEXTS, pa.string()), **dict.fromkeys(YES_OR_NO, pa.bool_())}
    names = (*COLUMNS, *_probability_columns(evaluation))
    schema = pa.schema([(name, kinds.get(name, pa.float32())) for name in names])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(evaluation.said.photos), BLOCK):
            block = _columns(evaluation, slice(start, start + BLOCK))
            block["path"] = [os.fsencode(photo).decode(errors="backslashreplace") for photo in block["path"]]
            writer.write_table(pa.table(block, schema))


def _columns(evaluation: Evaluation, rows: slice) -> dict[str, Any]:
    """The values of some rows by column; None where there is nothing to say."""
    photos, outputs = evaluation.said.photos[rows], evaluation.said.outputs
    probabilities = outputs.probabilities[rows]
    nothing = [None] * len(photos)
    similarity = nothing if outputs.similarity is None else outputs.similarity[rows]
    predicted = [evaluation.labels[index] for index in probabilities.argmax(axis=1)]
    known = set(evaluation.labels)
    pairs = zip(photos, predicted, strict=True)
    return {
        "path": [photo.path for photo in photos],
        "label": [photo.label for photo in photos],
        "predicted": predicted,
        "probability": probabilities.max(axis=1),
        "right": [photo.label == answer if photo.label in known else None for photo, answer in pairs],
        "unknown": nothing if evaluation.said.refused is None else evaluation.said.refused[rows].tolist(),
        "similarity": similarity,
        **dict(zip(_probability_columns(evaluation), probabilities.T, strict=True)),
    }


def _probability_columns(evaluation: Evaluation) -> list[str]:
    return [f"p_{label}" for label in evaluation.labels]
