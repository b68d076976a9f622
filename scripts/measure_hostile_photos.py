"""What hostile photos take: seconds and memory of whole commands, for docs/odd_photos.md.

    python scripts/measure_hostile_photos.py FOLDER [THREADS]

writes the files of scripts/hostile_photos.py into FOLDER (600 MB). It runs a fresh `label_image` for each file, one for
all of them, and a `retrain` with all of them among 40 ordinary photos, and prints a table in Markdown. Seconds
are of the clock and of the processor; memory is the largest resident size of the process. All are above those of the
same command with ordinary photos alone.

With THREADS it only decodes all files, in so many threads of this process, with neither network nor export: training
computes with TensorFlow after it has read, and that would hide what the photos take.
"""

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
from hostile_photos import write

from label_image.errors import PhotoError
from label_image.preprocessing import Preprocessing, load_pixels

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


def in_threads(files: list[Path], threads: int) -> str:
    """Decode all files at the same time, an ordinary one first; the largest resident size above that."""
    preprocessing = Preprocessing.parse("decode(2)|orient|resize(299,bilinear)|value_range(-1,1)")

    def pixels(file: Path) -> bool:
        try:
            return load_pixels(file, preprocessing).shape == (299, 299, 3)
        except PhotoError:
            return False

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(pixels, [files[0].parent / "ordinary.jpg"] * threads))
        before = resource.getrusage(resource.RUSAGE_SELF)
        begin, processor = time.perf_counter(), time.process_time()
        read = list(pool.map(pixels, files))
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (
        f"{len(files)} files in {threads} threads: {sum(read)} read, {time.perf_counter() - begin:.1f} s "
        f"({time.process_time() - processor:.1f} s of the processor), "
        f"{(after.ru_maxrss - before.ru_maxrss) / 1000:.0f} MB above ordinary photos."
    )


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, resolve_path=True, path_type=Path))
@click.argument("threads", type=click.IntRange(min=1), required=False)
def main(folder: Path, threads: int | None) -> None:
    """Measure what hostile photos take; they are written into FOLDER (600 MB). With THREADS they are only decoded."""
    # By another process: one that starts others hands them its own largest size.
    subprocess.run(
        [sys.executable, Path(__file__).with_name("hostile_photos.py"), folder], check=True, stdout=sys.stderr
    )
    files = list(write(folder))
    if threads is not None:
        print(in_threads(files, threads))
        return
    ordinary = folder / "ordinary.jpg"
    train(folder / "plain", [])  # it makes the export's template, with TensorFlow; the others do without
    plain, _ = train(folder / "plain", [])
    model = folder / "plain" / "model"
    labelled = label(model, [ordinary])
    print(f"Ordinary photos alone: label_image {labelled.seconds:.1f} s ({labelled.processor:.1f} s of the processor) "
          f"and {labelled.megabytes:.0f} MB, retrain {plain.seconds:.1f} s ({plain.processor:.1f} s) and "
          f"{plain.megabytes:.0f} MB.\n")  # fmt: skip
    print("| file | bytes | seconds | of the processor | MB | |\n|---|---|---|---|---|---|", flush=True)
    for name, chosen in [*((f"`{file.name}`", [file]) for file in files), ("all with `label_image`", files)]:
        called = label(model, chosen)
        answers = [json.loads(line) for line in called.output.splitlines() if line.startswith("{")]
        errors = [answer["error"].removeprefix(f"{answer['image']} ") for answer in answers if "error" in answer]
        assert len(answers) == len(chosen), called.output
        print(_row(name, chosen, called, labelled, errors), flush=True)
    trained, reasons = train(folder / "run", files)
    print(_row("all with `retrain`", files, trained, plain, list(reasons.values())))
    shutil.rmtree(folder / "run")


def _row(name: str, files: list[Path], taken: Run, ordinary: Run, errors: list[str]) -> str:
    """What a run took more than the ordinary one."""
    outcome = f"{len(errors)} skipped, {len(files) - len(errors)} read" if len(files) > 1 else "".join(errors) or "read"
    figures = (
        f"{max(0, taken.seconds - ordinary.seconds):.1f}",
        f"{max(0, taken.processor - ordinary.processor):.1f}",
        f"{max(0, taken.megabytes - ordinary.megabytes):.0f}",
    )
    return f"| {name} | {sum(file.stat().st_size for file in files):,} | {' | '.join(figures)} | {outcome} |"


if __name__ == "__main__":
    main()
