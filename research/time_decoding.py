"""What a photo costs before the network sees it, stage by stage, and what else could do the same.

Question: the faster the network, the more decoding bounds a run (docs/speed.md). Where does the time go, is it Python's
lock, and is there something faster than Pillow for everyone that gives Pillow's pixels to the bit?
Result (docs/speed.md), cats of about 400 x 300 pixels on two cores of Sapphire Rapids: libjpeg 0.50 ms and Pillow's
resize 0.57 of 1.30 ms; the rest is reading, hashing and opening. Two processes do 1,479 photos a second, two threads
1,259: not enough for what processes cost. onnxruntime's resize takes twice as long, and has other pixels.

    python -m research.time_decoding --image_dir cats
"""

import io
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from label_image.files import sha256_of_bytes
from label_image.photo_files.opening import open_photo
from label_image.photo_files.resizing import squeezed
from label_image.preprocessing import Preprocessing, photo_bytes
from label_image.strangers import import_onnxruntime
from retrain.core.machine import cores
from retrain.photos.opening import list_photos
from scripts.commands import command

PREPROCESSING = Preprocessing.parse("decode(2)|orient|resize(224,bilinear)")
ROUNDS = 3


def whole(path: str) -> None:
    """All that is done to a photo."""
    with photo_bytes(path) as data:
        sha256_of_bytes(data)
        PREPROCESSING.pixels(data)


def stages(path: str) -> Iterator[tuple[str, float]]:
    """The parts of it, each with its milliseconds of a core."""
    took, data = timed(lambda: _read(path))
    yield "read", took
    yield "SHA-256", timed(lambda: sha256_of_bytes(data))[0]
    took, photo = timed(lambda: open_photo(data))
    yield "look at the header", took
    yield "libjpeg, by Pillow", timed(photo.image.load)[0]
    took, square = timed(lambda: squeezed(photo.image, PREPROCESSING.size))
    yield "resize, by Pillow", took
    yield "give the pixels to NumPy", timed(lambda: np.frombuffer(square.tobytes(), np.uint8))[0]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """What a call takes of its core, in milliseconds, and what it returns."""
    begin = time.thread_time()
    result = work()
    return 1000 * (time.thread_time() - begin), result


def of_onnxruntime() -> Callable[[Image.Image], np.ndarray]:
    """The resize of ONNX with antialiasing, whose 8-bit arithmetic was made after Pillow's."""
    onnxruntime = import_onnxruntime()
    from onnx import TensorProto, helper

    node = helper.make_node(
        "Resize", ["photo", "", "", "shape"], ["square"], mode="linear", antialias=1,
        coordinate_transformation_mode="half_pixel",
    )  # fmt: skip
    photo = helper.make_tensor_value_info("photo", TensorProto.UINT8, [1, "height", "width", 3])
    shape = helper.make_tensor_value_info("shape", TensorProto.INT64, [4])
    square = helper.make_tensor_value_info("square", TensorProto.UINT8, None)
    graph = helper.make_graph([node], "resize", [photo, shape], [square])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    to = np.array([1, PREPROCESSING.size, PREPROCESSING.size, 3])
    return lambda image: session.run(None, {"photo": np.asarray(image)[None], "shape": to})[0][0]


def compare_resizes(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pillow's resize and that of onnxruntime on the same pictures."""
    other = of_onnxruntime()
    times, different = [], []
    for path in paths:
        with Image.open(io.BytesIO(_read(path))) as image:
            photo = image.convert("RGB")
        took, square = timed(lambda photo=photo: other(photo))
        times.append(took)
        different.append(float((square != np.asarray(squeezed(photo, PREPROCESSING.size))).mean()))
    yield "resize, by onnxruntime", f"{statistics.median(times):.2f}"
    yield "values that differ from Pillow's", f"{np.mean(different):.2%}"


def per_second(pool: ThreadPoolExecutor | ProcessPoolExecutor, paths: Sequence[str]) -> float:
    """Photos per second of a pool that has started."""
    with pool:
        list(pool.map(whole, paths[: 8 * cores()]))
        begin = time.perf_counter()
        list(pool.map(whole, paths, chunksize=8))
        return len(paths) / (time.perf_counter() - begin)


def _read(path: str) -> bytes:
    with photo_bytes(path) as data:
        return data


@command
@click.option("--image_dir", type=click.Path(path_type=Path), required=True, help="JPEGs, as for `retrain`.")
@click.option("--photos", type=click.IntRange(min=1), default=400, show_default=True, help="So many of them.")
def main(image_dir: Path, photos: int) -> None:
    """Time the stages of decoding."""
    files = list_photos(image_dir).files
    paths = [file.path for file in files[:: -(-len(files) // photos)]]
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for path in paths:
            for stage, took in stages(path):
                found.setdefault(stage, []).append(took)
        for path in paths:  # again: a photo that was decoded a moment ago is faster
            found.setdefault("all of it", []).append(timed(lambda path=path: whole(path))[0])
    rows = [(stage, f"{statistics.median(took):.3f}") for stage, took in found.items()]
    rows += compare_resizes(paths)
    spawn = get_context("spawn")
    for what, make in {
        "threads": lambda: ThreadPoolExecutor(cores()),
        "processes": lambda: ProcessPoolExecutor(cores(), spawn),
    }.items():
        rates = [per_second(make(), paths) for _ in range(ROUNDS)]
        rows.append((f"photos per second, {cores()} {what}", f"{statistics.median(rates):.0f}"))
    table = Table(
        "", "ms of a core, median", title=f"{len(paths)} photos, Pillow {Image.__version__}, {os.cpu_count()} cores"
    )
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
