"""Writes everything that a run leaves behind: into a temporary folder, checked, then renamed."""

import csv
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from label_image.json_outputs import versioned
from label_image.model import Outputs, load_saved_model
from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Engine
from retrain.bottlenecks.in_float32 import float32_rows
from retrain.core.errors import ParityError, UnwritableStoreError
from retrain.core.evenly import spread
from retrain.core.observing import Observe, check_progress, ending, not_observed
from retrain.core.outputs import MANIFEST, exported_beside, place
from retrain.core.placing import KEPT_INSIDE, obey_umask
from retrain.core.progress import SILENT, Progress
from retrain.core.typed import require
from retrain.exports.card import write_card
from retrain.exports.export_config import ExportConfig
from retrain.exports.folder import REMARKS, replace_export
from retrain.exports.formats.base import Filling
from retrain.exports.formats.saved_model import FILES
from retrain.exports.from_templates import write_formats
from retrain.exports.manifest import manifest
from retrain.exports.proof.parity import Parity, compare, graph_def_runner
from retrain.exports.proof.reference import ProofPhotos, network_engine, proof_photos, proof_rows
from retrain.exports.registry import FORMATS, TITLES
from retrain.exports.template import (
    covers,
    fetch_template,
    keep_template,
    kept_folder,
)
from retrain.exports.top import Top, placeholder_head
from retrain.photos.dataset import Skipped
from retrain.photos.record import write_record
from retrain.photos.seen_photos import seen_mask, write_seen_photos
from retrain.photos.truncated import remarks_on
from retrain.training.trained import TrainedHead

if TYPE_CHECKING:
    from retrain.backbones.network import Network
    from retrain.exports.classifier import Classifier

BUILT_IN = "built-in pictures, as all photos are gone"  # what it is proven on then


@dataclass(frozen=True)
class Exported:
    """What was written: the export folder, all paths, and what the manifest says."""

    folder: Path
    written: tuple[Path, ...]
    manifest: Mapping[str, Any]


def export(
    trained: TrainedHead,
    config: ExportConfig = ExportConfig(),
    *,
    progress: Progress = SILENT,
    observe: Observe = not_observed,
) -> Exported:
    """What `retrain.export` does (`retrain.runs.exporting`), but that no format can be added to what it returns."""
    require(trained, TrainedHead, "trained", "export", "fit_head(bottlenecks, division)")
    require(config, ExportConfig, "config", "export", f"ExportConfig({config if isinstance(config, str) else '…'!r})")
    bottlenecks = trained.bottlenecks
    config.check(Path(bottlenecks.dataset.source), {"`bottleneck_dir`": bottlenecks.config.local_dir})
    check_progress(progress)
    return write_outputs(trained, config, progress, observe=ending(observe))


def write_outputs(
    trained: TrainedHead,
    config: ExportConfig,
    progress: Progress = SILENT,
    notes: Mapping[str, object] = MappingProxyType({}),
    files: Mapping[str, bytes] = MappingProxyType({}),
    observe: Observe = not_observed,
) -> Exported:
    """Write the export directory and whatever else was asked for, where `config` was checked.

    `notes` are added to the manifest, `files` to the folder.

    What depends on the backbone alone comes from a kept template; without one it is made, proven on
    more photos, and kept. Raises ParityError, leaving everything as it was, if an export does not
    answer like the model; ExportError if something cannot be written.
    """
    bottlenecks = trained.bottlenecks
    with exported_beside(config.output_dir) as scratch:
        temporary = scratch / "export"
        temporary.mkdir()
        observe(0, len(config.formats))
        short = {**manifest(trained, config.formats), **notes}
        proven_on = {} if bottlenecks.gone < len(bottlenecks.photos) else {"parity_on": BUILT_IN}
        parity, proven = _Writing(trained, config, temporary, scratch / "templates", short).write()
        content = {**short, **proven_on, "parity": _plain(parity), "template": {"parity": _plain(proven)}}
        (temporary / MANIFEST).write_text(_json(content), encoding="utf-8")
        (temporary / "metrics.json").write_text(
            _json(versioned({"validation": asdict(trained.validation), "test": asdict(trained.test)})), encoding="utf-8"
        )
        for name, data in files.items():
            (temporary / name).write_bytes(data)
        write_card(temporary, content, config.formats)
        write_seen_photos(temporary, compress(bottlenecks.photos, seen_mask(trained.division)))
        told = bottlenecks.dataset.as_told
        write_record(temporary, told(bottlenecks.photos), trained.division, bottlenecks.dataset.reading)
        _write_reasons(told(bottlenecks.skipped), temporary / "skipped.csv")
        if bottlenecks.truncated:
            _write_reasons(remarks_on(told(bottlenecks.truncated)), temporary / REMARKS, "remark")
        obey_umask(temporary)
        observe(len(config.formats), len(config.formats))
        return Exported(config.output_dir, _put_in_place(config, temporary, progress), content)


