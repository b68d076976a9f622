"""Writes everything that a run leaves behind: into a temporary folder, checked, then renamed."""

import csv
import functools
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import compress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from label_image.files import reason_of
from label_image.model import Outputs, load_saved_model
from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Engine
from retrain.bottlenecks.extraction import Extraction
from retrain.core.errors import ExportError, ParityError, UnwritableStoreError
from retrain.core.outputs import MANIFEST, place, temporary_beside
from retrain.core.placing import KEPT_INSIDE, obey_umask
from retrain.exports.folder import replace_export
from retrain.exports.formats.saved_model import FILES
from retrain.exports.from_templates import write_formats
from retrain.exports.manifest import manifest
from retrain.exports.proof.parity import Parity, compare, graph_def_runner
from retrain.exports.proof.reference import (
    network_engine,
    parity_bottlenecks,
    parity_photos,
    parity_pixels,
    spread,
)
from retrain.exports.registry import FORMATS, TITLES
from retrain.exports.template import (
    covers,
    fetch_template,
    keep_template,
    kept_folder,
)
from retrain.exports.top import Top, known_top
from retrain.photos.seen_photos import seen_mask, write_seen_photos
from retrain.photos.split import Division

if TYPE_CHECKING:
    from retrain.backbones.network import Network
    from retrain.exports.classifier import Classifier
    from retrain.runs.train import Options, Screen, Trained

# That prove a template. What goes wrong in a conversion (weights, channels, arithmetic) shows on every photo; a fault
# that shows on 1 of 16 is found by 48 with a chance of 95 %. On two cores Inception-V3 takes 0.4 s for each.
PROOF_PHOTOS = 48
CHECK_PHOTOS = 16  # that check a head put into a proven one


