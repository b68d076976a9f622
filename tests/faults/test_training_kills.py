"""Trainings that are killed at any moment: resumed, they end where they would have ended."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import python_path
from PIL import Image
from stand_ins import no_export

import retrain.exports.writer
import retrain.runs.compare_scratch
from retrain.cli.main import main
from retrain.exports.export_config import ExportConfig
from retrain.exports.writer import Exported
from retrain.insight.terminal import TerminalScreen
from retrain.training.fitting.checkpoint import read_checkpoint
from retrain.training.on_photos.keras_training import Recipe
from retrain.training.on_photos.small_cnn import train_from_scratch
from retrain.training.trained import TrainedHead

pytestmark = pytest.mark.kills
ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = "tf_files/model.checkpoint.npz"
# Runs the command line with a checkpoint after every step, or every few seconds; kills itself before or
# after one of them is renamed into place.
CHILD = """
import os, signal, sys, threading
import numpy as np
import retrain.exports.writer
from pathlib import Path
from retrain.exports.writer import Exported
from retrain.training.fitting import checkpoint
from retrain.cli.main import main

operation, number, checkpoint.SECONDS_BETWEEN = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
checkpoint.WRITING_SHARE = 1e9
calls = 0

def killing(real):
    def call(*arguments):
        global calls
        calls += 1
        if operation == "before" and calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*arguments)
        if operation == "after" and calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        if operation == "milliseconds after the first" and calls == 1:
            threading.Timer(number / 1000, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return call

class Files:  # os, as the checkpoint sees it
    replace = staticmethod(killing(os.replace))
    def __getattr__(self, name):
        return getattr(os, name)

checkpoint.os = Files()

def keep_head(trained, *rest):
    arrays = {f"{i}{j}": array for i, layer in enumerate(trained.fit.head.layers) for j, array in enumerate(layer)}
    np.savez("head.npz", **arrays)
    return Exported(Path("unused"), (), {})

retrain.exports.writer.write_outputs = keep_head
main(["--image_dir", "photos", "--architecture", "fake", *sys.argv[4:]])
"""
# The same for trainings on photos: kills itself when the checkpoint of that name was written so many times, once
# for each epoch. From scratch, epochs are few and photos small, so that it does not take long.
CHILD_ON_PHOTOS = """
import os, signal, sys
from functools import partial
import retrain.runs.compare_scratch as comparison
from retrain.training.fitting import checkpoint
from retrain.cli.main import main
from retrain.training.on_photos.keras_training import Recipe
from retrain.training.on_photos.small_cnn import train_from_scratch

file, epochs = sys.argv[1], int(sys.argv[2])

class Files:  # os, as the checkpoint sees it
    def replace(self, temporary, path):
        global epochs
        os.replace(temporary, path)
        epochs -= os.path.basename(path) == file
        if epochs == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def __getattr__(self, name):
        return getattr(os, name)

checkpoint.os = Files()
comparison.RECIPE = Recipe("adamw", learning_rate=2e-3, epochs=4, patience=4, batch_size=16)
comparison.train_from_scratch = partial(train_from_scratch, size=32)
main(sys.argv[3:])
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0)
    for name, colour in {"a": (150, 90, 90), "b": (90, 150, 90), "c": (90, 90, 150)}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            pixel = np.clip(np.array(colour) + noise.integers(-60, 61, 3), 0, 255)
            Image.new("RGB", (8, 8), tuple(int(v) for v in pixel)).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path


def start(folder: Path, *arguments: object, kill: tuple[str, int], every: float = 0.0) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": python_path(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHILD, kill[0], str(kill[1]), str(every), *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def is_killed(folder: Path, *arguments: object, kill: tuple[str, int], every: float = 0.0) -> bool:
    with start(folder, *arguments, kill=kill, every=every) as process:
        _, said = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode != 0


def saved_head(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "head.npz", allow_pickle=False) as arrays:
        found = dict(arrays)
    (folder / "head.npz").unlink()
    return found


@pytest.fixture
def finish(here: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, np.ndarray]]:
    """Runs the command line to its end, in this process: TensorFlow is imported here once. Gives the head."""
    heads = []

    def keep_head(trained: TrainedHead, config: ExportConfig, *rest: object) -> Exported:
        heads.append({f"{i}{j}": one for i, layer in enumerate(trained.head.layers) for j, one in enumerate(layer)})
        return no_export(trained, config)

    monkeypatch.setattr(retrain.exports.writer, "write_outputs", keep_head)
    monkeypatch.chdir(here)

    def run(*arguments: object) -> dict[str, np.ndarray]:
        main(["--image_dir", "photos", "--architecture", "fake", *map(str, arguments)])
        return heads.pop()

    return run


def steps_kept(folder: Path) -> int:
    (state,) = read_checkpoint(folder / CHECKPOINT).states.values()
    return len(state.values["curve"])


