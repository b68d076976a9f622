"""TFLite files of a written SavedModel: float32, float16, dynamic int8, and int8.

| variant | weights | arithmetic | image and outputs |
|---|---|---|---|
| float32 | float32 | float32 | float32 |
| float16 | float16, half the bytes | float32 | float32 |
| dynamic | int8, a quarter | int8, activations scaled photo by photo | float32 |
| int8 | int8, a quarter | int8, activations scaled by photos of the training | uint8 |
| int8, float head | int8, the head float32 | int8, the head float32 | float32 |

All have batch 1, raw RGB 0..255, and metadata; labels and manifest are to be appended. The last is for
where int8 throughout costs accuracy: logits in 256 steps are what loses most of it.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from label_image.files import scratch_folder
from label_image.preprocessing import Pixels
from label_image.runtimes import load_saved_model
from retrain.core.errors import ExportError
from retrain.core.tensorflow import quiet, save_model, tf
from retrain.exports.formats.tflite import check_has_weights
from retrain.exports.metadata import with_metadata
from retrain.exports.names import TFLITE, TFLITE_FLOAT16

HEAD_OPERATIONS = ("FULLY_CONNECTED", "SOFTMAX", "L2_NORMALIZATION", "REDUCE_MAX")


@contextmanager
def one_photo_model(saved_model: Path) -> Iterator[Path]:
    """A SavedModel of batch 1 with `scores` and `similarity`, in a folder that is removed at the end."""
    loaded = load_saved_model(saved_model, trust=True)  # searched by `export_model`
    signature = loaded.signatures["serving_default"]
    size = signature.structured_input_signature[1]["image"].shape[1]
    names = [name for name in signature.structured_outputs if name != "classes"]

    def answer(image: Any) -> dict[str, Any]:
        said = signature(image=image)
        return {name: said[name] for name in names}

    module = tf.Module()
    module.loaded = loaded
    spec = tf.TensorSpec((1, size, size, 3), tf.float32, name="image")
    function = tf.function(answer, autograph=False).get_concrete_function(spec)
    with scratch_folder() as folder:
        with quiet():
            save_model(module, str(folder), {"serving_default": function})
        yield folder


def convert_variant(one_photo: Path, variant: str) -> bytes:
    """TFLITE, TFLITE_FLOAT16 or TFLITE_DYNAMIC of a `one_photo_model`. Raises ExportError if the converter fails."""
    converter = _converter(one_photo)
    if variant != TFLITE:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == TFLITE_FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    return _converted(variant, converter.convert)


def convert_int8(one_photo: Path, photos: Pixels) -> bytes:
    """int8 throughout, calibrated with photos (n, size, size, 3). Raises ExportError if the converter fails."""
    converter = _calibrated(one_photo, photos)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    return _converted("int8", converter.convert)


def convert_int8_with_float_head(one_photo: Path, photos: Pixels) -> bytes:
    """int8 up to the bottleneck, float32 from there. Raises ExportError if the converter fails."""
    converter = _calibrated(one_photo, photos)

    def convert() -> bytes:
        # The only way that TensorFlow has to leave operations out of a quantisation.
        options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(HEAD_OPERATIONS))
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=converter.representative_dataset, debug_options=options
        )
        model: bytes = debugger.get_nondebug_quantized_model()
        return model

    return _converted("int8 with a float head", convert)


def _converter(one_photo: Path) -> Any:
    return tf.lite.TFLiteConverter.from_saved_model(str(one_photo), signature_keys=["serving_default"])


def _calibrated(one_photo: Path, photos: Pixels) -> Any:
    converter = _converter(one_photo)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    photos = photos.copy()
    photos[0, 0, 0, :2] = 0, 255  # so that a step of the input is a grey level, whatever is on the photos
    converter.representative_dataset = lambda: ({"image": photo[None].astype(np.float32)} for photo in photos)
    return converter


def _converted(what: str, convert: Callable[[], bytes]) -> bytes:
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converter calibrates with an interpreter that it calls deprecated
            model = convert()
    except Exception as error:  # the converter raises whatever its passes raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ExportError(f"TFLite ({what}) cannot be made: {reason}") from error
    check_has_weights(model)
    return with_metadata(model)
