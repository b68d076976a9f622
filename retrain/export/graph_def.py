"""The frozen GraphDef of 2017: one .pb file with a named input and a named output."""

from pathlib import Path
from typing import Any

from retrain.export.classifier import Classifier
from retrain.network import freeze
from retrain.tensorflow import tf


def write_graph_def(classifier: Classifier, path: Path, final_tensor_name: str = "final_result") -> None:
    """Write `input` (n, size, size, 3) RGB 0..255 -> `final_tensor_name` (n, classes) to one file."""
    frozen = freeze_classifier(classifier, final_tensor_name)
    path.write_bytes(frozen.graph.as_graph_def().SerializeToString(deterministic=True))


def freeze_classifier(classifier: Classifier, final_tensor_name: str = "final_result") -> Any:
    """The classifier as a concrete function without variables."""
    spec = tf.TensorSpec((None, classifier.size, classifier.size, 3), tf.float32, name="input")
    function = tf.function(lambda input: tf.identity(classifier(input), name=final_tensor_name))
    return freeze(function.get_concrete_function(spec))
