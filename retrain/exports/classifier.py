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
        head = top.head
        self.features = FlatFeatures(network)
        self.size = network.backbone.input_size  # side of the square input, in pixels
        self.labels = labels
        self.hidden_kernels = [tf.Variable(layer.kernel, name="kernel", trainable=False) for layer in head.hidden]
        self.hidden_biases = [tf.Variable(layer.bias, name="bias", trainable=False) for layer in head.hidden]
        self.activations = head.activations
        self.kernel = tf.Variable(head.kernel, name="kernel", trainable=False)
        self.bias = tf.Variable(head.bias, name="bias", trainable=False)
        self.means = tf.Variable(top.means, name="means", trainable=False)

    def __call__(self, pixels: Any) -> Any:
        bottlenecks = self.features(pixels)
        cosines = tf.matmul(tf.math.l2_normalize(bottlenecks, axis=1), self.means)
        values = bottlenecks
        for kernel, bias, activation in zip(self.hidden_kernels, self.hidden_biases, self.activations, strict=True):
            values = getattr(tf.nn, activation)(tf.matmul(values, kernel) + bias)
        return {
            "scores": tf.nn.softmax(tf.matmul(values, self.kernel) + self.bias),
            "similarity": tf.reduce_max(cosines, axis=1, keepdims=True),
        }
