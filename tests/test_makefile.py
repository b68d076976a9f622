"""What the Makefile passes on to `retrain`, which a stand-in writes down here."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ["--report", "tf_files/report.html"]
STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" --- >> words
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A clone whose installation is the stand-in."""
    for name in ("Makefile", "docker"):
        os.symlink(ROOT / name, tmp_path / name)
    stand_in = tmp_path / ".venv/bin/retrain"
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    return tmp_path


def calls(house: Path, *words: str) -> list[list[str]]:
    """The words of each call of `retrain` that `make` does."""
    # --old-file: this installation is taken as it is. Nothing of a `make` that runs these tests is passed on.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    make = ["make", "--no-print-directory", "--old-file=.venv/.installed", *words]
    subprocess.run(make, cwd=house, env=environment, check=True, timeout=60)
    return [call.split("\n")[:-1] for call in (house / "words").read_text().split("---\n")[:-1]]


@pytest.mark.parametrize("target", ["retrain", "report"])
def test_quotes_in_args_are_those_of_a_shell(house: Path, target: str) -> None:
    page = PAGE if target == "report" else []
    given = """ARGS=--fixes '/tmp/my fixes.csv' --report "my report's.html" """
    (trained,) = calls(house, target, "IMAGE_DIR=my cats", "ARCHITECTURE=inception_v3", given)
    assert trained == [
        "--image_dir", "my cats", "--output_dir", "tf_files/model", "--architecture", "inception_v3",
        *page, "--fixes", "/tmp/my fixes.csv", "--report", "my report's.html",
    ]  # fmt: skip


def test_a_report_of_the_demo(house: Path) -> None:
    drawn, trained = calls(house, "report", "ARGS=--hidden_units '8'")
    assert drawn[0] == "demo"
    assert trained[:2] == ["--image_dir", "tf_files/demo_cats"]
    assert trained[-4:] == [*PAGE, "--hidden_units", "8"]


def test_each_of_two_targets_trains(house: Path) -> None:
    plain, with_page = calls(house, "retrain", "report", "IMAGE_DIR=cats")
    assert with_page == [*plain, *PAGE]
