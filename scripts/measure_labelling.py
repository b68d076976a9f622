"""How fast `label_image` labels a folder, against the raw runtime on the same photos.

    python scripts/measure_labelling.py tf_files/model cats --photos 10000

Two figures are called raw, both of one interpreter for each thread and no code of ours. *Tensors*: LiteRT alone, on
pixels that are ready. *Photos*: read, decode and resize with Pillow, and invoke, in a bare loop; it is what a person
would write who needs no errors, no order and no table. Of `label_image PHOTOS --csv` a whole process is measured, with
its start and its end. They take turns, and medians are shown.

With `--photos` the folder's photos are taken again and again, by links, up to that number.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from label_image.find_photos import find_photos
from label_image.pool import MOST
from label_image.preprocessing import FILTERS, Preprocessing


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
        found: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, measure in (
                ("raw, tensors", lambda: raw(model, linked, threads, ready=True)),
                ("raw, photos", lambda: raw(model, linked, threads, ready=False)),
                ("label_image --csv", lambda: ours(model, linked, Path(scratch))),
            ):
                found.setdefault(name, []).append(len(linked) / measure())
        rates = {name: statistics.median(values) for name, values in found.items()}
        for name, rate in rates.items():
            each = ", ".join(f"{value:.0f}" for value in found[name])
            share = rates["label_image --csv"] / rate
            print(f"{name:20} {rate:7.0f} photos/s   ({each})   label_image is {share:.0%} of it")


def _linked(photos: Path, folder: Path, count: int) -> list[str]:
    """So many photos in one folder, as links to files."""
    files = [path for path in find_photos([str(photos)]) if isinstance(path, str)]
    folder.mkdir()
    for number in range(count):
        source = files[number % len(files)]
        os.symlink(os.path.abspath(source), folder / f"{number:06}{Path(source).suffix}")
    return [str(folder / name) for name in sorted(os.listdir(folder))]


def raw(model: Path, photos: Sequence[str], threads: int, ready: bool) -> float:
    """Seconds of the bare loop: on photos, or on pixels of one of them that are `ready`."""
    preprocessing = Preprocessing.parse(json.loads((model / "model.json").read_text())["preprocessing"])
    pixels = _square(photos[0], preprocessing) if ready else None

    def loop(mine: Sequence[str], invoke: Callable[[Any], Any]) -> None:
        for photo in mine:
            invoke(_square(photo, preprocessing) if pixels is None else pixels)

    loops = [
        threading.Thread(target=loop, args=(photos[start::threads], _interpreter(model))) for start in range(threads)
    ]
    began = time.perf_counter()
    for thread in loops:
        thread.start()
    for thread in loops:
        thread.join()
    return time.perf_counter() - began


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


def ours(model: Path, photos: Sequence[str], scratch: Path) -> float:
    """Seconds of `label_image PHOTOS --csv OUT`, from its start to its end."""
    table = scratch / "out.csv"
    table.unlink(missing_ok=True)
    command = [sys.executable, "-m", "label_image", "--model", model, os.path.dirname(photos[0]), "--csv", table]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    with open(table, encoding="utf-8") as file:
        assert sum(1 for _ in file) == len(photos) + 1, "not every photo has its row"
    return seconds


if __name__ == "__main__":
    main()
