"""Backbone and top as one TensorFlow module: raw RGB in, class probabilities and similarity out."""

from typing import Any

from retrain.backbones.network import Network
from retrain.core.tensorflow import tf
from retrain.exports.features import FlatFeatures
from retrain.exports.top import Top


class Classifier(tf.Module):
    """Maps float32 RGB (n, size, size, 3), 0..255, to what an export answers.

    `scores` (n, classes) are probabilities, `similarity` (n, 1) says how familiar a photo is.
    """

    def __init__(self, network: Network, top: Top, labels: tuple[str, ...]) -> None:
        super().__init__(name="classifier")
        self.features = FlatFeatures(network)
        self.size = network.backbone.input_size  # side of the square input, in pixels
        self.labels = labels
        self._top = top  # constants, not variables: in a written file another top can take their place

    def __call__(self, pixels: Any) -> Any:
        bottlenecks, head = self.features(pixels), self._top.head
        cosines = tf.matmul(tf.math.l2_normalize(bottlenecks, axis=1), self._top.means)
        values = bottlenecks
        for layer in head.hidden:
            values = getattr(tf.nn, layer.activation)(tf.matmul(values, layer.kernel) + layer.bias)
        return {
            "scores": tf.nn.softmax(tf.matmul(values, head.kernel) + head.bias),
            "similarity": tf.reduce_max(cosines, axis=1, keepdims=True),
        }
