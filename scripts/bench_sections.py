"""The sections of scripts/bench.py: each is a function that measures, and yields the rows of the table.

Things that are compared take turns, and medians are taken, so that a machine that is busy for a while slows
all of them down.
"""

import csv
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
import numpy.typing as npt
from bench_measuring import MEGABYTE, Bench, Process, Row, run_process, spread, take_turns
from bench_scale import BLOCK, DIM, make_files, make_store, pooled_features, seconds_of

from label_image.files import sha256_of_bytes
from label_image.preprocessing import Pixels, load_pixels, photo_bytes
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import BATCH, Engine, freeze_backbone, place
from retrain.backbones.engines.registry import choose_engine, start_engine
from retrain.bottlenecks.calibrating import calibrated
from retrain.bottlenecks.extraction import extract
from retrain.core.blas import one_thread
from retrain.core.machine import choose_precision, cores, has_gpu
from retrain.core.places import place_of
from retrain.photos.dataset import PhotoFile
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.head import Classes, Matrix, Sample

Item = TypeVar("Item")

SCRIPTS = Path(__file__).resolve().parent
NETWORK, DECODING = "the network on ready tensors", "reading, hashing and decoding"
READY = 256  # photos held decoded for the raw engine; Keras gets as many
ONE_BY_ONE = 64
HEAD_L2 = 0.001
OVERLAPPING = 0.5  # of the distances at which classes are told apart without error


# 1. Extraction


def extraction(bench: Bench) -> Iterator[Row]:
    """Photos per second, end to end, against the network alone and against plainer ways."""
    for name in bench.weights:
        yield from extraction_of(bench, bench.backbone(name))


def extraction_of(bench: Bench, backbone: Backbone) -> Iterator[Row]:
    section = f"extraction, {backbone.architecture}"
    chosen = choose_engine(bench.engine, backbone.compute_dtype)
    has_network = backbone.architecture != "fake"
    if backbone.compute_dtype == "int8":
        begin = time.perf_counter()
        backbone = calibrated(backbone, bench.photos.files, place_of(bench.folder / "calibrated"))
        yield Row(section, "calibration, once for a store", time.perf_counter() - begin, "s")
    both = has_network and not backbone.calibrated and find_spec("openvino") is not None and not has_gpu()
    engines: dict[str, Engine] = {}
    for name in dict.fromkeys((chosen, *(("tensorflow", "openvino") if both else ()))):
        begin = time.perf_counter()
        engines[name] = started(backbone, name)
        yield Row(section, f"start of the {name} engine", time.perf_counter() - begin, "s")

    # Reads all photos once: they are then in the page cache for everyone, and those that cannot be read are known.
    with tempfile.TemporaryDirectory(dir=bench.folder) as store:
        readable = {photo.path for photo in extract(bench.photos, find_backbone("fake", bench.folder), store).photos}
    listing = replace(bench.photos, files=tuple(file for file in bench.photos.files if file.path in readable))
    sample = [file.path for file in spread(listing.files, READY)]
    ready = np.stack([load_pixels(path, backbone.preprocessing) for path in sample])

    def end_to_end(backbone: Backbone, engine: Engine) -> float:
        with tempfile.TemporaryDirectory(dir=bench.folder) as store:
            spent = seconds_of(lambda: extract(listing, backbone, store, start=lambda _: engine))
        return len(listing.files) / spent

    def raw(engine: Engine) -> Callable[[], float]:
        return lambda: len(ready) / seconds_of(lambda: engine(ready))

    def alone(work: Callable[[], object]) -> Callable[[], float]:
        return lambda: core_milliseconds(work) / len(sample)

    jobs: dict[str, Callable[[], float]] = {
        "extract, end to end": lambda: end_to_end(backbone, engines[chosen]),
        NETWORK: alone(lambda: engines[chosen](ready)),
        DECODING: alone(lambda: [read_and_decode(path, backbone) for path in sample]),
    }
    jobs.update({f"{name} engine on ready tensors": raw(engine) for name, engine in engines.items()})
    if backbone.calibrated:
        other = backbone.computed_in(choose_precision("auto"))
        beside = start_engine(other)
        jobs[f"extract in {other.compute_dtype}, end to end"] = lambda: end_to_end(other, beside)
        jobs[f"engine in {other.compute_dtype} on ready tensors"] = raw(beside)
    if has_network:
        jobs.update(what_others_do(backbone, sample, spread(sample, ONE_BY_ONE)))
    medians = take_turns(jobs, bench.repeat)
    spent = [Row(section, what, medians.pop(what), "ms of a core for a photo") for what in (NETWORK, DECODING)]
    rates = {name: Row(section, name, rate, "photos/s") for name, rate in medians.items()}
    whole = rates.pop("extract, end to end")
    engine_rates = {name: rates.pop(f"{name} engine on ready tensors") for name in engines}
    yield from (*rates.values(), *engine_rates.values())
    yield from (whole.against(row) for row in (engine_rates[chosen], *rates.values()))
    if not has_gpu():
        yield from what_cores_allow(spent, whole, engine_rates[chosen])
    if both:
        yield engine_rates["openvino"].against(engine_rates["tensorflow"])


