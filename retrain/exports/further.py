"""The formats that `retrain export` makes of a written SavedModel: how each is written, run and judged."""

import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from label_image.installing import how_to_install
from label_image.model import load_model
from label_image.preprocessing import Pixels
from label_image.runtimes import Run
from retrain.core.errors import ExportError
from retrain.core.outputs import MANIFEST
from retrain.exports.formats.tflite import append_files
from retrain.exports.names import (
    COREML,
    COREML_FLOAT16,
    FILES,
    GRAPH_DEF,
    ONNX,
    TFJS,
    TFLITE,
    TFLITE_DYNAMIC,
    TFLITE_FLOAT16,
    TFLITE_INT8,
)
from retrain.exports.proof.judgement import FLOAT16, FLOAT32, INT8, Limits

PACKAGES = {
    ONNX: ("tf2onnx", "onnx", "onnxruntime"),
    COREML: ("coremltools",),
    COREML_FLOAT16: ("coremltools",),
}


@dataclass(frozen=True)
class Source:
    """What formats are made of: an export folder with a SavedModel, and its manifest without proofs.

    `one_photo` gives the folder of a SavedModel of batch 1, `calibration` photos (n, size, size, 3) that
    the model was trained on; both are made when they are first asked for.
    """

    export: Path
    manifest: Mapping[str, Any]
    one_photo: Callable[[], Path]
    calibration: Callable[[], Pixels]


Write = Callable[[Source, Path], None]


@dataclass(frozen=True)
class Way:
    """One way to write a format, `called` what the table says of it; raises ExportError."""

    write: Write
    called: str = ""


@dataclass(frozen=True)
class Format:
    """A format: `ways` to write it, of which the first that holds the `limits` is kept, and how a file of it is run.

    One that is not run by its own program here, since that is in Apple's systems or in browsers, is run by TensorFlow.
    """

    name: str
    limits: Limits
    ways: tuple[Way, ...]
    load: Callable[[Path], Run]
    own_program: bool = True

    @property
    def file(self) -> str:
        """Its name in an export folder."""
        return FILES[self.name]


def check_packages(names: Iterable[str]) -> None:
    """Raises ExportError, before any work, if a package that one of the formats needs is not installed."""
    for name in names:
        missing = [package for package in PACKAGES.get(name, ()) if importlib.util.find_spec(package) is None]
        if missing:
            raise ExportError(f"The format {name} needs {' and '.join(missing)}: {how_to_install('export')}.")


def as_label_image_runs_it(path: Path) -> Run:
    """A file of an export, loaded as its user's program will load it."""
    return load_model(path).run


def _write_graph_def(source: Source, path: Path) -> None:
    from label_image.runtimes import load_saved_model
    from retrain.exports.formats.graph_def import write_graph_def

    loaded = load_saved_model(source.export, trust=True)  # searched by `export_model`
    signature, size = loaded.signatures["serving_default"], int(source.manifest["input"]["size"])
    write_graph_def(lambda image: signature(image=image), size, path, manifest=source.manifest)


def _write_onnx(source: Source, path: Path) -> None:
    from retrain.exports.formats.onnx import write_onnx

    write_onnx(source.export, path, source.manifest)


def _coreml(float16: bool) -> Write:
    def write(source: Source, path: Path) -> None:
        from retrain.exports.formats.coreml import write_coreml

        write_coreml(source.export, path, source.manifest, float16)

    return write


def _load_coreml(path: Path) -> Run:
    from retrain.exports.formats.coreml import coreml_runner

    return coreml_runner(path)


def _write_tfjs(source: Source, path: Path) -> None:
    from retrain.exports.formats.tfjs import write_tfjs

    write_tfjs(source.export, path, source.manifest)


def _load_tfjs(path: Path) -> Run:
    from retrain.exports.formats.tfjs import tfjs_runner

    return tfjs_runner(path)


def _tflite(variant: str) -> Write:
    def write(source: Source, path: Path) -> None:
        from retrain.exports.formats.tflite_variants import convert_variant

        _write_tflite(convert_variant(source.one_photo(), variant), source, path)

    return write


def _write_int8(source: Source, path: Path) -> None:
    from retrain.exports.formats.tflite_variants import convert_int8

    _write_tflite(convert_int8(source.one_photo(), source.calibration()), source, path)


def _write_int8_with_float_head(source: Source, path: Path) -> None:
    from retrain.exports.formats.tflite_variants import convert_int8_with_float_head

    _write_tflite(convert_int8_with_float_head(source.one_photo(), source.calibration()), source, path)


def _write_tflite(model: bytes, source: Source, path: Path) -> None:
    """With the labels and the manifest, as in the model.tflite of a training."""
    labels = "".join(f"{label}\n" for label in source.manifest["labels"])
    manifest = json.dumps(source.manifest, indent=2, ensure_ascii=False) + "\n"
    path.write_bytes(append_files(model, {"labels.txt": labels, MANIFEST: manifest}))


ELSEWHERE = "run by TensorFlow, not by its own program"
_INT8_WAYS = (Way(_write_int8), Way(_write_int8_with_float_head, "head in float32"))

FURTHER = {
    format.name: format
    for format in (
        Format(GRAPH_DEF, FLOAT32, (Way(_write_graph_def),), as_label_image_runs_it),
        Format(TFLITE, FLOAT32, (Way(_tflite(TFLITE)),), as_label_image_runs_it),
        Format(TFLITE_FLOAT16, FLOAT16, (Way(_tflite(TFLITE_FLOAT16)),), as_label_image_runs_it),
        Format(TFLITE_DYNAMIC, INT8, (Way(_tflite(TFLITE_DYNAMIC)),), as_label_image_runs_it),
        Format(TFLITE_INT8, INT8, _INT8_WAYS, as_label_image_runs_it),
        Format(ONNX, FLOAT32, (Way(_write_onnx),), as_label_image_runs_it),
        Format(COREML, FLOAT32, (Way(_coreml(float16=False), ELSEWHERE),), _load_coreml, own_program=False),
        Format(COREML_FLOAT16, FLOAT16, (Way(_coreml(float16=True), ELSEWHERE),), _load_coreml, own_program=False),
        Format(TFJS, FLOAT32, (Way(_write_tfjs, ELSEWHERE),), _load_tfjs, own_program=False),
    )
}
