"""The TFLite model for phones: one float32 photo of RGB 0..255 in, probabilities out.

Labels and manifest ride along in a zip appended to the file, which every TFLite runtime ignores
and which makes a single .tflite enough for `label_image`.
"""

import io
import tempfile
import zipfile
from pathlib import Path

from retrain.errors import ExportError
from retrain.export.classifier import Classifier
from retrain.export.graph_def import freeze_classifier
from retrain.tensorflow import quiet, tf


def write_tflite(classifier: Classifier, path: Path, files: dict[str, str]) -> None:
    """Convert to float32 TFLite (batch 1, tensors `image` and `scores`) and append text files.

    Raises ExportError if the converter fails.
    """
    # The weights are frozen into the graph first: from a SavedModel whose variables belong to a
    # Keras model the converter makes, without a word, a file without weights.
    frozen = freeze_classifier(classifier)
    spec = tf.TensorSpec((1, classifier.size, classifier.size, 3), tf.float32, name="image")
    function = tf.function(lambda image: {"scores": frozen(image)[0]}).get_concrete_function(image=spec)
    with tempfile.TemporaryDirectory() as folder, quiet():
        tf.saved_model.save(tf.Module(), folder, signatures={"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        try:
            model = converter.convert()
        except Exception as error:  # the converter raises whatever its passes raise
            raise ExportError(f"{path.name} cannot be made: {next(iter(str(error).splitlines()), error)}") from error
    path.write_bytes(append_files(model, files))


def append_files(model: bytes, files: dict[str, str]) -> bytes:
    """A TFLite model followed by a zip of text files, byte for byte the same every time."""
    buffer = io.BytesIO(model)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()