def test_lbfgs_killed_after_and_before_each_checkpoint_is_bit_equal(here: Path, finish: Callable) -> None:
    expected = finish("--folds", 0)
    kept = []
    for kill in [("before", 1), *[("after", 1), ("before", 2)] * 20]:
        if not is_killed(here, "--folds", 0, "--resume", kill=kill):
            break
        assert not (here / "head.npz").exists()
        if (here / CHECKPOINT).exists():
            kept.append(steps_kept(here))
    assert kept == sorted(kept)
    assert kept[-1] >= 5
    found = saved_head(here)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


MLP = ["--hidden_units", 6, "--dropout", 0.2, "--epochs", 8, "--train_batch_size", 16]
SGD = ["--how_many_training_steps", 30, "--train_batch_size", 16]


# Two kills in all: each costs an import of TensorFlow.
@pytest.mark.parametrize(("asked", "kill"), [(MLP, ("after", 7)), (SGD, ("before", 5))], ids=["adam", "sgd"])
def test_mini_batches_killed_at_checkpoints_end_as_if_they_had_not_been(
    asked: list, kill: tuple[str, int], here: Path, finish: Callable
) -> None:
    expected = finish(*asked)
    (here / CHECKPOINT).unlink()
    assert is_killed(here, *asked, kill=kill)
    steps = steps_kept(here)
    assert steps > 0
    found = finish(*asked, "--resume")
    assert steps_kept(here) > steps
    assert all(np.abs(found[name] - expected[name]).max() <= 1e-6 for name in expected)
    assert [name for name in os.listdir(here / "tf_files") if name.endswith(".tmp")] == []


def test_killed_at_a_moment_of_chance(here: Path, finish: Callable) -> None:
    asked = ["--hidden_units", 6, "--optimizer", "momentum", "--how_many_training_steps", 1500]
    expected = finish(*asked)
    (here / CHECKPOINT).unlink()
    moment = random.Random(7).randrange(300)  # by its own clock: on a busy machine ours runs ahead of it, or behind
    assert is_killed(here, *asked, kill=("milliseconds after the first", moment), every=0.1)
    assert not (here / "head.npz").exists()
    found = finish(*asked, "--resume")
    assert all(np.abs(found[name] - expected[name]).max() <= 1e-6 for name in expected)


# Trainings on photos


ON_PHOTOS = ["--image_dir", "photos", "--architecture", "mobilenet_0.25_128", "--image_size", "32"]
ON_PHOTOS += ["--weights", "random", "--validation_percentage", "25"]


@pytest.mark.parametrize(
    ("asked", "file"),
    [(["--fine_tune_layers", "3"], "fine_tune.npz"), (["--compare", "scratch"], "scratch.npz")],
    ids=["fine-tuning", "from scratch"],
)
def test_trainings_on_photos_killed_after_an_epoch_end_as_if_they_had_not_been(
    asked: list[str], file: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[list[float]] = []
    epochs: list[int] = []

    def keep_end(trained: TrainedHead, config: ExportConfig, progress: object, notes: Any, files: Any) -> Exported:
        if files:
            points = json.loads(files["comparison.json"])[1]["curve"]["points"]
            ends.append([point["validation_cross_entropy"] for point in points])
        else:
            tuning = notes["fine_tuning"]
            ends.append([tuning["epochs"], *tuning["validation_cross_entropy"], *trained.head.kernel.ravel()])
        return no_export(trained, config)

    def finish(*arguments: str) -> list[float]:
        epochs.clear()
        main([*ON_PHOTOS, *asked, *arguments])
        return ends.pop()

    monkeypatch.chdir(here)
    monkeypatch.setattr(retrain.exports.writer, "write_outputs", keep_end)
    monkeypatch.setattr(TerminalScreen, "epoch", lambda screen, what, progress: epochs.append(progress.epoch))
    recipe = Recipe("adamw", learning_rate=2e-3, epochs=4, patience=4, batch_size=16)
    monkeypatch.setattr(retrain.runs.compare_scratch, "RECIPE", recipe)
    monkeypatch.setattr(retrain.runs.compare_scratch, "train_from_scratch", partial(train_from_scratch, size=32))
    expected = finish()
    command = [sys.executable, "-c", CHILD_ON_PHOTOS, file, "2", *ON_PHOTOS, *asked]
    environment = {**os.environ, "PYTHONPATH": python_path(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    killed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (begun,) = here.glob(f"tf_files/**/{file}")
    assert len(read_checkpoint(begun).states["training"].values["curve"]) == 3
    np.testing.assert_allclose(finish("--resume"), expected, rtol=1e-6, atol=1e-6)
    assert min(epochs) == 3  # the others are not trained again
    assert not list(here.glob(f"tf_files/**/{file}"))
