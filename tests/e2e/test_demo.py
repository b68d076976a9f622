"""What a newcomer does first: `make retrain && make label`, with the network cut where root can cut it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# --old-file: this installation is taken as it is, never set up again.
MAKE = ["make", "--no-print-directory", "--old-file=.venv/.installed"]


def without_network(command: list[str]) -> list[str]:
    """The command in a network namespace of its own, where this user may make one."""
    unshare = ["unshare", "-n"]
    usable = shutil.which("unshare") and subprocess.run([*unshare, "true"], capture_output=True).returncode == 0
    return [*unshare, *command] if usable else command


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder as a newcomer has it, but with this run's installation as its .venv."""
    house = tmp_path_factory.mktemp("house")
    for name in ("Makefile", "docker", "research", "scripts", "pyproject.toml", "requirements.lock"):
        os.symlink(ROOT / name, house / name)
    os.symlink(sys.prefix, house / ".venv")
    return house


def test_make_retrain_alone_draws_cats_and_make_label_names_one(house: Path) -> None:
    retrained = subprocess.run(
        without_network([*MAKE, "retrain", "ARGS=--json"]), cwd=house, capture_output=True, text=True, timeout=500
    )
    assert retrained.returncode == 0, retrained.stderr
    summary = json.loads(retrained.stdout.splitlines()[-1])
    assert summary["test"]["accuracy"] >= 0.9
    assert summary["bottlenecks"]["computed"] == summary["photos"]["used"] == 168
    labelled = subprocess.run(
        without_network([*MAKE, "label", "ARGS=--json"]), cwd=house, capture_output=True, text=True, timeout=500
    )
    assert json.loads(labelled.stdout)["label"] == "tabby"


def test_colour_alone_does_not_tell_the_coats(house: Path) -> None:
    if not (house / "tf_files" / "demo_cats").is_dir():
        pytest.fail("the drawings of the test before are missing")
    baseline = subprocess.run(
        [str(house / ".venv/bin/python"), "-m", "research.colour_baseline", "tf_files/demo_cats"],
        cwd=house,
        capture_output=True,
        text=True,
        timeout=500,
    )
    accuracy = float(baseline.stdout.partition("'accuracy': ")[2].partition(",")[0])
    assert accuracy < 0.7
