"""Smaller TFLite files of a written SavedModel: float16, dynamic int8, and int8.

| variant | weights | arithmetic | image and outputs |
|---|---|---|---|
| float16 | float16, half the bytes | float32 | float32 |
| dynamic | int8, a quarter | int8, activations scaled photo by photo | float32 |
| int8 | int8, a quarter | int8, activations scaled by photos of the training | uint8 |
| int8, float head | int8, the head float32 | int8, the head float32 | float32 |

All have batch 1, raw RGB 0..255, and metadata; labels and manifest are to be appended. The last is for
where int8 throughout costs accuracy: logits in 256 steps are what loses most of it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.exports.formats.base import Conversion, Format, Source, as_label_image_runs_it
from retrain.exports.formats.tflite import converted, converter_of, one_photo_model, write_with_texts
from retrain.exports.proof.limits import FLOAT16, INT8

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels

HEAD_OPERATIONS = ("FULLY_CONNECTED", "SOFTMAX", "L2_NORMALIZATION", "REDUCE_MAX")


def convert_float16(one_photo: Path) -> bytes:
    """Weights in float16. Raises ExportError if the converter fails."""
    from retrain.core.tensorflow import tf

    converter = converter_of(one_photo)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converted("tflite_float16", converter.convert)


def convert_dynamic(one_photo: Path) -> bytes:
    """Weights in int8, calibrated with nothing. Raises ExportError if the converter fails."""
    from retrain.core.tensorflow import tf

    converter = converter_of(one_photo)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converted("tflite_dynamic", converter.convert)


def convert_int8(one_photo: Path, photos: "Pixels") -> bytes:
    """int8 throughout, calibrated with photos (n, size, size, 3). Raises ExportError if the converter fails."""
    from retrain.core.tensorflow import tf

    converter = _calibrated(one_photo, photos)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    return converted("int8", converter.convert)


def convert_int8_with_float_head(one_photo: Path, photos: "Pixels") -> bytes:
    """int8 up to the bottleneck, float32 from there. Raises ExportError if the converter fails."""
    from retrain.core.tensorflow import tf

    converter = _calibrated(one_photo, photos)

    def convert() -> bytes:
        # The only way that TensorFlow has to leave operations out of a quantisation.
        options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(HEAD_OPERATIONS))
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=converter.representative_dataset, debug_options=options
        )
        model: bytes = debugger.get_nondebug_quantized_model()
        return model

    return converted("int8 with a float head", convert)


def _calibrated(one_photo: Path, photos: "Pixels") -> Any:
    import numpy as np

    from retrain.core.tensorflow import tf

    converter = converter_of(one_photo)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    photos = photos.copy()
    photos[0, 0, 0, :2] = 0, 255  # so that a step of the input is a grey level, whatever is on the photos
    converter.representative_dataset = lambda: ({"image": photo[None].astype(np.float32)} for photo in photos)
    return converter


def _plain(convert: Callable[[Path], bytes]) -> Conversion:
    return Conversion(lambda source, path: write_with_texts(convert(source.made(one_photo_model)), source, path))


def _calibrating(convert: "Callable[[Path, Pixels], bytes]", remark: str = "") -> Conversion:
    def write(source: Source, path: Path) -> None:
        write_with_texts(convert(source.made(one_photo_model), source.calibration()), source, path)

    return Conversion(write, remark)


FORMATS = (
    Format(
        "tflite_float16",
        ("model_float16.tflite",),
        FLOAT16,
        as_label_image_runs_it,
        conversions=(_plain(convert_float16),),
    ),
    Format(
        "tflite_dynamic",
        ("model_dynamic.tflite",),
        INT8,
        as_label_image_runs_it,
        conversions=(_plain(convert_dynamic),),
    ),
    Format(
        "tflite_int8",
        ("model_int8.tflite",),
        INT8,
        as_label_image_runs_it,
        conversions=(_calibrating(convert_int8), _calibrating(convert_int8_with_float_head, "head in float32")),
    ),
)
