"""Writes everything that a run leaves behind: into a temporary folder, checked, then renamed."""

import csv
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from label_image.model import saved_model_runner, tflite_runner
from retrain.backbones import Backbone
from retrain.bottlenecks import Extraction
from retrain.errors import ExportError
from retrain.export.classifier import Classifier
from retrain.export.graph_def import write_graph_def
from retrain.export.manifest import manifest
from retrain.export.parity import (
    Parity,
    Probabilities,
    compare,
    graph_def_runner,
    saved_model_bytes_runner,
)
from retrain.export.saved_model import write_saved_model
from retrain.export.tflite import write_tflite
from retrain.images import PhotoError, Pixels, load_pixels
from retrain.network import load_network
from retrain.outputs import MANIFEST, place, replace_export, temporary_beside
from retrain.split import Division
from retrain.tensorflow import tf

if TYPE_CHECKING:
    from retrain.pipeline import Options, Screen, Trained

PARITY_PHOTOS = 100


def write_outputs(
    options: "Options",
    backbone: Backbone,
    extraction: Extraction,
    division: Division,
    labels: tuple[str, ...],
    trained: "Trained",
    screen: "Screen",
) -> tuple[Path, ...]:
    """Write the export directory and whatever else was asked for; returns the paths.

    Raises ParityError, leaving everything as it was, if an export does not answer like the
    model; ExportError if something cannot be written.
    """
    classifier = Classifier(load_network(backbone), trained.fit.head, labels)
    pixels = parity_photos(extraction, division, backbone)
    reference = reference_probabilities(classifier, pixels)
    temporary = temporary_beside(options.output_dir)
    try:
        parity: dict[str, Parity] = {}
        write_saved_model(classifier, temporary)
        parity["saved_model"] = compare("The SavedModel", saved_model_runner(temporary), pixels, reference)
        parity["saved_model_bytes"] = compare(
            "The SavedModel (serve_bytes)", saved_model_bytes_runner(temporary), pixels, reference
        )
        # The order of the labels is the order of the scores.
        label_lines = "".join(f"{label}\n" for label in labels)
        (temporary / "labels.txt").write_text(label_lines, encoding="utf-8", newline="\n")
        short = manifest(options, backbone, extraction, labels, trained)
        write_tflite(classifier, temporary / "model.tflite", {"labels.txt": label_lines, MANIFEST: _json(short)})
        parity["tflite"] = compare("model.tflite", tflite_runner(temporary / "model.tflite"), pixels, reference)
        graph = temporary / "graph.pb"
        if options.output_graph is not None:
            write_graph_def(classifier, graph, options.final_tensor_name)
            runner = graph_def_runner(graph, options.final_tensor_name)
            parity["graph_def"] = compare("The frozen graph", runner, pixels, reference)
        (temporary / MANIFEST).write_text(
            _json({**short, "parity": {name: asdict(value) for name, value in parity.items()}}), encoding="utf-8"
        )
        (temporary / "metrics.json").write_text(
            _json({"validation": asdict(trained.validation), "test": asdict(trained.test)}), encoding="utf-8"
        )
        _write_skipped(extraction, temporary / "skipped.csv")
        return _put_in_place(options, temporary, screen)
    except OSError as error:
        raise ExportError(f"The export to {options.output_dir} failed: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def parity_photos(extraction: Extraction, division: Division, backbone: Backbone) -> Pixels:
    """Up to PARITY_PHOTOS photos as pixels (n, size, size, 3): test photos first, spread over the classes."""
    testing = [index for index, side in enumerate(division.splits) if side == "testing"]
    candidates = testing or list(range(len(extraction.photos)))
    step = max(1, len(candidates) / PARITY_PHOTOS)
    chosen = [candidates[int(position * step)] for position in range(min(len(candidates), PARITY_PHOTOS))]
    return np.stack([_load(extraction.photos[index].path, backbone) for index in chosen])


def _load(path: str, backbone: Backbone) -> Pixels:
    try:
        return load_pixels(path, backbone.preprocessing)
    except PhotoError as error:
        raise ExportError(f"{path} {error}, though it was there a moment ago: run the same command again.") from None


def reference_probabilities(classifier: Classifier, pixels: Pixels) -> Probabilities:
    """What the model in memory answers, in float32, 16 photos at a time."""
    parts = [
        classifier(tf.constant(pixels[start : start + 16], tf.float32)).numpy() for start in range(0, len(pixels), 16)
    ]
    return np.concatenate(parts)


def _put_in_place(options: "Options", temporary: Path, screen: "Screen") -> tuple[Path, ...]:
    written = []
    extras: list[tuple[Path, Path]] = []
    if options.output_graph is not None:
        extras.append((temporary / "graph.pb", options.output_graph))
    if options.output_labels is not None:
        extras.append((_copy(temporary / "labels.txt", temporary / "output_labels"), options.output_labels))
    if options.saved_model_dir is not None:
        copy = temporary / "saved_model_dir"
        copy.mkdir()
        for name in ("saved_model.pb", "fingerprint.pb", "variables", "assets"):
            if (temporary / name).exists():
                _copy(temporary / name, copy / name)
        extras.append((copy, options.saved_model_dir))
    for source, target in extras:
        kept = place(source, target)
        if kept is not None:
            screen.say(f"{target} was there already: it is now {kept}.")
        written.append(target)
    replace_export(temporary, options.output_dir)
    return (options.output_dir, *written)


def _copy(source: Path, target: Path) -> Path:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    return target


def _write_skipped(extraction: Extraction, path: Path) -> None:
    # surrogateescape: a file name that is not UTF-8 is written as the bytes it has.
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "reason"))
        writer.writerows((os.fspath(item.path), item.reason) for item in extraction.skipped)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
