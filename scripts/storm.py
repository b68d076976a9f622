"""A storm of kills over the commands of `retrain`, and what must be left when it is over.

Four processes at a time work on one bottleneck store, two of them on one output folder: trainings, further exports and
evaluations there; a training with `--resume` elsewhere; `retrain doctor` and `retrain sweep` with ever new input
sizes, so that bottlenecks are missing. Each is killed at a random moment by KILL, TERM, HUP, INT, or INT twice; half of
the moments are just after something began to be written. Each process has a process id of its own world, as in a
container, where root may make such (`unshare --pid`). Asserted is

  nothing wrong         every stored bottleneck is that of a clean run; exports are whole and give the clean run's
                        probabilities; the doctor and the sweep write what they write undisturbed
  nothing lost          once there was an export, there is one after every kill, and the one before it is whole
  nothing left behind   once each command has run to its end again: no temporary name, nothing in the folder for
                        temporary files, nothing set aside as damaged
  the command goes on   the same command then ends with exit code 0; before, with that of the signal it got
  no traceback          in anything that was said

The seed fixes what is started, the signals and the delays; the machine does the rest. Exit code 1 where one of these
does not hold: the faults are named, and the folder stays for a look.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from PIL import Image

from label_image.files import sha256_of_bytes
from label_image.model import load_model
from label_image.preprocessing import load_pixels
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.near_copies import FOLDER, thumbnail_store
from retrain.bottlenecks.probe import TOLERANCES, relative_error
from retrain.bottlenecks.store import Store, fingerprint
from retrain.photos.opening import list_photos
from retrain.photos.small_copies import gray, square_copy, thumbnail

CLASSES = {"brick": (150, 90, 90), "moss": (90, 150, 90), "slate": (90, 90, 150)}
SIZES = range(8, 72)  # pixels a side, of the fake network: another size has other bottlenecks
SIGNALS = {name: [signal.Signals[f"SIG{name}"]] for name in ("KILL", "TERM", "HUP", "INT")}
SIGNALS["INT twice"] = 2 * SIGNALS["INT"]
EXPORTS = ("model", "model.previous", "other", "other.previous")
PATIENCE = 600  # seconds for a process that was told to end
FAULTS_SAID = re.compile(r"Traceback \(most recent|Exception ignored|Fatal Python error|core dumped|\.damaged")
# Ctrl-C in the first milliseconds, before Python has read a line of the program, is answered by Python itself.
OURS = re.compile(r"retrain/(?!__init__)\w+\.py")
# What a command may answer while another one replaces the export that it works on.
REFUSALS = re.compile(r"was replaced by another training meanwhile")
TEMPORARY = re.compile(r"\.tmp$|^\.tmp|^\.retrain-|\.part$|\.old$|\.damaged$")
# How Python tries whether files can be made in a folder for temporary ones; a kill in between leaves it.
PYTHONS_TRY = re.compile(r"[a-z0-9_]{8}")
NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Plan:
    """The commands, with where they work. `folder` is everyone's working folder."""

    folder: Path
    network: tuple[str, ...]
    fixed_size: bool
    namespaces: bool

    def train(self, world: str) -> list[str]:
        return [*self._photos(world), "--output_dir", f"{world}/model"]

    def resume(self, world: str) -> list[str]:
        steps = ["--hidden_units", "6", "--epochs", "30", "--train_batch_size", "16"]
        return [*self._photos(world), "--output_dir", f"{world}/other", *steps, "--resume"]

    def export(self, world: str) -> list[str]:
        return ["export", f"{world}/model", "--to", "tflite_float16", "--image_dir", "photos"]

    def evaluate(self, world: str) -> list[str]:
        return ["evaluate", f"{world}/model", "photos", "--all_photos"]

    def doctor(self, world: str, size: int) -> list[str]:
        network = [*self.network, *self._size(size), "--bottleneck_dir", f"{world}/store"]
        return ["doctor", "photos", *network, "--output_dir", f"{world}/doctor"]

    def sweep(self, world: str, _: int) -> list[str]:
        views = ["--random_crop", "10", "--views", "4"]
        return ["sweep", *self._photos(world), *views, "--output_csv", f"{world}/sweep.csv"]

    def _photos(self, world: str) -> list[str]:
        return ["--image_dir", "photos", *self.network, "--bottleneck_dir", f"{world}/store"]

    def _size(self, size: int) -> list[str]:
        return [] if self.fixed_size else ["--image_size", str(size)]