def started(backbone: Backbone, name: str) -> Engine:
    """An engine that has run once."""
    engine = start_engine(backbone, name)
    engine(np.zeros((1, backbone.input_size, backbone.input_size, 3), np.uint8))
    return engine


def what_cores_allow(spent: Sequence[Row], whole: Row, raw: Row) -> Iterator[Row]:
    """The rate at which all cores would be at the network and at decoding alone, beside what is reached."""
    rate = 1000 * cores() / sum(row.value for row in spent)
    most = Row(whole.section, "all cores at these two alone", rate, "photos/s")
    yield from (*spent, most.against(raw), whole.against(most))


def what_others_do(backbone: Backbone, sample: Sequence[str], few: Sequence[str]) -> dict[str, Callable[[], float]]:
    """The rates of the two ways that people have without this program, each of which has run once."""
    run_one, predict = one_by_one(backbone), keras_predict(backbone)
    run_one(few[0])
    predict(sample[:BATCH])
    return {
        "one photo at a time": lambda: len(few) / seconds_of(lambda: [run_one(path) for path in few]),
        "keras predict, batch by batch": lambda: len(sample) / seconds_of(lambda: predict(sample)),
    }


def core_milliseconds(work: Callable[[], object]) -> float:
    """What a call takes of all cores together."""
    begin = time.process_time()
    work()
    return 1000 * (time.process_time() - begin)


def read_and_decode(path: str, backbone: Backbone) -> Pixels:
    """All that comes before the network, for one photo."""
    with photo_bytes(path) as data:
        sha256_of_bytes(data)
        return backbone.preprocessing.pixels(data)


def one_by_one(backbone: Backbone) -> Callable[[str], object]:
    """Read, decode and run one photo, in float32, by a session on a frozen graph: the way of the 2017 script."""
    from retrain.core.tensorflow import tf

    frozen = freeze_backbone(backbone)
    graph = tf.Graph()
    with graph.as_default():
        pixels, bottleneck = place(frozen, 1, backbone.input_size)
    session = tf.compat.v1.Session(graph=graph)
    return lambda path: session.run(bottleneck, {pixels: load_pixels(path, backbone.preprocessing)[np.newaxis]})


def keras_predict(backbone: Backbone) -> Callable[[Sequence[str]], object]:
    """Load a batch of photos, predict it with Keras in float32, load the next: what one writes without thinking."""
    from retrain.backbones.network import load_network

    model = load_network(backbone).model
    arithmetic = backbone.preprocessing.arithmetic()
    factor, offset = np.array(arithmetic.scale, np.float32), np.array(arithmetic.offset, np.float32)

    def predict(paths: Sequence[str]) -> None:
        for start in range(0, len(paths), BATCH):
            pixels = np.stack([load_pixels(path, backbone.preprocessing) for path in paths[start : start + BATCH]])
            pixels = pixels[..., ::-1] if arithmetic.bgr else pixels
            model.predict(pixels * factor + offset, batch_size=BATCH, verbose=0)

    return predict


# 2. and 5. Whole runs


