"""`research/compare_fine_tuning.py`: models of a split are told apart, and compared on the same test photos."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.table import Table

from research import compare_fine_tuning as script


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


def test_a_backbone_without_layers_is_refused_in_a_sentence(tmp_path: Path) -> None:
    asked = ["--image_dir", tmp_path, "--architecture", "fake", "--bottleneck_dir", tmp_path / "b"]
    result = CliRunner().invoke(script.main, [str(argument) for argument in asked])
    assert result.exit_code == 1 and "Error: " in result.output and "Traceback" not in result.output
