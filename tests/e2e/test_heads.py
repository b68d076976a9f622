"""The options of the head through the whole command, on colours that overlap, with the fake backbone."""

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from calling import instead
from PIL import Image
from stand_ins import no_export

import retrain.cli.main
import retrain.exports.writer
import retrain.runs.train
from retrain.runs.train import Run
from retrain.training.calibration import Calibration
from retrain.training.fitting.checkpoint import read_checkpoint
from retrain.training.head import Head

COLOURS = {"red": (170, 90, 90), "green": (90, 170, 90), "blue": (90, 90, 170)}
CHECKPOINT = Path("tf_files/model.checkpoint.npz")


def paint(folder: Path, each: dict[str, int], seed: int = 0) -> Path:
    noise = np.random.default_rng(seed)
    for name, count in each.items():
        folder.joinpath(name).mkdir(parents=True)
        for number in range(count):
            pixel = np.clip(np.array(COLOURS[name]) + noise.integers(-70, 71, 3), 0, 255)
            Image.new("RGB", (8, 8), tuple(int(v) for v in pixel)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Photos with a rare class, and a folder for their bottlenecks that all tests share."""
    folder = tmp_path_factory.mktemp("colours")
    for seed, (side, counts) in enumerate({"train": (40, 40, 8), "valid": (20, 20, 20), "test": (40, 40, 40)}.items()):
        paint(folder / "photos" / side, dict(zip(COLOURS, counts, strict=True)), seed)
    return SimpleNamespace(folder=folder / "photos", bottlenecks=folder / "bottlenecks")


@pytest.fixture
def train(
    photos: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[object]:
    """Runs the command without its export, in an empty folder; gives the run, or what it said on its way out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(retrain.exports.writer, "write_outputs", no_export)
    runs: list[Run] = []
    real = retrain.runs.train.run_training

    def watched(*arguments: object, **options: object) -> Run:
        runs.append(real(*arguments, **options))
        return runs[-1]

    monkeypatch.setattr(retrain.runs.train, "run_training", watched)

    def call(*arguments: object, image_dir: Path = photos.folder) -> object:
        command = ["--image_dir", image_dir, "--architecture", "fake", "--bottleneck_dir", photos.bottlenecks]
        try:
            retrain.cli.main.main([str(argument) for argument in instead(command, *arguments)])
        except SystemExit as leave:
            said = capsys.readouterr().err
            assert "Traceback" not in said
            return SimpleNamespace(code=leave.code, said=" ".join(said.split()))
        return runs[-1]

    yield call


def head(run: Run) -> Head:
    return run.trained.fit.head


def surest(run: Run) -> float:
    """How sure the head is of its answers, on average, without its temperature."""
    if run.trained.out_of_fold is not None:
        return float(run.trained.out_of_fold.uncalibrated().max(axis=2).mean())
    assert run.trained.confidence is not None
    undone = Calibration(1 / run.trained.confidence.calibration.temperature, 0)
    return float(undone.of_probabilities(run.trained.test_probabilities).max(axis=1).mean())


def recall(run: Run, label: str) -> float:
    return next(entry.recall for entry in run.trained.test.classes if entry.label == label)


def norm(run: Run) -> float:
    return float(np.sqrt(sum((kernel.astype(np.float64) ** 2).sum() for kernel, _ in head(run).layers)))


FAST = ("--epochs", 20, "--train_batch_size", 16, "--learning_rate", 0.02)


def test_hidden_units_and_activation_are_those_of_the_head(train: object) -> None:
    run = train("--hidden_units", "7,5", "--activation", "gelu", *FAST)
    assert head(run).sizes == (3, 7, 5, 3)
    assert head(run).activations == ("gelu", "gelu")
    assert run.trained.test.accuracy > 0.6


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_hidden_layers_learn_what_no_linear_head_can(activation: str, train: object, tmp_path: Path) -> None:
    """Shades of grey: one class between the two ends of the other."""
    for number in range(120):
        shade = 2 * number + 5
        path = tmp_path / "greys" / ("middle" if 80 < shade < 170 else "ends") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(path)
    hidden = ("--hidden_units", 16, "--activation", activation, "--epochs", 100, "--learning_rate", 0.05)
    linear, deep = (
        train(*asked, "--train_batch_size", 32, image_dir=tmp_path / "greys").trained.fit.curve[-1]
        for asked in (("--epochs", 100, "--learning_rate", 0.05), hidden)
    )
    assert linear.training_accuracy < 0.75
    assert deep.training_accuracy > 0.9
    assert deep.validation_accuracy > 0.85  # the head that is kept has the activation that was trained


def test_each_optimizer_trains_what_the_others_do_not(train: object) -> None:
    asked = (*FAST, "--learning_rate_schedule", "constant")
    runs = [train(*asked, "--optimizer", optimizer) for optimizer in ("sgd", "momentum", "adam", "adamw")]
    assert [run.trained.fit.description["optimizer"] for run in runs] == ["sgd", "momentum", "adam", "adamw"]
    for run in runs:
        curve = run.trained.fit.curve
        assert curve[-1].training_cross_entropy < curve[0].training_cross_entropy
    for one, other in combinations(runs, 2):
        assert np.abs(head(one).kernel - head(other).kernel).max() > 1e-3


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_higher_learning_rate_goes_farther(schedule: str, train: object) -> None:
    asked = ("--epochs", 5, "--learning_rate_schedule", schedule, "--learning_rate")
    slow, fast = (train(*asked, rate).trained.fit.curve[-1].training_cross_entropy for rate in (0.0001, 0.05))
    assert fast < slow - 0.1


def test_default_is_lbfgs_and_leaves_no_checkpoint(train: object) -> None:
    run = train()
    assert run.trained.fit.description["optimizer"] == "lbfgs"
    assert head(run).hidden == ()
    assert not CHECKPOINT.exists()
    assert np.array_equal(head(train("--optimizer", "lbfgs")).kernel, head(run).kernel)


def test_epochs_and_steps_say_how_long(train: object) -> None:
    assert [point.step for point in train("--epochs", 3, "--train_batch_size", 44).trained.fit.curve] == [1, 3, 5]
    steps = train("--how_many_training_steps", 12).trained.fit
    assert [point.step for point in steps.curve] == [0, 10, 11]
    steps = train("--how_many_training_steps", 6, "--eval_step_interval", 4).trained.fit
    assert [point.step for point in steps.curve] == [0, 4, 5]


def test_schedule_decides_where_the_training_ends(train: object) -> None:
    constant, cosine = (
        train(*FAST, "--optimizer", "adam", "--learning_rate_schedule", schedule) for schedule in ("constant", "cosine")
    )

    def last_change(run: Run) -> float:
        losses = [point.training_cross_entropy for point in run.trained.fit.curve]
        return float(np.abs(np.diff(losses[-4:])).mean())

    assert last_change(cosine) < last_change(constant)


def test_l2_shrinks_the_weights_whatever_the_optimizer(train: object) -> None:
    assert norm(train("--l2", 1.0)) < 0.5 * norm(train("--l2", 0.001))
    assert norm(train("--l2", 1.0, *FAST)) < 0.8 * norm(train("--l2", 0.0, *FAST))


def test_l2_that_is_given_is_not_chosen(train: object) -> None:
    run = train("--l2", 0.7)
    assert run.trained.fit.description["l2"] == 0.7
    assert len(run.trained.fit.curve) == 1


@pytest.mark.parametrize("rest", [("--l2", 0.001), FAST], ids=["lbfgs", "adam"])
def test_label_smoothing_lowers_the_greatest_probability(rest: tuple, train: object) -> None:
    """Before the temperature, which takes it back."""
    assert surest(train("--label_smoothing", 0.3, *rest)) < surest(train(*rest)) - 0.02


@pytest.mark.parametrize("rest", [(), FAST], ids=["lbfgs", "adam"])
def test_balanced_classes_raise_the_recall_of_the_rare_one(rest: tuple, train: object) -> None:
    assert recall(train("--class_weight", "balanced", *rest), "blue") > recall(train(*rest), "blue") + 0.05


def test_dropout_keeps_training_from_running_away(train: object) -> None:
    """With a constant rate and no early stopping, a large network fits its few photos ever better."""
    long = ("--hidden_units", 128, "--how_many_training_steps", 600, "--learning_rate", 0.02, "--train_batch_size", 44)
    free, dropped = (train(*long, "--dropout", dropout) for dropout in (0.0, 0.7))

    def gap(run: Run) -> float:
        last = run.trained.fit.curve[-1]
        return last.validation_cross_entropy - last.training_cross_entropy

    assert gap(dropped) < 0.8 * gap(free)


def test_early_stopping_ends_the_training(train: object) -> None:
    asked = ("--hidden_units", 64, "--epochs", 60, "--train_batch_size", 8, "--learning_rate", 0.05)
    curve = train(*asked, "--early_stopping_patience", 3).trained.fit.curve
    losses = [point.validation_cross_entropy for point in curve]
    assert len(curve) < 60
    assert len(losses) - 1 - int(np.argmin(losses)) == 3


def test_early_stopping_without_validation_photos_is_a_sentence(train: object, tmp_path: Path) -> None:
    paint(tmp_path / "few", {"red": 9, "green": 9})
    done = train("--early_stopping_patience", 3, "--validation_percentage", 0, image_dir=tmp_path / "few")
    assert (done.code, "--early_stopping_patience needs validation photos" in done.said) == (2, True), done.said


# Wrong calls, before anything is computed


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--optimizer", "lbfgs", "--hidden_units", "8"], "--hidden_units"),
        (["--optimizer", "lbfgs", "--epochs", 3], "--epochs"),
        (["--optimizer", "lbfgs", "--how_many_training_steps", 3], "--how_many_training_steps"),
        (["--optimizer", "lbfgs", "--learning_rate", 0.1], "--learning_rate"),
        (["--optimizer", "lbfgs", "--train_batch_size", 8], "--train_batch_size"),
        (["--optimizer", "lbfgs", "--eval_step_interval", 5], "--eval_step_interval"),
        (["--optimizer", "lbfgs", "--validation_batch_size", 5], "--validation_batch_size"),
        (["--dropout", 0.1], "--hidden_units"),
        (["--activation", "relu"], "--hidden_units"),
        (["--epochs", 3, "--how_many_training_steps", 3], "--epochs and --how_many_training_steps"),
        (["--label_smoothing", 1], "--label_smoothing"),
        (["--label_smoothing", -0.1], "--label_smoothing"),
        (["--hidden_units", "8", "--dropout", 1], "--dropout"),
        (["--hidden_units", "0"], "hidden_units"),
        (["--hidden_units", "8,"], "hidden_units"),
        (["--hidden_units", "eight"], "hidden_units"),
        (["--l2", 0], "--l2"),
        (["--l2", "nan"], "--l2"),
        (["--learning_rate", "inf"], "--learning_rate"),
        (["--optimizer", "rmsprop"], "optimizer"),
        (["--hidden_units", "99999999999"], "--hidden_units"),
        (["--epochs", 10**20], "--epochs"),
        (["--l2", 1e300], "--l2"),
        (["--tfhub_module", "m"], "--tfhub_module is a backbone of its own, as is --architecture fake"),
        (["--checkpoint_path", "mine.txt"], "--checkpoint_path"),
        (["--checkpoint_path", "tf_files/model/inside.npz"], "--checkpoint_path"),
    ],
)
def test_wrong_call_is_a_sentence(arguments: list, names: str, train: object, photos: SimpleNamespace) -> None:
    Path("mine.txt").write_text("mine")
    done = train(*arguments, "--bottleneck_dir", "new")
    assert (done.code, names in done.said) == (2, True), done.said
    assert not Path("new").exists()
    assert Path("mine.txt").read_text() == "mine"


