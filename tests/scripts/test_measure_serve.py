"""The measurement of the server runs, and takes no right answer for a wrong one."""

import re
from pathlib import Path

import measure_serve
from click.testing import CliRunner
from export_folders import paint


def test_it_compares_every_answer(trained: Path, tmp_path: Path) -> None:
    paint(tmp_path / "photos", range(3))
    arguments = [str(trained / "model"), str(tmp_path / "photos"), "--seconds=0.3", "--rounds=1", "--connections=2"]
    said = CliRunner().invoke(measure_serve.main, arguments, catch_exceptions=False)
    assert said.exit_code == 0
    found = re.match(r"(\d+) answers by 2 connections, wrong: (\d+)\n", said.output)
    assert found and int(found[1]) > 0 and int(found[2]) == 0
    assert said.output.endswith("; exit code 0\n")
