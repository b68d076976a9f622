"""`scripts/compare_fine_tuning.py`: models of a split are told apart, and compared on the same test photos."""

from pathlib import Path

import compare_fine_tuning as script
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from rich.table import Table

NOISE = np.random.default_rng(0)


def candidate(name: str, accuracy: float, cross_entropy: float) -> dict[str, object]:
    return {"name": name, "test": {"accuracy": accuracy, "cross_entropy": cross_entropy}}


@pytest.mark.parametrize(("kept", "of_kept"), [("old", (0.5, 1.0)), ("new", (0.75, 0.5))])
def test_the_kept_model_is_the_one_that_the_run_would_export(kept: str, of_kept: tuple[float, float]) -> None:
    description = {"kept": kept, "candidates": [candidate("old", 0.5, 1.0), candidate("new", 0.75, 0.5)]}
    assert script.figures(description) == {"before": (0.5, 1.0), "tuned": (0.75, 0.5), "kept": of_kept}


def test_differences_are_paired() -> None:
    table = Table(*(["x"] * 7))
    before = [(0.5, 1.0), (0.9, 0.2)]
    tuned = [(0.6, 0.9), (1.0, 0.1)]
    outcomes = [
        ({"before": a, "tuned": b, "kept": a}, 10.0 * (n + 1))
        for n, (a, b) in enumerate(zip(before, tuned, strict=True))
    ]
    script.add_rows(table, "cats", outcomes)
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert rows == [
        ("cats", "before", "0.7000", "+0.0000 +- 0.0000", "0.600", "+0.000 +- 0.000", ""),
        ("cats", "tuned", "0.8000", "+0.1000 +- 0.0000", "0.500", "-0.100 +- 0.000", "15"),
        ("cats", "kept", "0.7000", "+0.0000 +- 0.0000", "0.600", "+0.000 +- 0.000", ""),
    ]


def test_a_real_training_on_two_splits(tmp_path: Path) -> None:
    for index in range(60):
        path = tmp_path / "photos" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colours = NOISE.integers(0, 120, (40, 40, 3)) + np.array([0, 0, 120] if index % 2 else [120, 0, 0])
        Image.fromarray(colours.astype(np.uint8)).save(path)
    asked = ["--image_dir", tmp_path / "photos", "--architecture", "efficientnet_lite0"]
    asked += ["--fine_tune_layers", 1, "--splits", 2]
    kept = ["--bottleneck_dir", tmp_path / "bottlenecks", "--model_dir", tmp_path / "models"]
    result = CliRunner().invoke(script.main, [str(argument) for argument in (*asked, *kept)])
    assert result.exit_code == 0, result.output
    for word in ("photos, split 0: before", "photos, split 1: before", "tuned", "kept"):
        assert word in result.output
    assert len(list((tmp_path / "models" / "fine_tuned").glob("*.weights.h5"))) == 2  # each split its own


def test_a_backbone_without_layers_is_refused_in_a_sentence(tmp_path: Path) -> None:
    asked = ["--image_dir", tmp_path, "--architecture", "fake", "--bottleneck_dir", tmp_path / "b"]
    result = CliRunner().invoke(script.main, [str(argument) for argument in asked])
    assert result.exit_code == 1 and "Error: " in result.output and "Traceback" not in result.output
