"""What hostile photos take: seconds and memory of a whole `retrain` run and a whole `label_image` call, for each.

    python scripts/measure_hostile_photos.py FOLDER

writes the files of scripts/hostile_photos.py into FOLDER (600 MB), and runs a fresh process for each file, among 40
ordinary photos, and for all of them at once. It prints a table in Markdown for docs/odd_photos.md.

Seconds are of the clock and of the processor; memory is the largest resident size of the process, above that of the
same call with ordinary photos alone.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from hostile_photos import write

CLASSES, PHOTOS = ("a", "b"), 20


@dataclass(frozen=True)
class Run:
    """What a process took."""

    seconds: float
    processor: float
    megabytes: float
    output: str


def run(*arguments: str | Path) -> Run:
    """Run a command of this project to its end."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # it was waited for
    return Run(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, output)


def train(folder: Path, files: list[Path]) -> tuple[Run, dict[str, str]]:
    """A training with the files among ordinary photos; why which of them were skipped."""
    shutil.rmtree(folder, ignore_errors=True)
    ordinary = folder.parent / "ordinary.jpg"
    for label in CLASSES:
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(PHOTOS):
            # Not the same content, so that each is decoded.
            data = ordinary.read_bytes() + f"{label}{number}".encode()
            (folder / "photos" / label / f"{number}.jpg").write_bytes(data)
    for file in files:
        os.link(file, folder / "photos" / CLASSES[0] / file.name)
    done = run(
        "retrain", "--image_dir", folder / "photos", "--output_dir", folder / "model", "--architecture", "fake",
        "--bottleneck_dir", folder.parent / "b", "--model_dir", folder.parent / "m",
    )  # fmt: skip
    with open(folder / "model" / "skipped.csv", encoding="utf-8", newline="") as table:
        reasons = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(table)}
    return done, reasons


def label(model: Path, files: list[Path]) -> Run:
    """All files labelled in one call."""
    return run("label_image", "--json", "--model", model, *files)


def _beyond(taken: Run, ordinary: Run) -> tuple[str, str, str]:
    """What a run took more than the ordinary one, as text."""
    return (
        f"{max(0, taken.seconds - ordinary.seconds):.1f}",
        f"{max(0, taken.processor - ordinary.processor):.1f}",
        f"{max(0, taken.megabytes - ordinary.megabytes):.0f}",
    )


def main() -> None:
    """Measure and print."""
    folder = Path(sys.argv[1]).resolve()
    files = list(write(folder))
    ordinary = folder / "ordinary.jpg"
    train(folder / "plain", [])  # it makes the export's template, with TensorFlow; the others do without
    plain, _ = train(folder / "plain", [])
    model = folder / "plain" / "model"
    labelled = label(model, [ordinary])
    print(f"Ordinary photos alone: retrain {plain.seconds:.1f} s ({plain.processor:.1f} s of the processor) and "
          f"{plain.megabytes:.0f} MB, label_image {labelled.seconds:.1f} s ({labelled.processor:.1f} s) and "
          f"{labelled.megabytes:.0f} MB.\n", flush=True)  # fmt: skip
    print("| file | bytes | retrain: seconds | processor | MB above | label_image: seconds | processor | MB above | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, chosen in [*((file.name, [file]) for file in files), ("all of them", files)]:
        trained, reasons = train(folder / "run", chosen)
        called = label(model, chosen)
        answers = [json.loads(line) for line in called.output.splitlines() if line.startswith("{")]
        skipped = {Path(answer["image"]).name for answer in answers if "error" in answer}
        assert len(answers) == len(chosen) and skipped == set(reasons), (name, called.output, reasons)
        outcome = f"skipped: {reasons[name]}" if name in reasons else "read"
        if len(chosen) > 1:
            outcome = f"{len(reasons)} skipped, the others read"
        size = sum(file.stat().st_size for file in chosen)
        figures = [*_beyond(trained, plain), *_beyond(called, labelled)]
        print(f"| `{name}` | {size:,} | {' | '.join(figures)} | {outcome} |", flush=True)
    shutil.rmtree(folder / "run")


if __name__ == "__main__":
    main()
