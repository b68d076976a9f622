"""`research/compare_int8.py`: what a correction mends, and what it cannot."""

import numpy as np

from research import compare_int8 as script
from research.compare_int8 import FLOAT32, WAYS
from retrain.photos.dataset import Photo

PHOTOS = [Photo(f"{number}.jpg", "ab"[number % 2], f"{number:064x}", "training") for number in range(200)]


def bottlenecks() -> np.ndarray:
    features = np.random.default_rng(0).normal(0, 1, (len(PHOTOS), 4)).astype(np.float32)
    features[:, 0] += 8 * (np.arange(len(PHOTOS)) % 2)
    return features


def test_equal_bottlenecks_cost_nothing_in_any_way() -> None:
    found = script.compare(PHOTOS, bottlenecks(), bottlenecks(), splits=2)
    for way in WAYS:
        np.testing.assert_array_equal(found[way], found[FLOAT32])
    assert found["same answers"].tolist() == [1, 1]


def test_a_shift_of_every_feature_is_mended_by_both_corrections() -> None:
    """Such a head is consistent with itself, and wrong for float32 as it is."""
    shifted = bottlenecks() * np.float32([-1, 2, 1, 1]) + np.float32([0, 0, 5, 0])
    found = script.compare(PHOTOS, bottlenecks(), shifted, splits=2)
    assert found[WAYS[0]].max() < 0.7
    assert min(found[way].min() for way in WAYS[1:]) > 0.9
