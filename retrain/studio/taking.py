"""The studio's model taken away: written as an export, in further formats, each with its proof.

The export folder is the only truth about what was written, so that a studio that is started again knows it, too. It
belongs to a training where its manifest is the one that this training would write: that holds no path and no time, but
the digest of the photos, the head and what it is worth.
"""

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from label_image.errors import ModelError
from label_image.manifest import read_manifest
from retrain.core.errors import ExportError, StudioError
from retrain.core.language import translatable, translated
from retrain.core.progress import SILENT, Progress
from retrain.exports.export_config import ExportConfig
from retrain.exports.further_formats import size_of
from retrain.exports.manifest import manifest
from retrain.exports.publication import PROOFS
from retrain.exports.registry import FORMATS, TRAINING_FORMATS, check_packages
from retrain.photos.dataset import dataset_digest
from retrain.photos.record import NAME as RECORD
from retrain.runs.export import ConvertConfig, export_model
from retrain.studio.config import StudioConfig
from retrain.studio.gone import without_gone
from retrain.studio.report import report_path, write_report
from retrain.studio.seeing import Seen
from retrain.training.trained import TrainedHead

REPORT = "report"
# What a person calls a format, and what it is for; in the order of the page, those first that most people want.
WORDS = MappingProxyType(
    {
        "web": (
            translatable("Phone page"),
            translatable("a page with the camera, for any browser, also without a network"),
        ),
        "web_int8": (
            translatable("Phone page, small"),
            translatable("the same with smaller numbers: a shorter download, and faster"),
        ),
        "tflite": ("TFLite", translatable("phone apps, Raspberry Pi, label_image")),
        "tflite_float16": ("TFLite, float16", translatable("phone apps; half the size")),
        "tflite_int8": ("TFLite, int8", translatable("Raspberry Pi and small devices; a quarter of the size")),
        "tflite_dynamic": ("TFLite, dynamic int8", translatable("small devices; a quarter of the size")),
        "tflite_embed": (translatable("TFLite for likeness"), translatable("phone apps that find similar photos, too")),
        "coreml": ("Core ML", translatable("apps for iPhone and Mac")),
        "coreml_float16": ("Core ML, float16", translatable("apps for iPhone and Mac; half the size")),
        "onnx": ("ONNX", translatable("programs in C#, C++, Java and others")),
        "tfjs": ("TensorFlow.js", translatable("a web page of your own")),
        "saved_model": ("SavedModel", translatable("TensorFlow, TensorFlow Serving")),
        "arduino": ("Arduino", translatable("a sketch for microcontrollers, of small networks")),
        "graph_def": (translatable("Frozen graph"), translatable("older programs with TensorFlow")),
        REPORT: (
            translatable("Report"),
            translatable("a page to read and to print: how good the model is, and where it errs"),
        ),
    }
)
LEAST_SHOWN = 1e-4  # of what probabilities differ by: the tolerance of a float32 format

Content = Mapping[str, Any]


class Tested(msgspec.Struct, frozen=True):
    """By how much less a format is right than the model, 0..1."""

    drop: float = 0.0


class Proof(msgspec.Struct, frozen=True):
    """What the manifest says of a format: how like the model it answers, on so many photos."""

    photos: int
    top_1_agreement: float
    greatest_difference: float
    test: Tested | None = None

    @property
    def sentence(self) -> str:
        """It in short, in the language of the moment."""
        difference = _rounded_up(max(self.greatest_difference, LEAST_SHOWN))
        if self.top_1_agreement == 1:
            said = translated(
                "Tried on {photos:,} photos: all answers are the model's, probabilities differ by at most {most:g}.",
                photos=self.photos,
                most=difference,
            )
        else:
            said = translated(
                "Tried on {photos:,} photos: {same:.1%} of the answers are the model's, probabilities differ by at "
                "most {most:g}.",
                photos=self.photos,
                same=self.top_1_agreement,
                most=difference,
            )
        drop = 0.0 if self.test is None else self.test.drop
        if drop > 0:
            said += " " + translated("Its accuracy is {points:.1f} points lower.", points=100 * drop)
        if drop < 0:
            said += " " + translated("Its accuracy is {points:.1f} points higher.", points=-100 * drop)
        return said


@dataclass(frozen=True)
class Taken:
    """A format, or the report: whether it was written, of the training that is current, its size and its proof.

    The report has no proof. `refused` is a sentence on what this machine lacks to write it.
    """

    name: str
    is_written: bool = False
    is_current: bool = False
    bytes: int = 0
    proof: Proof | None = None
    refused: str | None = None

    def plain(self) -> dict[str, object]:
        """As the state of the studio has it, in the language of the moment."""
        title, purpose = WORDS[self.name]
        return {
            "name": self.name,
            "title": translated(title),
            "for": translated(purpose),
            "written": self.is_written,
            "isCurrent": self.is_current,
            "bytes": self.bytes if self.is_written else None,
            "proof": "" if self.proof is None else self.proof.sentence,
            "refused": self.refused,
        }


def exports(config: StudioConfig, trained: TrainedHead | None, seen: Seen | None = None) -> tuple[Taken, ...]:
    """All formats, as they lie in the export folder, and the report.

    They are current if they belong to `trained`; before a training, if they are of the photos that are `seen` now.
    """
    content = _content(config.output_dir)
    is_current = content is not None and (
        belongs_to(content, trained) if trained is not None else seen is not None and _is_of(content, seen)
    )
    return tuple(
        _report(config.folder, content, is_current)
        if name == REPORT
        else _taken(config.output_dir, name, content, is_current)
        for name in WORDS
    )


