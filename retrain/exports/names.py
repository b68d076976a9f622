"""The formats of an export by name. Nothing heavy is imported here: the command line needs the names."""

from collections.abc import Collection

from retrain.core.errors import OptionError

SAVED_MODEL = "saved_model"
TFLITE = "tflite"
FORMATS = (SAVED_MODEL, TFLITE)  # those that `--formats` takes, in the order in which they are shown
PROVEN = {  # what is run to prove a format: the keys of `parity` in the manifest
    SAVED_MODEL: ("saved_model", "saved_model_bytes"),
    TFLITE: ("tflite",),
}

# Those that `retrain export` makes of a SavedModel, in that order, and their names in an export folder.
GRAPH_DEF = "graph_def"
TFLITE_FLOAT16, TFLITE_DYNAMIC, TFLITE_INT8 = "tflite_float16", "tflite_dynamic", "tflite_int8"
ONNX, COREML, COREML_FLOAT16, TFJS = "onnx", "coreml", "coreml_float16", "tfjs"
ALL = "all"
FILES = {
    GRAPH_DEF: "graph.pb",
    TFLITE: "model.tflite",
    TFLITE_FLOAT16: "model_float16.tflite",
    TFLITE_DYNAMIC: "model_dynamic.tflite",
    TFLITE_INT8: "model_int8.tflite",
    ONNX: "model.onnx",
    COREML: "model.mlpackage",
    COREML_FLOAT16: "model_float16.mlpackage",
    TFJS: "tfjs",
}
EXPORTS = (SAVED_MODEL, *FILES)
CLIENTS = "clients"  # the folder of snippets that use an export


def check_formats(names: Collection[str]) -> tuple[str, ...]:
    """The formats that a training is to write, in the order of FORMATS. Raises OptionError for wrong ones."""
    for name in names:
        if name not in FORMATS:
            raise OptionError(f"--formats {name} is not known; choose from {', '.join(FORMATS)}.")
    if SAVED_MODEL not in names:
        raise OptionError(f"--formats {','.join(names)} lacks {SAVED_MODEL}, which is always written: add it.")
    return tuple(name for name in FORMATS if name in names)
