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
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from storm_checks import EXPORTS, TEMPORARY, check_all
from storm_commands import FAULTS_SAID, SIGNALS, SIZES, Plan, Storm, can_unshare, draw_photos, started

from retrain.backbones.backbone import find_backbone

PATIENCE = 600  # seconds for a process that was told to end
# Ctrl-C in the first milliseconds, before the program's first import is done, is answered by Python itself.
OURS = re.compile(r"retrain/(?!__init__)\w+\.py")
FIRST = re.compile(r"^ *import label_image\.early_signals", re.MULTILINE)
# What a command may answer while another one replaces the export that it works on.
REFUSALS = re.compile(r"was replaced by another training meanwhile")


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
    if said.rstrip().endswith("KeyboardInterrupt") and (FIRST.search(said) or not OURS.search(said)):
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
