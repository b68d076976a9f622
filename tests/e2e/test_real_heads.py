"""The options of the head on real bottlenecks: 400 photos of flowers, MobileNet; skipped where ../shared is absent."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from calling import python_path
from stand_ins import no_export

import retrain.exports.writer
from retrain.backbones.backbone import find_backbone
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.extraction import extract
from retrain.cli.main import main
from retrain.exports.writer import Exported
from retrain.photos.opening import list_photos
from retrain.photos.split import split_photos
from retrain.training.fitting.checkpoint import read_checkpoint
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.sample import Sample
from retrain.training.head import Fit, Head, predict, score
from retrain.training.recipe import HeadConfig, choose_recipe
from retrain.training.trained import TrainedHead

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
FLOWERS = SHARED / "data/flowers"
WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not WEIGHTS.exists() or not FLOWERS.exists(), reason=f"{SHARED} is absent"),
]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Training, validation and test photos with their bottlenecks."""
    folder = tmp_path_factory.mktemp("flowers")
    backbone = find_backbone("mobilenet_0.25_128", folder, weights=str(WEIGHTS))
    found = extract(list_photos(FLOWERS), backbone, folder / "bottlenecks", start=start_engine)
    sides = np.array(split_photos(found.photos, 25, 25).splits)
    labels = sorted({photo.label for photo in found.photos})
    everything = Sample(np.array(found.matrix), np.array([labels.index(photo.label) for photo in found.photos]))
    return SimpleNamespace(
        training=everything.take(sides == "training"),
        validation=everything.take(sides == "validation"),
        test=everything.take(sides == "testing"),
        bottlenecks=folder / "bottlenecks",
    )


def fit(photos: SimpleNamespace, **asked: object) -> Fit:
    recipe = choose_recipe(HeadConfig(**asked))
    if recipe.optimizer == "lbfgs":
        return fit_to_convergence(
            photos.training,
            photos.validation,
            5,
            None if recipe.l2 is None else (recipe.l2,),
            label_smoothing=recipe.label_smoothing,
            balanced=recipe.class_weight is not None,
        )
    from retrain.training.fitting.mini_batches import fit_mini_batches

    return fit_mini_batches(photos.training, photos.validation, 5, recipe)


def norm(head: Head) -> float:
    return float(np.sqrt(sum((kernel.astype(np.float64) ** 2).sum() for kernel, _ in head.layers)))


MLP = {"hidden_units": (128,), "epochs": 30, "train_batch_size": 32}


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_hidden_layers_learn_flowers(activation: str, flowers: SimpleNamespace) -> None:
    linear, _ = score(fit(flowers).head, flowers.test)
    deep, _ = score(fit(flowers, **MLP, activation=activation).head, flowers.test)
    assert linear > 0.7
    assert deep > linear - 0.1  # of 103 photos


def test_each_head_is_trained_for_its_activation(flowers: SimpleNamespace) -> None:
    for activation, other in (("relu", "tanh"), ("gelu", "relu"), ("tanh", "gelu")):
        head = fit(flowers, **MLP, activation=activation).head
        (layer,) = head.hidden
        assert (layer.kernel.shape, layer.activation) == ((256, 128), activation)
        exchanged = replace(head, hidden=(replace(layer, activation=other),))
        assert score(head, flowers.training)[1] < score(exchanged, flowers.training)[1] - 1e-3


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_every_optimizer_comes_near_the_fit_to_convergence(optimizer: str, flowers: SimpleNamespace) -> None:
    _, converged = score(fit(flowers).head, flowers.validation)
    rate = 0.05 if optimizer == "sgd" else 0.01
    found = fit(flowers, optimizer=optimizer, learning_rate=rate, epochs=100, train_batch_size=32)
    _, reached = score(found.head, flowers.validation)
    assert reached < 1.1 * converged + 0.02


def test_each_optimizer_takes_a_way_of_its_own(flowers: SimpleNamespace) -> None:
    losses = {
        optimizer: score(fit(flowers, optimizer=optimizer, learning_rate=0.01, epochs=5).head, flowers.training)[1]
        for optimizer in ("sgd", "momentum", "adam", "adamw")
    }
    assert losses["momentum"] < 0.9 * losses["sgd"]
    for one, other in combinations(losses.values(), 2):
        assert one != pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize(
    ("little", "much"),
    [
        ({"epochs": 2}, {"epochs": 20}),
        ({"how_many_training_steps": 10}, {"how_many_training_steps": 100}),
        ({"epochs": 5, "learning_rate": 0.0001}, {"epochs": 5, "learning_rate": 0.01}),
        (
            {"learning_rate": 0.0001, "how_many_training_steps": 50},
            {"learning_rate": 0.1, "how_many_training_steps": 50},
        ),
    ],
    ids=["epochs", "steps", "learning rate", "constant learning rate"],
)
def test_more_of_it_fits_the_training_photos_better(little: dict, much: dict, flowers: SimpleNamespace) -> None:
    losses = [score(fit(flowers, **asked).head, flowers.training)[1] for asked in (little, much)]
    assert losses[1] < 0.8 * losses[0]