# Checkpoints


MLP = ("--hidden_units", 6, "--epochs", 4, "--train_batch_size", 16, "--learning_rate_schedule", "constant")


def test_a_finished_training_goes_on_for_more_epochs(train: object) -> None:
    first = train(*MLP)
    assert CHECKPOINT.exists()
    longer = train(*instead(MLP, "--epochs", 9), "--resume")
    assert len(longer.trained.fit.curve) == 9
    assert longer.trained.fit.curve[:4] == first.trained.fit.curve
    whole = train(*instead(MLP, "--epochs", 9))
    assert np.abs(head(longer).kernel - head(whole).kernel).max() <= 1e-6


def test_without_resume_the_training_begins_at_the_beginning(train: object) -> None:
    train(*MLP)
    again = train(*MLP, "--seed", 1)
    assert read_checkpoint(CHECKPOINT).origin["seed"] == 1
    assert len(again.trained.fit.curve) == 4


def test_resume_without_a_checkpoint_begins_and_says_so(train: object, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(*MLP, "--resume")
    assert len(run.trained.fit.curve) == 4
    assert "no checkpoint" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (["--hidden_units", 7], "hidden_units was 6, here it is 7"),
        (["--hidden_units", "6,6"], "hidden_units was 6, here it is 6,6"),
        (["--activation", "tanh"], "activation was relu, here it is tanh"),
        (["--optimizer", "sgd"], "optimizer was adam, here it is sgd"),
        (["--seed", 3], "seed was 0, here it is 3"),
        (["--testing_percentage", 20], "testing_percentage was 10, here it is 20"),
        (["--image_size", 16], "fingerprint of the bottlenecks"),
    ],
)
def test_checkpoint_of_another_training_is_refused(other: list, says: str, train: object) -> None:
    train(*MLP)
    before = CHECKPOINT.read_bytes()
    done = train(*instead(MLP, *other), "--resume")
    assert (done.code, says in done.said) == (1, True), done.said
    assert CHECKPOINT.read_bytes() == before


