"""`research/compare_choices.py`: rules choose by what is known out of fold, and are judged by photos kept aside."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from research import compare_choices as script

LOSSES = {1.0: 2.0, 0.3: 1.02, 0.17: 0.99, 0.1: 1.0, 0.03: 1.001}


def along(spread: float = 0.0) -> script.Along:
    """100 photos whose losses at strengths differ by LOSSES, more or less: heads do as well as these say."""
    means = np.array(list(LOSSES.values()))
    losses = means[:, None] + spread * np.random.default_rng(0).standard_normal((len(means), 100))
    right = (losses < 1.5).astype(float)
    truth = -means
    return script.Along(tuple(LOSSES), np.arange(100), losses, losses, right, truth, means, means)


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        ("least loss", 0.1),
        ("least loss, fine", 0.17),
        ("one error", 0.1),
        ("2 % above", 0.3),
        ("highest accuracy", 0.3),
        ("least Brier score", 0.1),
        ("halfway to one error", 0.1),
        ("prior", 0.1),
    ],
)
def test_losses_that_are_sure_leave_no_room(rule: str, chosen: float) -> None:
    path = along()
    assert path.strengths[script.RULES[rule](path)] == chosen


def test_a_stronger_penalty_within_the_error_is_chosen() -> None:
    path = along(spread=0.3)
    assert path.strengths[script.RULES["one error"](path)] == 0.3
    assert path.strengths[script.RULES["two errors"](path)] == 0.3


def test_every_rule_has_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for index in range(40):
        path = tmp_path / "photos" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = random.integers(0, 90, (16, 16, 3)) + (90 if index % 2 else 0)
        Image.fromarray(colour.astype(np.uint8)).save(path)
    asked = ["--image_dir", "photos", "--architecture", "fake", "--splits", "2", "--bottleneck_dir", "kept"]
    result = CliRunner().invoke(script.main, asked)
    assert result.exit_code == 0, result.output
    for name in (*script.RULES, *script.LIMITS):
        assert sum(f"│ {name} " in line for line in result.output.splitlines()) == 1, name
