"""`--help` of every script says what it does, and does nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from calling import python_path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "scripts").rglob("*.py")
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_a_script_does_and_does_nothing(script: str, tmp_path: Path) -> None:
    command = (
        ["-m", script.removesuffix("/__main__.py").replace("/", ".")]
        if script.endswith("/__main__.py")
        else [str(ROOT / script)]
    )
    done = subprocess.run(
        [sys.executable, *command, "--help"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": python_path(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    usage, _, what = done.stdout.partition("\n\n")
    assert usage.lower().startswith("usage: ") and len(what.strip().splitlines()[0]) > 20, done.stdout
    assert [*tmp_path.iterdir()] == []
