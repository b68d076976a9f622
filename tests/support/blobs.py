"""Classes as blobs of points, and heads that are fitted to them by mini-batches."""

import numpy as np

from retrain.training.fitting.checkpoint import Slot
from retrain.training.fitting.mini_batches import fit_mini_batches
from retrain.training.fitting.sample import Sample
from retrain.training.head import Fit, Head
from retrain.training.recipe import HeadConfig, choose_recipe

NOBODY = Sample(np.zeros((0, 6), np.float32), np.zeros(0, np.intp))  # of as many features as blobs have


def blobs(n: int = 60, dim: int = 6, classes: int = 3, spread: float = 1.0, seed: int = 0) -> Sample:
    """Points round one centre for each class; the features have different scales and an offset."""
    centres = np.random.default_rng(99).normal(size=(classes, dim)) * 2
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    points = centres[labels] + random.normal(size=(n, dim)) * spread
    return Sample((points * np.linspace(0.5, 3, dim) + 7).astype(np.float32), labels)


def fit(
    training: Sample, validation: Sample, classes: int = 3, slot: Slot | None = None, seed: int = 0, **asked: object
) -> Fit:
    return fit_mini_batches(training, validation, classes, choose_recipe(HeadConfig(**asked), seed), slot=slot)


def assert_same(one: Head, other: Head, tolerance: float = 0.0) -> None:
    assert one.sizes == other.sizes
    for (kernel, bias), (other_kernel, other_bias) in zip(one.layers, other.layers, strict=True):
        assert np.abs(kernel - other_kernel).max() <= tolerance
        assert np.abs(bias - other_bias).max() <= tolerance
