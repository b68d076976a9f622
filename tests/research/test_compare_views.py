"""`research/compare_views.py`: every number of views has its row."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from research import compare_views as script


def test_every_number_of_views_has_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for index in range(40):
        path = tmp_path / "photos" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = random.integers(0, 90, (16, 16, 3)) + (90 if index % 2 else 0)
        Image.fromarray(colour.astype(np.uint8)).save(path)
    asked = ["--image_dir", "photos", "--architecture", "fake", "--views", "3", "--splits", "2"]
    result = CliRunner().invoke(script.main, [*asked, "--bottleneck_dir", "kept"])
    assert result.exit_code == 0, result.output
    rows = [line for line in result.output.splitlines() if "photos" in line and "view" in line]
    names = ("1 view", "2 views", "3 views", "3 views, tta")
    assert [name in row for name, row in zip(names, rows[-4:], strict=True)] == [True] * 4
    assert (tmp_path / "kept").is_dir()
