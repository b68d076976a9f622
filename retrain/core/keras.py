"""The one place that imports Keras, after TensorFlow, whose chatter retrain.core.tensorflow turns down."""

import retrain.core.tensorflow  # noqa: F401  # isort: skip

from label_image.strangers import keras_apart, uncollected

with keras_apart(), uncollected():
    import keras

__all__ = ["keras"]
