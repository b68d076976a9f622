"""How fast `label_image` labels a folder, against the raw runtime on the same photos.

    python scripts/measure_labelling.py tf_files/model cats --photos 10000

Two figures are called raw, both of one interpreter for each thread and no code of ours. *Tensors*: LiteRT alone, on
pixels that are ready. *Photos*: read, decode and resize with Pillow, and invoke, in a bare loop; it is what a person
would write who needs no errors, no order and no table. Of `label_image PHOTOS --csv` a whole process is measured, with
its start and its end. They take turns, and medians are shown: photos per second, and the processor time of one photo,
which a busy machine changes less.

With `--photos` the folder's photos are taken again and again, by links, up to that number.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from PIL import Image

from label_image.find_photos import find_photos
from label_image.pool import MOST
from label_image.preprocessing import FILTERS, Preprocessing

OURS = "label_image --csv"


class Cost(NamedTuple):
    """What labelling all photos took: seconds, and seconds of processors."""

    seconds: float
    processor: float


@click.command()
@click.argument("model", type=click.Path(path_type=Path, exists=True))
@click.argument("photos", type=click.Path(path_type=Path, exists=True))
@click.option("--photos", "count", default=10_000, show_default=True, help="How many photos.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--threads", default=MOST, show_default=True, help="Of the raw loops.")
def main(model: Path, photos: Path, count: int, rounds: int, threads: int) -> None:
    """Measure labelling with MODEL, a folder with model.tflite, on PHOTOS."""
    with tempfile.TemporaryDirectory() as scratch:
        linked = _linked(photos, Path(scratch) / "photos", count)
        measured: dict[str, list[Cost]] = {}
        for _ in range(rounds):
            for name, measure in (
                ("raw, tensors", lambda: raw(model, linked, threads, ready=True)),
                ("raw, photos", lambda: raw(model, linked, threads, ready=False)),
                (OURS, lambda: ours(model, linked, Path(scratch))),
            ):
                measured.setdefault(name, []).append(measure())
        for name, costs in measured.items():
            rate = statistics.median(len(linked) / cost.seconds for cost in costs)
            processor = statistics.median(cost.processor / len(linked) * 1000 for cost in costs)
            shares = [
                (one.seconds / other.seconds, one.processor / other.processor)
                for one, other in zip(costs, measured[OURS], strict=True)
            ]
            faster, leaner = (statistics.median(share) for share in zip(*shares, strict=True))
            shown = f"{name:18} {rate:6.0f} photos/s {processor:6.2f} ms of processor"
            print(f"{shown}; label_image has {faster:.0%} of its rate, {leaner:.0%} by processor")


def _linked(photos: Path, folder: Path, count: int) -> list[str]:
    """So many photos in one folder, as links to files."""
    files = [path for path in find_photos([str(photos)]) if isinstance(path, str)]
    folder.mkdir()
    for number in range(count):
        source = files[number % len(files)]
        os.symlink(os.path.abspath(source), folder / f"{number:06}{Path(source).suffix}")
    return [str(folder / name) for name in sorted(os.listdir(folder))]


def raw(model: Path, photos: Sequence[str], threads: int, ready: bool) -> Cost:
    """The bare loop: on photos, or on pixels of one of them that are `ready`."""
    preprocessing = Preprocessing.parse(json.loads((model / "model.json").read_text())["preprocessing"])
    pixels = _square(photos[0], preprocessing) if ready else None

    def loop(mine: Sequence[str], invoke: Callable[[Any], Any]) -> None:
        for photo in mine:
            invoke(_square(photo, preprocessing) if pixels is None else pixels)

    loops = [
        threading.Thread(target=loop, args=(photos[start::threads], _interpreter(model))) for start in range(threads)
    ]
    began, processor = time.perf_counter(), time.process_time()
    for thread in loops:
        thread.start()
    for thread in loops:
        thread.join()
    return Cost(time.perf_counter() - began, time.process_time() - processor)


def _square(photo: str, preprocessing: Preprocessing) -> Any:
    """The pixels by Pillow alone; a JPEG is decoded at a fraction, as the model's preprocessing says."""
    side = preprocessing.size
    with Image.open(photo) as image:
        image.draft(None, (2 * side, 2 * side))
        square = image.convert("RGB").resize((side, side), FILTERS["bilinear"])
    return np.asarray(square, np.float32)[None]


def _interpreter(model: Path) -> Callable[[Any], Any]:
    """An interpreter of its own: pixels to probabilities."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model / "model.tflite"))
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]["index"]
    outputs = [output["index"] for output in interpreter.get_output_details()]

    def invoke(pixels: Any) -> Any:
        interpreter.set_tensor(image, pixels)
        interpreter.invoke()
        return [interpreter.get_tensor(output) for output in outputs]

    return invoke


def ours(model: Path, photos: Sequence[str], scratch: Path) -> Cost:
    """`label_image PHOTOS --csv OUT`, from its start to its end."""
    table = scratch / "out.csv"
    table.unlink(missing_ok=True)
    command = [sys.executable, "-m", "label_image", "--model", model, os.path.dirname(photos[0]), "--csv", table]
    began, processor = time.perf_counter(), _of_children()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cost = Cost(time.perf_counter() - began, _of_children() - processor)
    with open(table, encoding="utf-8") as file:
        assert sum(1 for _ in file) == len(photos) + 1, "not every photo has its row"
    return cost


def _of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