def take(trained: TrainedHead, config: StudioConfig, name: str, progress: Progress = SILENT) -> None:
    """Write a format of a trained head into the export folder, where it is not yet; SavedModel and TFLite come first.

    So they do before the report, which is written beside the photos. An export of another training becomes the one
    before. Raises StudioError for an unknown format, ExportError for one that does not answer like the model, and what
    else `export_model` does.
    """
    if name not in WORDS:
        raise StudioError(f"The format {name} is not known; choose from {', '.join(WORDS)}.")
    if name in FORMATS:
        check_packages((name,))
    _write_model(trained, config, progress)
    content = _content(config.output_dir) or {}
    if name == REPORT:
        path = report_path(config.folder, _without_proofs(content))
        write_report(without_gone(trained), config, content, path, progress)
        return
    if name in TRAINING_FORMATS or _proof(config.output_dir, name, content) is not None:
        return
    # By the record of the training: the photos that it had, as their classes were then.
    image_dir = str(config.output_dir / RECORD)
    asked = ConvertConfig(config.output_dir, (name,), image_dir, config.extraction.local_dir)
    for result in export_model(asked, progress).results:
        if result.refused is not None:
            raise ExportError(result.refused)


def check_output(config: StudioConfig) -> ExportConfig:
    """Where the model goes, which can be written there. Raises OptionError or ExportError."""
    asked = ExportConfig(config.output_dir)
    kept = {"`bottleneck_dir`": config.extraction.local_dir, "`model_dir`": config.backbone.model_dir}
    asked.check(config.folder, kept)
    return asked


def written_report(config: StudioConfig) -> Path | None:
    """The page of the report of the model in the export folder, if it was written."""
    content = _content(config.output_dir)
    path = None if content is None else report_path(config.folder, _without_proofs(content))
    return path if path is not None and path.is_file() else None


def belongs_to(content: Content, trained: TrainedHead) -> bool:
    """Whether a manifest is that of a trained head; proofs and formats aside."""
    return _without_proofs(content) == _expected(trained)


def _write_model(trained: TrainedHead, config: StudioConfig, progress: Progress) -> None:
    """Write the export folder, if it is not this training's already."""
    content = _content(config.output_dir)
    if content is not None and belongs_to(content, trained) and _is_whole(config.output_dir):
        return
    asked = check_output(config)
    progress.say("Writing the model …")
    from retrain.exports.writer import write_outputs  # with all that writes, which a studio without exports never needs

    write_outputs(without_gone(trained), asked, progress)


def _content(output_dir: Path) -> Content | None:
    """What the manifest of an export says; None where there is none that can be read."""
    try:
        return read_manifest(output_dir).content
    except ModelError:
        return None


def _is_whole(output_dir: Path) -> bool:
    return all((output_dir / FORMATS[name].file).exists() for name in TRAINING_FORMATS)


def _without_proofs(content: Content) -> Content:
    """What depends on the training alone, and not on when it was written and what is there of its photos then."""
    kept = {key: value for key, value in content.items() if key not in PROOFS}
    origin = kept.get("provenance")
    if isinstance(origin, dict):
        kept["provenance"] = {key: value for key, value in origin.items() if key not in ("photos_gone", "options")}
    return kept


@functools.lru_cache(maxsize=1)
def _expected(trained: TrainedHead) -> Content:
    """The manifest that a head would get, as it is read again."""
    content: Content = json.loads(json.dumps(manifest(trained, ())))
    return _without_proofs(content)


@functools.lru_cache(maxsize=1)
def _digest(seen: Seen) -> str:
    return dataset_digest(photo for photo in seen.extraction.photos if photo.label)


def _is_of(content: Content, seen: Seen) -> bool:
    """Whether a model is of the labelled photos, as the studio sees them now."""
    origin = content.get("provenance")
    if not isinstance(origin, dict) or origin.get("bottleneck_fingerprint") != seen.extraction.fingerprint:
        return False
    return bool(origin.get("dataset_digest") == _digest(seen))


def _proof(output_dir: Path, name: str, content: Content) -> Proof | None:
    """The proof of a format that is there; None where it is not, or has none because it was cut off."""
    if not any((output_dir / file).exists() for file in FORMATS[name].files):
        return None
    try:
        return msgspec.convert(content["parity"][name], Proof)
    except (KeyError, TypeError, msgspec.ValidationError):
        return None


def _taken(output_dir: Path, name: str, content: Content | None, is_current: bool) -> Taken:
    refused = _refused(name)
    proof = None if content is None else _proof(output_dir, name, content)
    if proof is None:
        return Taken(name, refused=refused)
    size = sum(size_of(output_dir / file) for file in FORMATS[name].files)
    return Taken(name, True, is_current, size, proof, refused)


def _report(folder: Path, content: Content | None, is_current: bool) -> Taken:
    path = None if content is None else report_path(folder, _without_proofs(content))
    if path is None or not path.is_file():
        return Taken(REPORT)
    return Taken(REPORT, True, is_current, size_of(path))


def _refused(name: str) -> str | None:
    try:
        check_packages((name,))
    except ExportError as why:
        return str(why)
    return None


def _rounded_up(difference: float) -> float:
    """To one digit, as what is not exceeded."""
    digits = -math.floor(math.log10(difference))
    rounded: float = round(math.ceil(round(difference * 10**digits, 6)) / 10**digits, digits)
    return rounded
