"""Heads with class means, and whether exports say what a classifier says."""

from pathlib import Path

import numpy as np

from label_image.model import Outputs, named_outputs
from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.core.tensorflow import tf
from retrain.exports.classifier import Classifier
from retrain.exports.top import Top
from retrain.training.head import Head

LABELS = ("猫", "犬", "cow")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def top_with(head: Head) -> Top:
    """A head with class means that are not those of anything."""
    means = np.random.default_rng(5).normal(size=(head.sizes[0], head.sizes[-1]))
    return Top(head, (means / np.linalg.norm(means, axis=0)).astype(np.float32))


def small_top() -> Top:
    """For LABELS and the average-colour network; the same one every time."""
    random = np.random.default_rng(1)
    return top_with(Head(random.normal(size=(3, 3)).astype(np.float32) * 3, random.normal(size=3).astype(np.float32)))


def small_classifier() -> Classifier:
    return Classifier(load_network(find_backbone("fake", Path("."))), small_top(), LABELS)


def assert_same(said: Outputs, expected: Outputs, atol: float = 1e-5) -> None:
    assert np.allclose(said.probabilities, expected.probabilities, atol=atol)
    assert said.similarity is not None and expected.similarity is not None
    assert np.allclose(said.similarity, expected.similarity, atol=atol)


def answers_of(classifier: Classifier, pixels: np.ndarray = PIXELS) -> Outputs:
    return named_outputs({name: value.numpy() for name, value in classifier(tf.constant(pixels, tf.float32)).items()})
