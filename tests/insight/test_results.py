"""The last lines of a run, and the command that it suggests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from retrain.insight.results import label_image_command, stages


def teststages_that_take_next_to_nothing_are_left_out_and_sums_over_threads_are_marked() -> None:
    seconds = {"read": 5.4, "decode": 17.1, "infer": 6.2, "write": 0.3, "confidence": 0.04, "total": 19.1}
    assert stages(seconds) == "read* 5.4  decode* 17.1  infer 6.2  total 19.1  (*: all threads)"
    assert stages({"head": 0.4, "export": 3.0, "total": 3.7}) == "head 0.4  export 3.0  total 3.7"


@pytest.mark.parametrize("on_path", [True, False])
def test_the_suggested_label_image_is_this_installations(monkeypatch: pytest.MonkeyPatch, on_path: bool) -> None:
    scripts = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}/usr/bin" if on_path else "/usr/bin")
    command = label_image_command()
    assert (command == ["label_image"]) is on_path
    assert subprocess.run([*command, "--help"], capture_output=True).returncode == 0


def test_below_the_current_folder_it_is_called_by_a_relative_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scripts = tmp_path / ".venv" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "label_image").write_text("#!/bin/sh\n")
    (scripts / "label_image").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(scripts / "python"))
    monkeypatch.chdir(tmp_path)
    assert label_image_command() == [".venv/bin/label_image"]
    (scripts / "label_image").unlink()
    assert label_image_command() == [sys.executable, "-m", "label_image"]
