"""What a tracker is told of a run: the same for all of them, and nothing that `model.json` does not say."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from label_image.manifest import MANIFEST
from retrain.runs.train import Run

# Of the export; no photo and no name of one, but those that the report shows.
FILES = (MANIFEST, "labels.txt", "metrics.json", "README.md")


@dataclass(frozen=True)
class Record:
    """A run by its `name`, as text and numbers; it took `seconds`.

    `options` are those of the command line, `figures` finite numbers, `curves` the figures that changed during the
    training as (step, value), `tags` what it was made of, `files` what is kept of it.
    """

    name: str
    seconds: float
    options: Mapping[str, str]
    figures: Mapping[str, float]
    curves: Mapping[str, tuple[tuple[int, float], ...]]
    tags: Mapping[str, str]
    files: tuple[Path, ...]


def record_of(run: Run) -> Record:
    """What trackers are told of a run that has ended."""
    manifest, folder = run.exported.manifest, run.exported.folder
    provenance = manifest["provenance"]
    asked = {name: _text(value) for name, value in provenance["options"].items()}
    origin = {name: str(provenance[name]) for name in ("dataset_digest", "weights_sha256", "bottleneck_fingerprint")}
    files = [folder / name for name in FILES if (folder / name).is_file()]
    return Record(
        folder.name,
        run.seconds["total"],
        asked,
        _figures(run, manifest),
        _curves(run),
        {**origin, "version": str(provenance["versions"]["retrain"])},
        (*files, *(report for report in run.reports if report.is_file())),
    )


def _figures(run: Run, manifest: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, Any] = {"photos": manifest["provenance"]["photos"], "classes": len(manifest["labels"])}
    found["chosen_l2"] = manifest["head"].get("l2")  # of a path of penalties, which no option says
    for side in ("validation", "test"):
        said = manifest["metrics"][side]
        if not said["n"]:  # where folds took turns, no photos are kept aside for validation
            continue
        low, high = said["interval"] or (None, None)
        figures = {"accuracy": said["accuracy"], "accuracy_low": low, "accuracy_high": high}
        found |= {f"{side}_{name}": value for name, value in figures.items()}
        found |= {f"{side}_cross_entropy": said["cross_entropy"], f"{side}_photos": said["n"]}
    found["test_ece"] = manifest.get("calibration", {}).get("test_ece")
    found |= {f"seconds_{name}": value for name, value in run.seconds.items() if name != "report" or run.reports}
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def _curves(run: Run) -> dict[str, tuple[tuple[int, float], ...]]:
    names = ("training_accuracy", "training_cross_entropy", "validation_accuracy", "validation_cross_entropy")
    points = {
        name: tuple(
            (point.step, value) for point in run.trained.fit.curve if (value := getattr(point, name)) is not None
        )
        for name in names
    }
    return {name: curve for name, curve in points.items() if curve}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
