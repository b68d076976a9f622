"""What the sections of scripts/bench.py measure with: rows of a table, processes with their memory, jobs in turns."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import click

from retrain.backbones.backbone import Backbone, find_backbone
from retrain.core.machine import choose_precision
from retrain.photos.dataset import Dataset

Item = TypeVar("Item")

MEGABYTE = 2**20

# A process inherits the peak memory of the one that starts it, so a process of 10 MB has to stand between.
LAUNCHER = """
import json, os, sys, time
begin = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
result = (os.waitstatus_to_exitcode(status), time.perf_counter() - begin, usage.ru_maxrss)
print("\\n" + json.dumps(result))
"""


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratio` is `value` over the value of the row `of` in the same section."""

    section: str
    what: str
    value: float
    unit: str
    ratio: float | None = None
    of: str = ""

    def against(self, other: "Row") -> "Row":
        """This row, compared with another one of its section."""
        return replace(self, ratio=self.value / other.value, of=other.what) if other.value else self


@dataclass(frozen=True)
class Bench:
    """What is measured, and on what. `weights` maps an architecture to a file, or to `random`."""

    photos: Dataset
    weights: Mapping[str, str | None]
    engine: str
    precision: str
    repeat: int
    sizes: Sequence[int]
    head_size: tuple[int, int, int]
    scale_rows: int
    scale_files: int
    folder: Path

    def backbone(self, name: str) -> Backbone:
        """An architecture with its weights and its precision."""
        backbone = find_backbone(name, self.folder, self.weights[name])
        return backbone.computed_in(choose_precision(self.precision))


@dataclass(frozen=True)
class Process:
    """A finished process: wall seconds, peak resident set in MB (2^20 bytes), standard output."""

    seconds: float
    peak: float
    output: str


def take_turns(jobs: Mapping[str, Callable[[], float]], repeat: int) -> dict[str, float]:
    """The median of what each job returns, the jobs running one after the other in every round."""
    values: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeat):
        for name, job in jobs.items():
            values[name].append(job())
    return {name: statistics.median(measured) for name, measured in values.items()}


def run_process(command: Sequence[str | Path]) -> Process:
    """Run a command and measure it. Raises ClickException with its last words if it fails."""
    launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *map(str, command)]
    done = subprocess.run(launched, capture_output=True, text=True)
    output, _, result = done.stdout.rstrip().rpartition("\n")
    code, seconds, peak = json.loads(result) if done.returncode == 0 else (done.returncode, 0.0, 0)
    if code != 0:
        words = done.stderr.strip().splitlines() or ["it said nothing"]
        raise click.ClickException(f"{' '.join(map(str, command))} failed: {words[-1]}")
    return Process(seconds, peak / (MEGABYTE if sys.platform == "darwin" else 1024), output.rstrip("\n"))


def spread(files: Sequence[Item], count: int) -> list[Item]:
    """`count` of the files, evenly over all, and so over all classes; all where there are fewer."""
    count = min(count, len(files))
    return [files[index * len(files) // count] for index in range(count)]