@dataclass
class Storm:
    """What happened so far; shared by the threads, one for each process of the four."""

    plan: Plan
    kills: int
    deadline: float
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  # the longest that a command took to its end
    exports: set[str] = field(default_factory=set)  # those that were seen, the earlier one too
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_over(self) -> bool:
        return self.killed() >= self.kills or time.monotonic() > self.deadline

    def killed(self) -> int:
        return sum(self.counts[name] for name in SIGNALS)

    def fault(self, sentence: str) -> None:
        with self.lock:
            self.faults.append(sentence)
        click.echo(f"FAULT: {sentence}", err=True)


@contextlib.contextmanager
def started(plan: Plan, arguments: Sequence[str], log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A `retrain` process, in a world of its own where that is possible, and the process id to send signals to."""
    environment = {**os.environ, "TMPDIR": str(plan.folder / "tmp"), "OMP_NUM_THREADS": "1", "COLUMNS": "500"}
    command = [*(NAMESPACE if plan.namespaces else ()), sys.executable, "-m", "retrain", *arguments]
    with open(log, "wb") as output:
        process = subprocess.Popen(command, cwd=plan.folder, env=environment, stdout=output, stderr=output)
        try:
            yield process, _child(process.pid) if plan.namespaces else process.pid
        finally:
            process.kill()
            process.wait()


def _child(pid: int) -> int:
    """The one child of `unshare`; itself if it has ended already."""
    for _ in range(500):
        with contextlib.suppress(OSError):
            if children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                return int(children[0])
        time.sleep(0.01)
    return pid


def run(plan: Plan, arguments: Sequence[str], log: Path) -> float:
    """Run a command to its end and return the seconds; raises ClickException where it fails."""
    began = time.monotonic()
    with started(plan, arguments, log) as (process, _):
        code = process.wait()
    said = log.read_text(errors="replace")
    if code != 0 or FAULTS_SAID.search(said):
        raise click.ClickException(f"`retrain {' '.join(arguments)}` ended with {code}: {said[-2000:]}")
    return time.monotonic() - began


def draw_photos(folder: Path, number: int, chance: np.random.Generator) -> None:
    for name, colour in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for count in range(number):
            noise = chance.integers(-60, 61, (12, 12, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{count}.png")


def work(storm: Storm, slot: int, seed: int) -> None:
    """One of the four: starts a command of this slot and kills it, again and again."""
    chance = random.Random(f"{seed} {slot}")
    plan = storm.plan
    for number in range(10**6):
        if storm.is_over():
            return
        size = chance.choice(SIZES)
        if slot < 2:
            kinds = ("train", "train", "export", "evaluate") if "model" in storm.exports else ("train",)
        else:
            kinds = ("resume",) if slot == 2 else ("doctor", "sweep")
        kind = chance.choice(kinds)
        arguments = getattr(plan, kind)("storm", *((size,) if slot == 3 else ()))
        log = plan.folder / "logs" / f"{slot}-{number:04}-{kind}.txt"
        try:
            kill_one(storm, kind, arguments, log, chance)
        except Exception as error:  # one of ours, which must not end the thread in silence
            storm.fault(f"{log.name}: the storm itself failed: {error!r}")


def kill_one(storm: Storm, kind: str, arguments: Sequence[str], log: Path, chance: random.Random) -> None:
    name = chance.choice(list(SIGNALS))
    moment = chance.uniform(0, 1.05) * storm.seconds.get(kind, 10)
    wait_for_writing, after, between = chance.random() < 0.5, chance.uniform(0, 0.05), chance.uniform(0, 0.2)
    began = time.monotonic()
    with started(storm.plan, arguments, log) as (process, pid):
        if wait_for_writing:
            wait_until_written(storm.plan.folder / "storm", process, began + 2 * storm.seconds.get(kind, 10))
            time.sleep(after)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
        sent = process.poll() is None
        for number in SIGNALS[name] if sent else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            time.sleep(between)
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            storm.fault(f"{log.name}: still there {PATIENCE} s after {name}")
            return
    judge(storm, kind, name if sent else "", code, log, time.monotonic() - began)


def wait_until_written(world: Path, process: subprocess.Popen[bytes], deadline: float) -> None:
    """Until something is about to be written: a temporary name shows up that was not there before."""

    def temporaries() -> set[str]:
        found = set()
        for folder in (world, world / "store", *(world / "store").glob("*"), world / "model"):
            with contextlib.suppress(OSError):
                found |= {name for name in os.listdir(folder) if TEMPORARY.search(name)}
        return found

    before = temporaries()
    while process.poll() is None and time.monotonic() < deadline and not temporaries() - before:
        time.sleep(0.003)


def judge(storm: Storm, kind: str, name: str, code: int, log: Path, seconds: float) -> None:
    """Count how a process ended, and look at what it said and left."""
    plan, said = storm.plan, log.read_text(errors="replace")
    code = 128 - code if code < 0 else code
    # Of a child that was killed, `unshare` says 1.
    stopped = bool(name) and code in (128 + SIGNALS[name][0], *([1] if name == "KILL" and plan.namespaces else []))
    if said.rstrip().endswith("KeyboardInterrupt") and not OURS.search(said):
        stopped, said = True, ""
    refused = code == 1 and REFUSALS.search(said) is not None
    with storm.lock:
        storm.counts[name if stopped else "refused" if refused else "ended by themselves"] += 1
        if code == 0:
            storm.seconds[kind] = max(seconds, storm.seconds.get(kind, 0))
    if not (stopped or refused or code == 0):
        storm.fault(f"{log.name}: exit code {code} after {name or 'no signal'}: {said[-300:]!r}")
    if FAULTS_SAID.search(said):
        storm.fault(f"{log.name}: it said {FAULTS_SAID.search(said)[0]!r}")  # type: ignore[index]
    seen = set(storm.exports)
    there = {name for name in EXPORTS if (plan.folder / "storm" / name / "model.json").is_file()}
    if seen - there:
        storm.fault(f"{log.name}: {seen - there} is gone after {name or 'no signal'}")
    storm.exports |= there


def check_bottlenecks(storm: Storm, backbones: Sequence[Backbone]) -> int:
    """Compare every stored bottleneck with that of a clean run; returns how many there are."""
    folder, rows, expected_names = storm.plan.folder, 0, {"templates", FOLDER}
    listing = list_photos(folder / "photos")
    for backbone in backbones:
        expected_names.add(fingerprint(backbone.covers()))
        if not (folder / "storm/store" / fingerprint(backbone.covers())).exists():
            continue
        extract(listing, backbone, folder / "clean/store")
        kept = [folder / world / "store" for world in ("clean", "storm")]
        clean, found = (_stored(Store(one, backbone.covers(), backbone.dim, backbone.stored_dtype)) for one in kept)
        strangers = found.keys() - clean.keys()
        if strangers:
            storm.fault(f"bottlenecks of {len(strangers)} photos that there are not, with {backbone.input_size} pixels")
        keys = sorted(found.keys() & clean.keys())
        rows += len(keys)
        vectors, right = (np.array([one[key] for key in keys]) for one in (found, clean))
        limit = 0.0 if backbone.architecture == "fake" else TOLERANCES[backbone.compute_dtype]
        if keys and relative_error(vectors, right) > limit:
            storm.fault(f"wrong bottlenecks with {backbone.input_size} pixels")
    rows += _check_thumbnails(storm)
    names = {path.name for path in (folder / "storm/store").iterdir() if path.is_dir()}
    if names - expected_names:
        storm.fault(f"folders in the store that nobody asked for: {names - expected_names}")
    return rows


def _check_thumbnails(storm: Storm) -> int:
    """Compare every thumbnail that was kept with its photo; returns how many there are."""
    photos = {sha256_of_bytes(data): data for data in map(Path.read_bytes, (storm.plan.folder / "photos").rglob("*.*"))}
    store = storm.plan.folder / "storm/store"
    kept = _stored(thumbnail_store(store)) if (store / FOLDER).exists() else {}
    for (sha256, _), row in kept.items():
        if not np.array_equal(row, thumbnail(gray(square_copy(photos[sha256]))).ravel().astype(row.dtype)):
            storm.fault("a wrong thumbnail")
    return len(kept)


def _stored(store: Store) -> dict[tuple[str, str], np.ndarray]:
    return {tuple(key): row for keys, matrix in store.scan() for key, row in zip(keys, matrix, strict=True)}


def check_export(storm: Storm, export: Path, clean: Path) -> None:
    """An export is whole and gives the probabilities of the clean run's."""
    files, right = ({str(path.relative_to(one)): path.stat().st_size for path in one.rglob("*") if path.is_file()}
                    for one in (export, clean))  # fmt: skip
    missing = {name for name in right if name not in files or (files[name] == 0) != (right[name] == 0)}
    if export.name.endswith(".previous"):  # as its training left it
        missing = {name for name in missing if name != "model_float16.tflite" and not name.startswith("clients/")}
    if missing:
        storm.fault(f"{export.name} lacks {sorted(missing)}")
        return
    json.loads((export / "model.json").read_text(encoding="utf-8"))
    models = [load_model(path / "model.tflite") for path in (export, clean)]
    paths = sorted(str(path) for path in (storm.plan.folder / "photos").rglob("*.png"))
    pixels = np.stack([load_pixels(path, models[0].preprocessing) for path in paths])
    one, other = (model.run(pixels).probabilities for model in models)
    if models[0].labels != models[1].labels or not np.allclose(one, other, atol=1e-4):
        storm.fault(f"{export.name} labels otherwise than the clean run's: by up to {np.abs(one - other).max():.2g}")
    # Names of functions end in how many the process traced before, which kills change: 51 of 55,000 bytes were seen.
    size, whole = ((path / "saved_model.pb").stat().st_size for path in (export, clean))
    if abs(size - whole) > 0.01 * whole:
        storm.fault(f"the SavedModel of {export.name} is not of the size of the clean run's")


def check_left_behind(storm: Storm) -> None:
    folder = storm.plan.folder
    paths = [path for world in ("storm", "tmp") for path in (folder / world).rglob("*")]
    left = [str(path.relative_to(folder)) for path in paths if TEMPORARY.search(path.name)]
    for path in (folder / "tmp").iterdir():
        is_try = PYTHONS_TRY.fullmatch(path.name) and path.is_file() and path.read_bytes() in (b"", b"blat")
        if not TEMPORARY.search(path.name) and not is_try:
            left.append(str(path.relative_to(folder)))
    if left:
        storm.fault(f"left behind: {', '.join(sorted(left)[:10])} ({len(left)} in all)")


def check_all(storm: Storm, backbones: Sequence[Backbone], size: int) -> int:
    """The same commands once more, to their ends; then what they and the killed ones have left."""
    plan, folder = storm.plan, storm.plan.folder
    for world in ("clean", "storm"):
        for kind in ("resume", "train", "export", "evaluate", "doctor", "sweep"):
            arguments = getattr(plan, kind)(world, *((size,) if kind in ("doctor", "sweep") else ()))
            try:
                run(plan, arguments, folder / "logs" / f"{world}-{kind}.txt")
            except click.ClickException as error:
                storm.fault(error.message)
    rows = check_bottlenecks(storm, backbones)  # opens each store, as the next run with its input size would
    check_left_behind(storm)
    for name in EXPORTS:
        if (folder / "storm" / name).exists():
            check_export(storm, folder / "storm" / name, folder / "clean" / name.removesuffix(".previous"))
    findings = [(folder / world / "doctor/findings.csv").read_bytes() for world in ("clean", "storm")]
    sweeps = [(folder / world / "sweep.csv").read_text().splitlines() for world in ("clean", "storm")]
    if findings[0] != findings[1] or len(sweeps[0]) != len(sweeps[1]):
        storm.fault("the doctor or the sweep finds something else than undisturbed")
    return rows


def can_unshare() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@click.command()
@click.option("--kills", default=300, show_default=True, help="How many processes to kill.")
@click.option("--seconds", default=1800.0, show_default=True, help="The storm ends then, whatever was killed.")
@click.option("--seed", default=1, show_default=True)
@click.option("--photos", default=20, show_default=True, help="Of each of the three classes.")
@click.option("--architecture", default="fake", show_default=True)
@click.option("--weights", type=click.Path(path_type=Path), help="Of another architecture than `fake`.")
def main(kills: int, seconds: float, seed: int, photos: int, architecture: str, weights: Path | None) -> None:
    """Kill `retrain` again and again, and check that nothing is wrong, lost or left behind."""
    for number in (signal.SIGINT, signal.SIGHUP):  # children inherit what nohup and background jobs ignore
        signal.signal(number, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="storm-"))
    for name in ("storm", "clean", "logs", "tmp"):
        (folder / name).mkdir()
    draw_photos(folder / "photos", photos, np.random.default_rng(seed))
    network = ["--architecture", architecture, *(["--weights", str(weights.absolute())] if weights else [])]
    if architecture != "fake":
        network += ["--precision", "float32", "--engine", "tensorflow"]
    plan = Plan(folder, tuple(network), architecture != "fake", can_unshare())
    storm = Storm(plan, kills, time.monotonic() + seconds)
    click.echo(f"{'namespaces of their own' if plan.namespaces else 'ordinary processes'}; in {folder}")
    threads = [threading.Thread(target=work, args=(storm, slot, seed)) for slot in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sizes = [None] if plan.fixed_size else [None, *SIZES]
    backbones = [find_backbone(architecture, folder, weights, size) for size in sizes]
    rows = check_all(storm, backbones, SIZES[0])
    told = ", ".join(f"{count} {name}" for name, count in sorted(storm.counts.items()))
    click.echo(f"{storm.killed()} kills ({told}); {rows} stored bottlenecks compared; {len(storm.faults)} faults")
    if storm.faults:
        raise click.ClickException("\n".join([f"see {folder}", *storm.faults]))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