@dataclass(frozen=True)
class _Writing:
    """The formats of a model, written into a folder and compared with it; `short` is the manifest without proof."""

    trained: TrainedHead
    config: ExportConfig
    folder: Path
    templates: Path
    short: Mapping[str, object]

    def write(self) -> tuple[dict[str, Parity], dict[str, Parity]]:
        """Write labels.txt and all formats; returns how they answer, and how the templates that they came from did.

        What comes of a new template proves it, on more photos. How it answers to CHECK_PHOTOS of them is told apart, so
        that it is the same whether the template was kept or not.
        """
        bottlenecks, labels, formats = self.trained.bottlenecks, self.trained.labels, self.config.formats
        covered = {name: covers(name, bottlenecks.backbone, labels, self.top.head.hidden) for name in formats}
        kept = {name: kept_folder(bottlenecks.config.local_dir, covered[name]) for name in formats}
        fetched = {name: fetch_template(kept[name], covered[name], self.templates / name) for name in formats}
        new = [name for name, found in fetched.items() if found is None]
        proven = [name for name in formats if name not in new]
        # The order of the labels is the order of the scores.
        (self.folder / "labels.txt").write_text(self._label_lines, encoding="utf-8", newline="\n")
        check, *others = proof_rows(bottlenecks.extraction, self.trained.division)
        parity: dict[str, Parity] = {}
        if new:
            parity, *more = self._written(new, [check, *others], is_proven=False)
            for name in new:
                fetched[name] = {
                    what: Parity.joined([part[what] for part in (parity, *more)]) for what in FORMATS[name].titles
                }
        if proven:
            parity |= self._written(proven, [check], is_proven=True)[0]
        parity = {what: parity[what] for what in TITLES if what in parity}
        if self.config.output_graph is not None:
            parity |= self._graph_def(check)
        for name in new if check else ():  # one that no photo has proven is not kept for others
            keep_template(self.templates / name, kept[name], covered[name], fetched[name] or {})
        return parity, {what: value for proof in fetched.values() if proof for what, value in proof.items()}

    def _written(self, formats: Sequence[str], groups: Sequence[list[int]], is_proven: bool) -> list[dict[str, Parity]]:
        """Write formats, and run them on groups of photos; their templates are made before, unless they are proven."""
        photos = [self._photos(rows) for rows in groups]
        texts = {"labels.txt": self._label_lines, MANIFEST: _json(self.short)}
        pixels = [group.pixels for group in photos]
        answers, expected = write_formats(
            formats,
            Filling(self.templates, self.folder, self.top, texts, pixels, is_proven),
            () if is_proven else formats,
            self._classifier,
            lambda: [self._reference(group) for group in photos],
        )
        return [self._compared(*one) for one in zip(answers, expected, photos, strict=True)]

    def _graph_def(self, rows: list[int]) -> dict[str, Parity]:
        """Write graph.pb from the SavedModel beside it, and run it."""
        photos = self._photos(rows)
        answer = _write_graph_def(self.folder, self.config.final_tensor_name, self.short, photos.pixels)
        return self._compared({"graph_def": answer}, self._reference(photos), photos)

    def _photos(self, rows: list[int]) -> ProofPhotos:
        bottlenecks = self.trained.bottlenecks
        return proof_photos(bottlenecks.extraction, rows, bottlenecks.backbone)

    def _compared(self, answers: dict[str, Outputs], expected: Outputs, photos: ProofPhotos) -> dict[str, Parity]:
        try:
            return _compare(answers, expected)
        except ParityError:
            # They may come from another machine, whose float32 is not this one's to the last bit.
            return _compare(answers, self.top.outputs(self._engine()(photos.pixels)))

    @cached_property
    def _label_lines(self) -> str:
        return "".join(f"{label}\n" for label in self.trained.labels)

    @cached_property
    def top(self) -> Top:
        """The head, and the class means by which it knows what is familiar."""
        assert self.trained.confidence is not None
        return Top(self.trained.head, self.trained.confidence.familiar.means)

    @cached_property
    def _network(self) -> "Network":
        return _load(self.trained.bottlenecks.backbone)

    def _classifier(self) -> "Classifier":
        from retrain.exports.classifier import Classifier

        return Classifier(self._network, placeholder_head(self.top), self.trained.labels)

    def _engine(self, part: Backbone | None = None) -> Engine:
        return network_engine(self._network if part is None else self._network.of(part))

    def _reference(self, photos: ProofPhotos) -> Outputs:
        """What the model itself says of these photos."""
        if not photos.rows:
            return self.top.outputs(self._engine()(photos.pixels))
        try:
            found = float32_rows(self.trained.bottlenecks, photos.rows, self._engine)
        except UnwritableStoreError:  # those of the run's precision are there, these few in float32 are not
            found = self._engine()(photos.pixels)
        return self.top.outputs(found)


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


def _put_in_place(config: ExportConfig, temporary: Path, progress: Progress) -> tuple[Path, ...]:
    written = []
    extras: list[tuple[Path, Path]] = []
    if config.output_graph is not None:
        extras.append((temporary / "graph.pb", config.output_graph))
    if config.output_labels is not None:
        extras.append((_copy(temporary / "labels.txt", temporary.with_name("labels")), config.output_labels))
    if config.saved_model_dir is not None:
        copy = temporary.with_name("saved_model")
        copy.mkdir()
        for name in FILES:
            if (temporary / name).exists():
                _copy(temporary / name, copy / name)
        extras.append((copy, config.saved_model_dir))
    for source, target in extras:
        kept = place(source, target)
        if kept is not None:
            progress.say(f"{target} was there already: it is now {kept}.")
        written.append(target)
    kept = replace_export(temporary, config.output_dir, progress.say)
    if kept is not None and kept.parent != config.output_dir.parent and kept.name == KEPT_INSIDE:
        progress.say(f"{config.output_dir} cannot be renamed: it was written in place, the one before is now {kept}.")
    return (config.output_dir, *written)


def _copy(source: Path, target: Path) -> Path:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    return target


def _write_reasons(skipped: Sequence[Skipped], path: Path, column: str = "reason") -> None:
    # surrogateescape: a file name that is not UTF-8 is written as the bytes it has.
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", column))
        writer.writerows((os.fspath(item.path), item.reason) for item in skipped)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
