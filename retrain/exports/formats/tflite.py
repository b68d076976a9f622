"""The TFLite model for phones: one float32 photo of RGB 0..255 in, probabilities and familiarity out.

Labels and manifest ride along in a zip appended to the file, which every TFLite runtime ignores
and which makes a single .tflite enough for `label_image`.
"""

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np

from label_image.files import scratch_folder
from retrain.core.errors import ExportError
from retrain.exports.top import Top

if TYPE_CHECKING:
    from retrain.exports.classifier import Classifier


def convert(classifier: "Classifier") -> bytes:
    """A float32 TFLite model with metadata: batch 1, tensors `image`, `scores` and `similarity`.

    Raises ExportError if the converter fails.
    """
    # Here, and not above: to put another top into a model takes no TensorFlow.
    from retrain.core.tensorflow import quiet, save_model, tf
    from retrain.exports.metadata import with_metadata

    spec = tf.TensorSpec((1, classifier.size, classifier.size, 3), tf.float32, name="image")
    forward = tf.function(lambda image: classifier(image), autograph=False)
    function = forward.get_concrete_function(spec)
    with scratch_folder() as folder, quiet():
        save_model(classifier, str(folder), {"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["serving_default"])
        try:
            model: bytes = converter.convert()
        except Exception as error:  # the converter raises whatever its passes raise
            raise ExportError(f"model.tflite cannot be made: {next(iter(str(error).splitlines()), error)}") from error
    check_has_weights(model)
    return with_metadata(model)


def check_has_weights(model: bytes) -> None:
    """Raises ExportError for a TFLite model that reads its weights from variables, which nothing fills.

    The converter makes one, without a word, where it is not shown whose variables a function uses; it answers
    whatever is in memory.
    """
    from ai_edge_litert import schema_py_generated as schema

    root = schema.Model.GetRootAs(model, 0)
    codes = map(root.OperatorCodes, range(root.OperatorCodesLength()))
    # The older field ends at 127.
    operations = {max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes}
    if schema.BuiltinOperator.READ_VARIABLE in operations:
        raise ExportError("The TFLite model was made without its weights: this TensorFlow's converter is not known.")


def exchange_top(model: bytes, old: Top, new: Top) -> bytes:
    """A TFLite model with the values of another top of the same shapes, in the same places.

    Raises ExportError if the values of the old one are not there exactly once.
    """
    data = bytearray(model)
    for before, after in zip(old.arrays, new.arrays, strict=True):
        place, length = _only_place(data, _bytes(before)), before.size * 4
        data[place : place + length] = _bytes(after)
    return bytes(data)


def _only_place(data: bytearray, values: bytes) -> int:
    place = data.find(values)
    if place < 0 or data.find(values, place + 1) >= 0:
        raise ExportError("model.tflite does not hold its top exactly once: this TensorFlow's converter is not known.")
    return place


def _bytes(values: np.ndarray) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()


def append_files(model: bytes, files: dict[str, str]) -> bytes:
    """A TFLite model followed by a zip of text files, byte for byte the same every time."""
    buffer = io.BytesIO(model)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()
