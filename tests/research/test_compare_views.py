import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "compare_views.py"


def test_every_number_of_views_has_its_row(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for index in range(40):
        path = tmp_path / "photos" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = random.integers(0, 90, (16, 16, 3)) + (90 if index % 2 else 0)
        Image.fromarray(colour.astype(np.uint8)).save(path)
    command = [sys.executable, str(SCRIPT), "--image_dir", "photos", "--architecture", "fake", "--views", "3"]
    command += ["--splits", "2", "--bottleneck_dir", "kept"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "COLUMNS": "160"})
    assert ended.returncode == 0, ended.stderr
    rows = [line for line in ended.stdout.splitlines() if "photos" in line and "view" in line]
    assert [
        name in row for name, row in zip(("1 view", "2 views", "3 views", "3 views, tta"), rows[-4:], strict=True)
    ] == [True] * 4
    assert (tmp_path / "kept").is_dir()
