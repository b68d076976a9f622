"""`research/compare_precisions.py`: equal bottlenecks cost nothing, spoilt ones cost accuracy."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from painting import paint_noise

from research import compare_precisions as script
from retrain.core.machine import choose_precision
from retrain.photos.dataset import Photo

PHOTOS = [Photo(f"{number}.jpg", "ab"[number % 2], f"{number:064x}", "training") for number in range(200)]


def bottlenecks() -> np.ndarray:
    classes = np.arange(len(PHOTOS)) % 2
    features = np.random.default_rng(0).normal(0, 1, (len(PHOTOS), 4)).astype(np.float32)
    features[:, 0] += 8 * classes
    return features


def test_equal_bottlenecks_cost_nothing() -> None:
    comparison = script.compare(PHOTOS, bottlenecks(), bottlenecks(), splits=3)
    assert len(comparison.float32) == 3
    assert comparison.float32 == comparison.faster == comparison.exported
    assert min(comparison.float32) > 0.9
    assert comparison.cells()[1] == "+0.0000 +- 0.0000"


def test_spoilt_bottlenecks_cost_accuracy() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (len(PHOTOS), 4)).astype(np.float32)
    comparison = script.compare(PHOTOS, bottlenecks(), noise, splits=3)
    assert np.mean(comparison.faster) < 0.8 < np.mean(comparison.float32)
    assert comparison.cells()[1].startswith("-")


def test_trained_on_one_and_run_on_the_other() -> None:
    """A faster precision that turns a feature's sign is consistent with itself, and wrong for float32."""
    turned = bottlenecks() * np.float32([-1, 1, 1, 1])
    comparison = script.compare(PHOTOS, bottlenecks(), turned, splits=2)
    assert min(comparison.faster) > 0.9 and max(comparison.exported) < 0.7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    paint_noise(tmp_path / "photos", {"dark": 30, "light": 220}, 12)
    return tmp_path


def run(folder: Path, *options: str) -> tuple[int, str]:
    arguments = ["--image_dir", str(folder / "photos"), "--architecture", "fake", "--splits", "2", *options]
    result = CliRunner().invoke(script.main, [*arguments, "--bottleneck_dir", str(folder / "bottlenecks")])
    return result.exit_code, result.output


def test_float32_with_itself_is_no_comparison(folder: Path) -> None:
    assert choose_precision("float32") == "float32"
    code, output = run(folder, "--precision", "float32")
    assert code == 1 and output.startswith("Error: There is nothing to compare")
