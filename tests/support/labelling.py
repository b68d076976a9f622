"""`label_image` on folders: called in this process, and read back."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from calling import Called, call, instead

from label_image.cli import main


def label(model: Path, *arguments: object, code: int = 0) -> Called:
    """Call it; it ends with this exit code."""
    said = call(main, *instead(("--model", model), *arguments))
    assert said.code == code, (said.out, said.err)
    return said


def start(model: Path, *arguments: object, folder: Path) -> "subprocess.Popen[str]":
    """Start it as a process of its own, in a folder."""
    command = [sys.executable, "-m", "label_image", "--model", str(model), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(command, text=True, cwd=folder, env=environment, **pipes)  # type: ignore[call-overload,no-any-return]


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV table."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def objects(path: Path) -> list[dict]:
    """A table of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def files_below(folder: Path) -> dict[str, bytes]:
    """All files by their paths below a folder, with their content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
