"""Small trainings on photos of two colours, by the average-colour network."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

import retrain.cli.main

COLOURS = {"Été": (220, 30, 30), "猫": (30, 200, 30)}

Train = Callable[..., tuple[int, str]]


def write_colour_folders(folder: Path) -> None:
    """12 photos of each of the COLOURS, in shades of it."""
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(12):
            shade = tuple(min(255, level + number) for level in colour)
            Image.new("RGB", (9, 9), shade).save(folder / name / f"{number}.png")


def run_on(photos: Path, *arguments: str) -> tuple[int, str]:
    """`retrain` on photos: exit code and standard error."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            retrain.cli.main.main(["--image_dir", str(photos), "--architecture", "fake", *arguments])
        except SystemExit as leave:
            return int(leave.code or 0), err.getvalue()
    return 0, err.getvalue()


def manifest(model: str = "tf_files/model") -> Any:
    """What a model's model.json says."""
    return json.loads(Path(model, "model.json").read_text(encoding="utf-8"))
