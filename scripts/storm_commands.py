"""What the storm of kills works on: its commands, its photos, and what happened so far."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from PIL import Image

CLASSES = {"brick": (150, 90, 90), "moss": (90, 150, 90), "slate": (90, 90, 150)}
SIZES = range(8, 72)  # pixels a side, of the fake network: another size has other bottlenecks
SIGNALS = {name: [signal.Signals[f"SIG{name}"]] for name in ("KILL", "TERM", "HUP", "INT")}
SIGNALS["INT twice"] = 2 * SIGNALS["INT"]
FAULTS_SAID = re.compile(r"Traceback \(most recent|Exception ignored|Fatal Python error|core dumped|\.damaged")
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


def can_unshare() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def draw_photos(folder: Path, number: int, chance: np.random.Generator) -> None:
    for name, colour in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for count in range(number):
            noise = chance.integers(-60, 61, (12, 12, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{count}.png")
