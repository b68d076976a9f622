"""The one place that imports Keras, after TensorFlow, whose chatter retrain.networks.tensorflow turns down."""

import retrain.networks.tensorflow  # noqa: F401  # isort: skip

from label_image.strangers import keras_apart

with keras_apart():
    import keras

__all__ = ["keras"]