def write_outputs(
    options: "Options",
    backbone: Backbone,
    extraction: Extraction,
    division: Division,
    labels: tuple[str, ...],
    trained: "Trained",
    screen: "Screen",
    notes: Mapping[str, object] = MappingProxyType({}),
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> tuple[Path, ...]:
    """Write the export directory and whatever else was asked for; returns the paths.

    `notes` are added to the manifest, `files` to the folder.

    What depends on the backbone alone comes from a kept template; without one it is made, proven on
    more photos, and kept. Raises ParityError, leaving everything as it was, if an export does not
    answer like the model; ExportError if something cannot be written.
    """
    assert trained.confidence is not None
    top = Top(trained.fit.head, trained.confidence.familiar.means)
    network = functools.cache(lambda: _load(backbone))
    with _beside(options.output_dir) as scratch:
        temporary, templates = scratch / "export", scratch / "templates"
        temporary.mkdir()
        covered = {name: covers(name, backbone, labels, top.head.hidden) for name in options.formats}
        kept = {name: kept_folder(options.bottleneck_dir, covered[name]) for name in options.formats}
        fetched = {name: fetch_template(kept[name], covered[name], templates / name) for name in options.formats}
        new = [name for name, found in fetched.items() if found is None]
        rows = parity_photos(extraction, division, PROOF_PHOTOS if new else CHECK_PHOTOS)
        pixels = parity_pixels(extraction, rows, backbone)
        # The order of the labels is the order of the scores.
        label_lines = "".join(f"{label}\n" for label in labels)
        (temporary / "labels.txt").write_text(label_lines, encoding="utf-8", newline="\n")
        short = {**manifest(options, backbone, extraction, labels, trained), **notes}

        def make() -> "Classifier":
            from retrain.exports.classifier import Classifier

            return Classifier(network(), known_top(top), labels)

        def engine(part: Backbone | None = None) -> Engine:
            return network_engine(network() if part is None else network().of(part))

        def reference() -> Outputs:
            try:
                bottlenecks = parity_bottlenecks(extraction, rows, backbone, options.bottleneck_dir, engine)
            except UnwritableStoreError:  # those of the run's precision are there, these few in float32 are not
                bottlenecks = engine()(pixels)
            return top.outputs(bottlenecks)

        texts = {"labels.txt": label_lines, MANIFEST: _json(short)}
        answers, expected = write_formats(
            options.formats, temporary, templates, top, texts, pixels, new, make, reference
        )
        if options.output_graph is not None:
            answers["graph_def"] = _write_graph_def(temporary, options.final_tensor_name, short, pixels)
        try:
            parity = _compare(answers, expected)
        except ParityError:
            # They may come from another machine, whose float32 is not this one's to the last bit.
            parity = _compare(answers, top.outputs(engine()(pixels)))
        for name in new:
            proof = fetched[name] = {what: parity[what] for what in FORMATS[name].titles}
            keep_template(templates / name, kept[name], covered[name], proof)
        proven = {what: value for proof in fetched.values() if proof for what, value in proof.items()}
        (temporary / MANIFEST).write_text(
            _json({**short, "parity": _plain(parity), "template": {"parity": _plain(proven)}}), encoding="utf-8"
        )
        (temporary / "metrics.json").write_text(
            _json({"validation": asdict(trained.validation), "test": asdict(trained.test)}), encoding="utf-8"
        )
        for name, data in files.items():
            (temporary / name).write_bytes(data)
        write_seen_photos(temporary, compress(extraction.photos, seen_mask(division)))
        _write_skipped(extraction, temporary / "skipped.csv")
        obey_umask(temporary)
        return _put_in_place(options, temporary, screen)


@contextmanager
def _beside(output_dir: Path) -> Iterator[Path]:
    try:
        with temporary_beside(output_dir) as scratch:
            yield scratch
    except OSError as error:
        raise ExportError(f"The export to {output_dir} failed: {reason_of(error)}.") from error


def _load(backbone: Backbone) -> "Network":
    # Here, and not above: an export from a template needs no network.
    from retrain.backbones.network import kept_network

    return kept_network(backbone.in_float32())


def _write_graph_def(folder: Path, final_tensor_name: str, short: Mapping[str, object], pixels: Pixels) -> Outputs:
    """Write graph.pb from the SavedModel beside it, with its manifest, and run it."""
    from retrain.exports.formats.graph_def import write_graph_def

    loaded = load_saved_model(folder)  # its signatures alone do not keep the variables alive
    write_graph_def(
        lambda image: loaded.signatures["serving_default"](image=image),
        pixels.shape[1],
        folder / "graph.pb",
        final_tensor_name,
        short,
    )
    return graph_def_runner(folder / "graph.pb", final_tensor_name)(pixels)


def _compare(answers: dict[str, Outputs], reference: Outputs) -> dict[str, Parity]:
    """Compare what each format answered. Raises ParityError for the first that is not the model."""
    parity = {}
    for name, answer in answers.items():
        photos = spread(len(reference.probabilities), len(answer.probabilities))
        parity[name] = compare(TITLES[name], answer, reference.of(photos))
    return parity


def _plain(parity: dict[str, Parity]) -> dict[str, object]:
    return {name: asdict(value) for name, value in parity.items()}


def _put_in_place(options: "Options", temporary: Path, screen: "Screen") -> tuple[Path, ...]:
    written = []
    extras: list[tuple[Path, Path]] = []
    if options.output_graph is not None:
        extras.append((temporary / "graph.pb", options.output_graph))
    if options.output_labels is not None:
        extras.append((_copy(temporary / "labels.txt", temporary.with_name("labels")), options.output_labels))
    if options.saved_model_dir is not None:
        copy = temporary.with_name("saved_model")
        copy.mkdir()
        for name in FILES:
            if (temporary / name).exists():
                _copy(temporary / name, copy / name)
        extras.append((copy, options.saved_model_dir))
    for source, target in extras:
        kept = place(source, target)
        if kept is not None:
            screen.say(f"{target} was there already: it is now {kept}.")
        written.append(target)
    kept = replace_export(temporary, options.output_dir)
    if kept is not None and kept.parent != options.output_dir.parent and kept.name == KEPT_INSIDE:
        screen.say(f"{options.output_dir} cannot be renamed: it was written in place, the one before is now {kept}.")
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