def run_retrain(bench: Bench, name: str, files: Sequence[PhotoFile], store: Path) -> tuple[Process, dict[str, Any]]:
    """`retrain` on these photos as a process, and what it says with --json. The export is store/model."""
    store.mkdir(parents=True, exist_ok=True)
    manifest = store / "photos.csv"
    with open(manifest, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((os.path.abspath(photo.path), photo.label, photo.split or "") for photo in files)
    command: list[str | Path] = [sys.executable, "-m", "retrain", "--json", "--image_dir", manifest]
    command += ["--architecture", name, "--output_dir", store / "model", "--bottleneck_dir", store / "bottlenecks"]
    command += ["--engine", bench.engine, "--precision", "auto" if name == "fake" else bench.precision]
    weights = bench.weights[name]
    command += ["--weights", weights] if weights else []
    process = run_process(command)
    return process, json.loads(process.output.splitlines()[-1])


def runs(bench: Bench) -> Iterator[Row]:
    """Cold, warm, and warm but for one class that is new."""
    for name in bench.weights:
        section = f"runs, {name}, {len(bench.photos.files)} photos"
        rounds: list[dict[str, float]] = []
        for number in range(bench.repeat):
            figures: dict[str, float] = {}
            for kind in ("cold", "warm"):
                process, told = run_retrain(bench, name, bench.photos.files, bench.folder / name / str(number))
                figures |= {f"{kind}, peak": process.peak, kind: process.seconds}
                figures |= {f"{kind}: {stage}": value for stage, value in told["seconds"].items() if stage != "total"}
            rounds.append(figures)
        medians = {what: statistics.median(figures.get(what, 0.0) for figures in rounds) for what in rounds[0]}
        rows = {what: Row(section, what, value, "MB" if "peak" in what else "s") for what, value in medians.items()}
        yield rows["cold"]
        yield rows["warm"].against(rows["cold"])
        yield rows["cold, peak"]
        yield rows["warm, peak"].against(rows["cold, peak"])
        yield from (row.against(rows[what.partition(":")[0]]) for what, row in rows.items() if ":" in what)

        files, label = bench.photos.files, bench.photos.files[-1].label
        run_retrain(bench, name, [file for file in files if file.label != label], bench.folder / name / "new")
        process, told = run_retrain(bench, name, files, bench.folder / name / "new")
        of_label = Row(section, "photos of a new class", sum(file.label == label for file in files), "photos")
        yield Row(section, "warm but for a new class", process.seconds, "s").against(rows["cold"])
        yield of_label
        yield replace(of_label, what="computed for it", value=told["bottlenecks"]["computed"]).against(of_label)


def growth(bench: Bench) -> Iterator[Row]:
    """Cold and warm runs of more and more photos."""
    sizes = sorted({min(size, len(bench.photos.files)) for size in bench.sizes})
    for name in bench.weights:
        section = f"growth, {name}"
        measured: dict[str, list[Row]] = {"cold": [], "warm": [], "cold, peak": [], "warm, peak": []}
        for size in sizes:
            rounds: dict[str, list[float]] = {what: [] for what in measured}
            for number in range(bench.repeat):
                for kind in ("cold", "warm"):
                    store = bench.folder / name / f"{size}-{number}"
                    process, _ = run_retrain(bench, name, spread(bench.photos.files, size), store)
                    rounds[kind].append(process.seconds)
                    rounds[f"{kind}, peak"].append(process.peak)
            for what, values in rounds.items():
                unit = "MB" if "peak" in what else "s"
                measured[what].append(Row(section, f"{what}, {size} photos", statistics.median(values), unit))
        for rows in measured.values():
            yield from (row if row is rows[0] else row.against(rows[0]) for row in rows)
        # Linear: every further photo costs as much as the ones before. Flat: it costs hardly anything.
        cold, warm = (slopes(sizes, measured[kind]) for kind in ("cold", "warm"))
        yield from (slope if slope is cold[0] else slope.against(cold[0]) for slope in cold)
        yield from (slope.against(of) for slope, of in zip(warm, cold, strict=True))


def slopes(sizes: Sequence[int], rows: Sequence[Row]) -> list[Row]:
    """What a photo more costs, from each size to the next; `rows` are the seconds at each size."""
    found = []
    for few, more, low, high in zip(sizes, sizes[1:], rows, rows[1:], strict=False):
        what = f"{low.what.removesuffix(' photos')} to {more} photos"
        found.append(Row(low.section, what, 1000 * (high.value - low.value) / (more - few), "ms/photo"))
    return found


# 3. Head


def head(bench: Bench) -> Iterator[Row]:
    """Fits to classes that overlap, as most do, and to classes that can be told apart without error."""
    yield from head_on(bench, "overlapping", OVERLAPPING)
    yield from head_on(bench, "separable", 1.0)


def head_on(bench: Bench, kind: str, separation: float) -> Iterator[Row]:
    """One fit at one L2 strength, against scikit-learn's of the same loss."""
    from sklearn.linear_model import LogisticRegression

    rows, dim, count = bench.head_size
    section = f"head, {rows} x {dim}, {count} {kind} classes"
    classes = np.arange(rows) % count
    features = pooled_features(classes, dim, count, separation=separation)
    training = Sample(features, classes)
    validation = training.spread(1000)
    # retrain.training.head's loss is on features centred and scaled like this; scikit-learn has to see the same.
    mean = features.mean(axis=0, dtype=np.float64)
    scale = np.sqrt(features.var(axis=0, dtype=np.float64).mean())
    scaled = ((features - mean.astype(np.float32)) / np.float32(scale)).astype(np.float32, copy=False)
    other = LogisticRegression(C=1 / (HEAD_L2 * rows), max_iter=1000)
    losses: dict[str, float] = {}

    def ours() -> float:
        begin = time.perf_counter()
        with one_thread():  # as in a training: its passes are shared among the cores
            fitted = fit_to_convergence(training, validation, count, path=(HEAD_L2,)).head
        spent = time.perf_counter() - begin
        # The head is for features as they are; its loss is told of the scaled ones.
        kernel = fitted.kernel.astype(np.float64)
        losses["retrain.training.head"] = loss(scaled, classes, kernel * scale, fitted.bias + mean @ kernel)
        return spent

    def scikit_learn() -> float:
        spent = seconds_of(lambda: other.fit(scaled, classes))
        losses["scikit-learn"] = loss(scaled, classes, other.coef_.T.astype(np.float64), other.intercept_)
        return spent

    spent = take_turns({"retrain.training.head": ours, "scikit-learn": scikit_learn}, bench.repeat)
    our_fit, their_fit = (Row(section, f"{name}, fit", value, "s") for name, value in spent.items())
    our_loss, their_loss = (Row(section, f"{name}, loss", losses[name], "nats") for name in spent)
    yield our_fit
    yield their_fit.against(our_fit)
    yield their_loss
    yield our_loss.against(their_loss)
    yield Row(section, "difference of the losses", abs(our_loss.value - their_loss.value), "nats")


def loss(features: Matrix, classes: Classes, kernel: npt.NDArray[Any], bias: npt.NDArray[Any]) -> float:
    """Mean cross-entropy + HEAD_L2 / 2 * ||kernel||^2, in float64."""
    total = 0.0
    for start in range(0, len(classes), BLOCK):
        right = classes[start : start + BLOCK]
        logits = features[start : start + BLOCK].astype(np.float64) @ kernel + bias
        logits -= logits.max(axis=1, keepdims=True)
        total += float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(right)), right]).sum())
    return total / len(classes) + HEAD_L2 / 2 * float(np.square(kernel).sum())


