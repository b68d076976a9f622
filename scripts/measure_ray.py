"""What Ray costs: the same photos, by this machine's own threads and by Ray on the same cores, in one run.

    python scripts/measure_ray.py --sizes 10000,100000,1000000
    python scripts/measure_ray.py --model tf_files/model --sizes 10000,100000

The photos are synthetic and very small, each with a content of its own, and the network is the average colour: next to
nothing is computed, so that what is seen is the cost of handing work out. A real network, which takes 5 to 50 ms for
a photo, hides most of it. They lie in folders of 1,000, and `retrain extract` gets a table of them. With `--model` it
is `label_image --parquet` on the folder instead, which has to write the same table both times.

Each run is a process from its start to its end, Ray's start among it. `peak` is that of the command, or of a process
below it, whichever is larger. `after the start` is the rate from the size before to this one, from which both starts
have gone; where work is linear it is the same in every row. `overhead` is the time that Ray takes more.
"""

import csv
import filecmp
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from bench_measuring import run_process

SIDE = 8  # pixels
IN_FOLDER = 1000
EXECUTORS = ("local", "ray")
CLASSES = 10


@dataclass(frozen=True)
class Measured:
    """One run: seconds in all, photos per second since the size before, MB of memory."""

    executor: str
    photos: int
    seconds: float
    rate: float
    peak: float


@click.command()
@click.option("--sizes", default="10000,100000", show_default=True, help="How many photos, one after the other.")
@click.option("--model", type=click.Path(path_type=Path, exists=True), help="Measure label_image with this export.")
@click.option("--ray_address", metavar="ADDRESS", help="A cluster; without it Ray is started for each run.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where photos and stores are made; they go at the end.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the figures as JSON to this file.")
def main(sizes: str, model: Path | None, ray_address: str | None, folder: Path | None, output: Path | None) -> None:
    """Measure Ray against this machine's threads."""
    counts = [int(size) for size in sizes.split(",")]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    found: list[Measured] = []
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for count in counts:
            table = make_photos(Path(scratch) / "photos", count)
            for executor in EXECUTORS:
                where = ["--executor", executor, *(["--ray_address", ray_address] if ray_address else [])]
                command = where if executor == "ray" else where[:2]
                before = next((one for one in reversed(found) if one.executor == executor), None)
                found.append(measure(executor, table, model, command, Path(scratch), before))
                print(line_of(found[-1]), flush=True)
            print(f"{'overhead':8} {count:>9,}: {overhead(found, count):+.1%}", flush=True)
    if output is not None:
        output.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n", encoding="utf-8")


def make_photos(folder: Path, count: int) -> Path:
    """So many photos below `folder`, those there are kept, and a table of them beside it."""
    table = folder.with_suffix(".csv")
    with open(table, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label"))
        for number in range(count):
            path = folder / f"{number // IN_FOLDER:06}" / f"{number:09}.ppm"
            if number % IN_FOLDER == 0:
                path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_bytes(photo(number))
            writer.writerow((path.relative_to(folder.parent).as_posix(), f"class-{number % CLASSES}"))
    return table


def photo(number: int) -> bytes:
    """A small picture in a colour that depends on its number, which its first pixels spell."""
    digits = number.to_bytes(6, "big")
    rest = bytes((number % CLASSES * 25, number % 256, number // 256 % 256)) * (SIDE * SIDE - 2)
    return b"P6 %d %d 255\n" % (SIDE, SIDE) + digits + rest


def measure(
    executor: str, table: Path, model: Path | None, where: Sequence[str], scratch: Path, before: Measured | None
) -> Measured:
    """One run on the photos of a table, with nothing stored. Raises ClickException where it fails or is wrong."""
    count = sum(1 for _ in _rows(table))
    store, answers = scratch / "store", scratch / f"{executor}.parquet"
    if model is None:
        command = ["retrain", "extract", table, "--architecture", "fake", "--bottleneck_dir", store, "--json", *where]
    else:
        command = ["label_image", table.with_suffix(""), "--model", model, "--parquet", answers, *where]
    done = run_process([sys.executable, "-m", *command])
    if model is None:
        told = json.loads(done.output.splitlines()[-1])
        computed = told["bottlenecks"]["computed"]
        if computed != count:
            raise click.ClickException(f"{executor}: {computed:,} of {count:,} bottlenecks were computed.")
        shutil.rmtree(store)
    elif executor == "ray" and not filecmp.cmp(scratch / "local.parquet", answers, shallow=False):
        raise click.ClickException("Ray has written another table than this machine alone.")
    more, seconds = (count, done.seconds) if before is None else (count - before.photos, done.seconds - before.seconds)
    return Measured(executor, count, done.seconds, more / max(seconds, 1e-3), done.peak)


def _rows(table: Path) -> Iterator[list[str]]:
    with open(table, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows


def overhead(found: Sequence[Measured], count: int) -> float:
    """How much longer Ray takes, as a share of what this machine's threads take."""
    seconds = {one.executor: one.seconds for one in found if one.photos == count}
    return seconds["ray"] / seconds["local"] - 1


def line_of(one: Measured) -> str:
    """A line of the table."""
    return (
        f"{one.executor:8} {one.photos:>9,}: {one.seconds:7.1f} s, {one.photos / one.seconds:7.0f} photos/s, "
        f"{one.rate:7.0f} after the start; peak {one.peak:5.0f} MB"
    )


if __name__ == "__main__":
    main()
