"""Bottlenecks of classes that overlap, and folds of them."""

import numpy as np

from retrain.training.fitting.sample import Sample

CLASSES, DIM, FOLDS = 4, 12, 3


PATH = (1.0, 0.1, 0.01)


def make_sample(photos: int = 240, seed: int = 0) -> Sample:
    """Classes that overlap, features of very different strength, far off zero."""
    random = np.random.default_rng(seed)
    classes = (np.arange(photos) % CLASSES).astype(np.intp)
    centres = random.normal(0, 1, (CLASSES, DIM))
    features = (centres[classes] + random.normal(0, 1.5, (photos, DIM))) * np.geomspace(3, 0.1, DIM) + 5
    return Sample(features.astype(np.float32), classes)


def make_folds(photos: int = 240) -> np.ndarray:
    return np.random.default_rng(1).permutation(photos) % FOLDS
