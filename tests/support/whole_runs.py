"""Whole runs on red, green and blue photos, in this process."""

import json
from pathlib import Path

from calling import call, instead
from painting import paint

import label_image.cli
import retrain.cli.main


def paint_classes(folder: Path, each: int = 12, names: dict[str, str] | None = None, first_seed: int = 0) -> Path:
    for name, colour in (names or {"red": "red", "green": "green", "blue": "blue"}).items():
        for number in range(first_seed, first_seed + each):
            paint(folder / name / f"{number}.jpg", colour, number)
    return folder


def train(*arguments: object) -> dict:
    done = call(retrain.cli.main.main, "--json", *instead(("--architecture", "fake"), *arguments))
    assert done.code == 0, done.err
    return {**json.loads(done.out), "err": done.err}


def label(*arguments: object) -> list[dict]:
    done = call(label_image.cli.main, "--json", *arguments)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]
