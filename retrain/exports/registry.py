"""The registry of export formats, in the order in which they are shown and written.

A new format is a file in `formats`, which declares it in `FORMATS`, and a line here. Nothing heavy is imported: the
command line needs the names.
"""

import importlib.util
from collections.abc import Collection, Iterable

from label_image.installing import how_to_install
from retrain.core.errors import ExportError, OptionError
from retrain.exports.formats import arduino, coreml, graph_def, onnx, saved_model, tfjs, tflite, tflite_variants, web
from retrain.exports.formats.base import Format

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        *saved_model.FORMATS,
        *graph_def.FORMATS,
        *tflite.FORMATS,
        *tflite_variants.FORMATS,
        *onnx.FORMATS,
        *coreml.FORMATS,
        *tfjs.FORMATS,
        *web.FORMATS,
        *arduino.FORMATS,
    )
}
# What `retrain export` makes the others of, and compares them with.
SAVED_MODEL = next(iter(FORMATS))
TRAINING_FORMATS = tuple(name for name, format in FORMATS.items() if format.template is not None)
TITLES = {what: title for format in FORMATS.values() for what, title in format.titles.items()}


def check_formats(names: Collection[str]) -> tuple[str, ...]:
    """The formats that a training is to write, in the order of TRAINING_FORMATS. Raises OptionError for wrong ones."""
    if not names:
        raise OptionError(f"`formats` is empty: choose from {', '.join(TRAINING_FORMATS)}.")
    for name in names:
        if name in TRAINING_FORMATS:
            continue
        if name in FORMATS:
            raise OptionError(
                f"`formats` {name} is written after a training, by `retrain export`; "
                f"choose from {', '.join(TRAINING_FORMATS)}."
            )
        raise OptionError(f"`formats` {name} is not known; choose from {', '.join(TRAINING_FORMATS)}.")
    return tuple(name for name in TRAINING_FORMATS if name in names)


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names of formats that are known. Raises OptionError."""
    for name in names:
        if name not in FORMATS:
            raise OptionError(f"`formats` {name} is not known; choose from {', '.join(FORMATS)}.")
    return tuple(names)


def check_packages(names: Iterable[str]) -> None:
    """Raises ExportError, before any work, if a package that one of the formats needs, or what else, is missing."""
    for name in names:
        format = FORMATS[name]
        missing = [package for package in format.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise ExportError(f"The format {name} needs {' and '.join(missing)}: {how_to_install(format.extra)}.")
        if (lacking := format.lacks()) is not None:
            raise ExportError(lacking)
