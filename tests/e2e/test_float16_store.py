"""Runs on bottlenecks that are kept in float16: whatever looks at a large matrix sees the numbers of a small one."""

import json
from pathlib import Path
from typing import Any

import pytest
from calling import call
from painting import paint_classes

import retrain.cli.main
from retrain.core import matrix_file


def trained(model: str, *arguments: object) -> dict[str, Any]:
    done = call(
        retrain.cli.main.main, "--json", "--formats", "saved_model", "--architecture", "fake", "--image_dir", "photos",
        "--store_dtype", "float16", "--flip_left_right", "--report", f"{model}.html", "--summaries_dir", "summaries",
        "--output_dir", model, *arguments,
    )  # fmt: skip
    assert done.code == 0, done.err
    return {**json.loads(done.out), "metrics": json.loads(Path(model, "metrics.json").read_text(encoding="utf-8"))}


def test_a_large_matrix_in_float16_gives_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paint_classes(Path("photos"), {name: name for name in ("red", "green", "blue")}, range(20))
    small = trained("small")
    monkeypatch.setattr(matrix_file, "LARGE_BYTES", 1)
    large = trained("large")
    assert (small["bottlenecks"]["computed"], large["bottlenecks"]["computed"]) == (120, 0)
    assert large["metrics"] == small["metrics"] and large["test"] == small["test"]
