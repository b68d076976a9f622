"""The SavedModel: a signature for pixels and one for encoded photos.

    serving_default   image: float32 (n, size, size, 3), RGB 0..255     -> scores, classes
    serve_bytes       image_bytes: string (n,), JPEG, PNG, GIF or BMP   -> scores, classes

`serve_bytes` decodes and resizes as training does, within one grey level, with two differences
that TensorFlow's decoders impose: EXIF orientation is not applied, and WebP, TIFF and AVIF are
not read. `label_image` therefore always prepares photos itself and feeds pixels.
"""

from pathlib import Path
from typing import Any

from retrain.export.classifier import Classifier
from retrain.tensorflow import quiet, tf


def write_saved_model(classifier: Classifier, folder: Path) -> None:
    """Write the SavedModel files into `folder`."""
    size = classifier.size
    labels = tf.constant(classifier.labels)

    def answer(pixels: Any) -> dict[str, Any]:
        scores = classifier(pixels)
        return {"scores": scores, "classes": tf.tile(labels[None], [tf.shape(scores)[0], 1])}

    def serve_bytes(image_bytes: Any) -> dict[str, Any]:
        signature = tf.TensorSpec((size, size, 3), tf.float32)
        return answer(tf.map_fn(lambda data: decode(data, size), image_bytes, fn_output_signature=signature))

    module = tf.Module()
    module.classifier = classifier
    pixels = tf.TensorSpec((None, size, size, 3), tf.float32, name="image")
    photos = tf.TensorSpec((None,), tf.string, name="image_bytes")
    signatures = {
        "serving_default": tf.function(lambda image: answer(image)).get_concrete_function(image=pixels),
        "serve_bytes": tf.function(serve_bytes).get_concrete_function(image_bytes=photos),
    }
    with quiet():
        tf.saved_model.save(module, str(folder), signatures=signatures)


def decode(data: Any, size: int) -> Any:
    """TensorFlow's twin of `decode|resize(size,bilinear)`: a string scalar to float32 (size, size, 3).

    INTEGER_ACCURATE is the decoder that gives Pillow's pixels; the default one differs by up to
    7 grey levels. Transparency is laid over white, as in `retrain.images`.
    """

    def jpeg() -> Any:
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")

    def png() -> Any:
        rgba = tf.cast(tf.io.decode_png(data, channels=4), tf.float32)
        # To gray of 1, 2 or 4 bits TensorFlow adds an opacity of 1, 3 or 15; byte 24 is the bit depth.
        depth = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 24, 1), tf.uint8)[0], tf.float32)
        full = 2.0 ** tf.minimum(depth, 8.0) - 1.0
        opaque = tf.where(tf.reduce_max(rgba[..., 3]) <= full, full, 255.0)
        alpha = rgba[..., 3:] / opaque
        return tf.cast(tf.round(rgba[..., :3] * alpha + 255.0 * (1.0 - alpha)), tf.uint8)

    def other() -> Any:
        return tf.io.decode_image(data, channels=3, expand_animations=False)

    is_png = tf.equal(tf.strings.substr(data, 0, 4), b"\x89PNG")
    pixels = tf.case([(tf.io.is_jpeg(data), jpeg), (is_png, png)], default=other)
    resized = tf.image.resize(tf.cast(pixels, tf.float32), (size, size), antialias=True)
    # Pillow resizes to whole grey levels.
    return tf.ensure_shape(tf.clip_by_value(tf.round(resized), 0.0, 255.0), (size, size, 3))