def test_checkpoint_of_other_photos_or_classes_is_refused(train: object, tmp_path: Path) -> None:
    counts = {"red": 9, "green": 9}
    first = paint(tmp_path / "first", counts)
    train(*MLP, image_dir=first)
    more = paint(tmp_path / "more", {**counts, "blue": 9})
    done = train(*MLP, "--resume", image_dir=more)
    assert (done.code, "its classes lacked blue" in done.said) == (1, True), done.said
    others = paint(tmp_path / "others", counts, seed=5)
    done = train(*MLP, "--resume", image_dir=others)
    assert (done.code, "its data set was" in done.said) == (1, True), done.said


def test_checkpoint_of_another_split_is_refused(train: object, tmp_path: Path) -> None:
    for side in ("train", "valid", "test"):
        paint(tmp_path / "given" / side, {"red": 5, "green": 5}, seed=hash(side) % 100)
    train(*MLP, image_dir=tmp_path / "given")
    (tmp_path / "given/valid/red/0.png").rename(tmp_path / "given/train/red/from_valid.png")
    done = train(*MLP, "--resume", image_dir=tmp_path / "given")
    assert (done.code, "its split was" in done.said) == (1, True), done.said


def test_damaged_checkpoint_is_refused_before_any_work(train: object) -> None:
    train(*MLP)
    CHECKPOINT.write_bytes(CHECKPOINT.read_bytes()[:-30])
    done = train(*MLP, "--resume", "--bottleneck_dir", "new")
    assert (done.code, "damaged" in done.said) == (1, True), done.said
    assert not Path("new").exists()
    assert len(train(*MLP).trained.fit.curve) == 4  # without --resume it is replaced


def test_cross_validated_training_is_resumed_fold_by_fold(train: object, tmp_path: Path) -> None:
    tiny = paint(tmp_path / "tiny", {"red": 2, "green": 6, "blue": 6})
    first = train(*MLP, image_dir=tiny)
    kept = read_checkpoint(CHECKPOINT)
    assert list(kept.states)[-1] == "all photos"
    assert len(kept.states) > 2
    again = train(*MLP, "--resume", image_dir=tiny)
    assert np.array_equal(head(again).kernel, head(first).kernel)
    assert again.trained.test == first.trained.test


def test_checkpoint_lies_where_it_is_asked_for(train: object) -> None:
    train(*MLP, "--checkpoint_path", "deep/er/state.npz")
    assert Path("deep/er/state.npz").exists()
    assert not CHECKPOINT.exists()
    header = json.loads(str(np.load("deep/er/state.npz")["retrain-checkpoint"]))
    assert header["origin"]["classes"] == ["blue", "green", "red"]