# 4. label_image


def label_image(bench: Bench) -> Iterator[Row]:
    """One photo labelled by a process, against a process that only loads what any such process must."""
    for name in bench.weights:
        section = f"label_image, {name}"
        model = bench.folder / name / "0" / "model" / "model.tflite"
        if not model.exists():
            run_retrain(bench, name, spread(bench.photos.files, 100), bench.folder / name / "0")
        if not model.exists():
            raise click.ClickException(f"`retrain` wrote no model.tflite for {name}, which label_image needs.")
        photo = bench.photos.files[0].path
        commands: dict[str, list[str | Path]] = {
            "import of numpy and Pillow": [sys.executable, "-c", "import numpy, PIL.Image"],
            "one photo": [sys.executable, "-m", "label_image", "--model", model, photo],
        }
        rounds = [{what: run_process(command) for what, command in commands.items()} for _ in range(5)]
        for unit, figure in (("s", "seconds"), ("MB", "peak")):
            medians = {what: statistics.median(getattr(turn[what], figure) for turn in rounds) for what in commands}
            floor, one = (Row(section, f"{what}, {figure}", value, unit) for what, value in medians.items())
            yield from (floor, one.against(floor))


# 6. Scale


def scale(bench: Bench) -> Iterator[Row]:
    """A head on more bottlenecks than fit into memory, and the start on a folder of as many files."""
    section = f"scale, {bench.scale_rows} x {DIM}"
    script: list[str | Path] = [sys.executable, SCRIPTS / "bench_scale.py"]
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        make_store(Path(folder), bench.scale_rows)
        process = run_process([*script, "train", folder, str(bench.scale_rows)])
    whole = Row(section, "store to head", process.seconds, "s")
    yield whole
    for stage, seconds in json.loads(process.output).items():
        yield Row(section, stage, seconds, "s").against(whole)
    matrix = Row(section, "size of the matrix", bench.scale_rows * DIM * 4 / MEGABYTE, "MB")
    yield from (matrix, Row(section, "store to head, peak", process.peak, "MB").against(matrix))

    section = f"scale, {bench.scale_files} files"
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        make_files(Path(folder), bench.scale_files)
        process = run_process([*script, "start", folder])
    walk, found = (Row(section, stage, seconds, "s") for stage, seconds in json.loads(process.output).items())
    yield from (walk, found.against(walk), Row(section, "peak", process.peak, "MB"))


SECTIONS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "extraction": extraction,
    "runs": runs,
    "head": head,
    "label_image": label_image,
    "growth": growth,
    "scale": scale,
}
