"""Does TensorFlow's engine mix up photos, or crash, when several runs go on at the same time?

    $ .venv/bin/python scripts/check_engine.py

Run it on another version of TensorFlow before it is asked for in pyproject.toml. In fresh processes the same photos go
through one engine again and again; every bottleneck must be the same each time. Without --architecture it is a network
of small residual convolutions, whose kernels meet often: the engine of before revision 2 (ENGINE_REVISION), which
shared them between threads, failed on it in 6 of 7 processes.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from retrain import Backbone

SIZE, FILTERS, BLOCKS = 32, 16, 30  # of the network of residual convolutions
TOLERANCE = 1e-3  # of the largest number: a crashed or mixed-up run is far beyond
RIGHT, WRONG = 0, 1


@click.command()
@click.option("--processes", default=5, show_default=True, help="Fresh processes, one after the other.")
@click.option("--rounds", default=30, show_default=True, help="How often all photos go through the engine.")
@click.option("--runs", default=4, show_default=True, help="Runs at the same time, whatever the number of cores.")
@click.option("--photos", default=256, show_default=True, help="Of random pixels.")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True)
@click.option("--architecture", help="A network of the registry, with random weights, instead of the residual one.")
@click.option("--image_size", type=int, help="Size of its photos.")
@click.option("--here", is_flag=True, help="Check in this process: what each of the fresh ones is called with.")
def cli(
    processes: int,
    rounds: int,
    runs: int,
    photos: int,
    precision: str,
    architecture: str | None,
    image_size: int | None,
    here: bool,
) -> None:
    """Run one engine from several threads, and compare what it says with what it said before."""
    if not here:
        ends = Counter(_fresh_process() for _ in range(processes))
        crashed = processes - ends[RIGHT] - ends[WRONG]
        click.echo(f"{processes} processes: {ends[RIGHT]} right, {ends[WRONG]} wrong, {crashed} crashed")
        sys.exit(ends[RIGHT] < processes)
    with tempfile.TemporaryDirectory() as folder:
        if architecture is None:
            backbone = residual_backbone(Path(folder) / "residual")
        else:
            backbone = Backbone.find(architecture, weights="random", image_size=image_size)
        wrong, greatest = wrong_bottlenecks(replace(backbone, compute_dtype=precision), photos, rounds, runs)
    click.echo(f"{wrong} of {rounds * photos} bottlenecks differ, by up to {greatest:.2g} of the largest number")
    sys.exit(WRONG if wrong else RIGHT)


def _fresh_process() -> int:
    """The same call in a process of its own; its exit code, which is negative where a signal ended it."""
    return subprocess.run([sys.executable, *sys.argv, "--here"]).returncode


def wrong_bottlenecks(backbone: Backbone, photos: int, rounds: int, runs: int) -> tuple[int, float]:
    """How many bottlenecks are not what they are most of the time, and the greatest difference, relative."""
    from retrain.backbones.engines import base, tensorflow

    base.CPU_RUNS = runs
    run = tensorflow.tensorflow_cpu_engine(backbone)
    size = backbone.input_size
    pixels = np.random.default_rng(0).integers(0, 256, (photos, size, size, 3), dtype=np.uint8)
    said = np.stack([run(pixels) for _ in range(rounds)])
    usual = np.median(said, axis=0)
    differences = np.abs(said - usual).max(axis=2) / np.abs(usual).max()
    return int((differences > TOLERANCE).sum()), float(differences.max())


def residual_backbone(folder: Path) -> Backbone:
    """A network that is next to nothing but convolutions with a bias and an addend, written to `folder`."""
    from retrain.backbones.hub import hub_backbone
    from retrain.core.tensorflow import tf

    numbers = np.random.default_rng(0)

    def variable(*shape: int, scale: float) -> Any:
        return tf.Variable(numbers.normal(scale=scale, size=shape).astype(np.float32))

    network = tf.Module()
    network.stem = variable(3, 3, 3, FILTERS, scale=0.3)
    network.kernels = [variable(1, 1, FILTERS, FILTERS, scale=0.5 / FILTERS**0.5) for _ in range(BLOCKS)]
    network.biases = [variable(FILTERS, scale=0.1) for _ in range(BLOCKS)]

    @tf.function(input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="inputs")])
    def features(inputs: Any) -> Any:
        found = tf.nn.conv2d(inputs, network.stem, 2, "SAME")
        for kernel, bias in zip(network.kernels, network.biases, strict=True):
            found = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(found, kernel, 1, "SAME"), bias) + found)
        return {"features": tf.reduce_mean(found, axis=[1, 2])}

    tf.saved_model.save(network, str(folder), signatures={"serving_default": features})
    return hub_backbone(str(folder))


if __name__ == "__main__":
    cli()
