"""`research/compare_heads.py`: contenders are compared split by split on photos that none of them has seen."""

import numpy as np
import pytest

from research import compare_heads as script
from retrain.photos.dataset import Photo
from retrain.runs.sweep import Grid, Material

GRID = Grid(("easy",), {}, l2=(0.1, 0.01))


@pytest.fixture
def material() -> Material:
    random = np.random.default_rng(0)
    classes = (np.arange(120) % 2).astype(np.intp)
    features = random.normal(0, 1, (120, 4)).astype(np.float32)
    features[:, 0] += 6 * classes
    photos = tuple(Photo(f"{n}.jpg", "ab"[n % 2], f"{n:064x}", "training") for n in range(120))
    return Material(photos, {"easy": features}, classes, ("a", "b"))


def test_all_heads_learn_what_is_easy(material: Material) -> None:
    accuracies = script.compare(material, GRID, splits=1)
    assert set(accuracies) == {
        "default",
        "never refitted",
        "always refitted",
        "sweep",
        "sweep, trained on validation too",
        "scikit-learn",
    }
    assert all(len(values) == 1 and min(values) > 0.9 for values in accuracies.values())


def test_differences_are_paired() -> None:
    accuracies = {"default": (0.5, 0.9), "other": (0.6, 1.0)}
    assert script.cells(accuracies, "other") == ("0.8000", "+0.1000 +- 0.0000")
    assert script.cells({"default": (0.5, 0.9), "other": (0.9, 0.5)}, "other") == ("0.7000", "+0.0000 +- 0.4472")


def test_each_split_is_another_one_and_given_splits_do_not_count(material: Material) -> None:
    tested = []

    def contender(material: Material, sides: np.ndarray, grid: Grid) -> dict[str, float]:
        tested.append(tuple(np.flatnonzero(sides == "testing")))
        return {"default": 1.0}

    script.compare(material, GRID, 3, (contender,))
    assert len(set(tested)) == 3 and all(tested)