def test_cosine_ends_at_rest(flowers: SimpleNamespace) -> None:
    def last_changes(schedule: str) -> float:
        curve = fit(flowers, **MLP, learning_rate_schedule=schedule, early_stopping_patience=99).curve
        return float(np.abs(np.diff([point.validation_cross_entropy for point in curve[-4:]])).mean())

    assert last_changes("cosine") < 0.5 * last_changes("constant")


@pytest.mark.parametrize(
    "rest", [{}, {"optimizer": "adam", "epochs": 30, "learning_rate": 0.01}], ids=["lbfgs", "adam"]
)
def test_l2_shrinks_the_weights(rest: dict, flowers: SimpleNamespace) -> None:
    weak, strong = (norm(fit(flowers, **rest, l2=l2).head) for l2 in (0.001, 1.0))
    assert strong < 0.5 * weak


@pytest.mark.parametrize("rest", [{"l2": 0.001}, MLP], ids=["lbfgs", "adam"])
def test_label_smoothing_lowers_the_greatest_probability(rest: dict, flowers: SimpleNamespace) -> None:
    sharp, soft = (
        predict(fit(flowers, **rest, label_smoothing=smoothing).head, flowers.test).max(axis=1).mean()
        for smoothing in (0.0, 0.3)
    )
    assert soft < sharp - 0.1


@pytest.mark.parametrize("rest", [{}, {"epochs": 40}], ids=["lbfgs", "adam"])
def test_balanced_classes_raise_the_recall_of_a_rare_one(rest: dict, flowers: SimpleNamespace) -> None:
    def rare(sample: Sample) -> Sample:
        positions = np.arange(len(sample))
        return sample.take(np.flatnonzero((sample.classes != 2) | (positions % 6 == 0)))

    uneven = SimpleNamespace(training=rare(flowers.training), validation=rare(flowers.validation))
    recalls = []
    for weight in (None, "balanced"):
        answers = predict(fit(uneven, **rest, class_weight=weight).head, flowers.test).argmax(axis=1)
        recalls.append((answers[flowers.test.classes == 2] == 2).mean())
    assert recalls[1] > recalls[0] + 0.05


def test_dropout_narrows_the_gap_between_training_and_test(flowers: SimpleNamespace) -> None:
    gaps = []
    for dropout in (0.0, 0.8):
        asked = {**MLP, "epochs": 60, "dropout": dropout, "learning_rate": 0.003}
        nobody = SimpleNamespace(training=flowers.training, validation=flowers.validation.take(np.zeros(0, np.intp)))
        head = fit(nobody, **asked).head  # the last epoch's
        gaps.append(score(head, flowers.test)[1] - score(head, flowers.training)[1])
    assert gaps[1] < 0.9 * gaps[0]


def test_early_stopping_ends_the_training_and_keeps_the_best(flowers: SimpleNamespace) -> None:
    asked = {"hidden_units": (256,), "epochs": 100, "learning_rate": 0.01, "train_batch_size": 32}
    found = fit(flowers, **asked, early_stopping_patience=4)
    losses = [point.validation_cross_entropy for point in found.curve]
    assert len(losses) < 60
    assert score(found.head, flowers.validation)[1] == pytest.approx(min(losses), abs=1e-5)
    assert min(losses) < losses[-1]


CHECKPOINT = "tf_files/model.checkpoint.npz"
# Runs the command line with a checkpoint after every step, and kills itself after the third.
KILLING = """
import os, signal, sys
from retrain.training.fitting import checkpoint
from retrain.cli.main import main
checkpoint.SECONDS_BETWEEN, checkpoint.WRITING_SHARE = 0.0, 1e9
write, writes = checkpoint.write_checkpoint, 0
def killing(*arguments):
    global writes
    write(*arguments)
    writes += 1
    if writes == 3:
        os.kill(os.getpid(), signal.SIGKILL)
checkpoint.write_checkpoint = killing
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("asked", "tolerance"),
    [(["--folds", "0"], 0.0), (["--hidden_units", "32", "--epochs", "4", "--dropout", "0.2"], 1e-6)],
    ids=["lbfgs", "adam"],
)
def test_killed_and_resumed_the_head_is_the_same(
    asked: list[str], tolerance: float, flowers: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["--image_dir", str(FLOWERS), "--architecture", "mobilenet_0.25_128", "--weights", str(WEIGHTS)]
    # The precision of `flowers`, whose bottlenecks are there.
    command += ["--bottleneck_dir", str(flowers.bottlenecks), "--precision", "float32", *asked]
    heads: list[list[np.ndarray]] = []

    def keep_head(trained: TrainedHead, *rest: object) -> Exported:
        heads.append([array for layer in trained.head.layers for array in layer])
        return no_export(trained, *rest)

    monkeypatch.setattr(retrain.exports.writer, "write_outputs", keep_head)
    monkeypatch.chdir(tmp_path)
    main(command)
    Path(CHECKPOINT).unlink(missing_ok=True)
    killed = subprocess.run(
        [sys.executable, "-c", KILLING, *command],
        env={**os.environ, "PYTHONPATH": python_path(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert read_checkpoint(Path(CHECKPOINT)).origin["backbone"] == "mobilenet_0.25_128"
    main([*command, "--resume"])
    expected, found = heads
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - other).max() <= tolerance
