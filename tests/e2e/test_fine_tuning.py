"""`retrain --fine_tune_layers` and `--compare scratch`, as a user calls them, on a tiny network."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from schemas import check
from stand_ins import no_export

import retrain.exports.writer
import retrain.runs.compare_scratch
import retrain.runs.fine_tune
from label_image.model import load_model
from retrain.cli.main import main
from retrain.exports.writer import Exported
from retrain.training.on_photos.keras_training import Recipe
from retrain.training.on_photos.small_cnn import train_from_scratch

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
FLOWERS = SHARED / "data/flowers"
WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"

TINY = [
    "--image_dir",
    "photos",
    "--architecture",
    "mobilenet_0.25_128",
    "--image_size",
    "32",
    "--weights",
    "random",
    "--json",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes that differ in the direction of their stripes."""
    monkeypatch.chdir(tmp_path)
    for index in range(24):
        label = ("across", "down")[index % 2]
        stripes = np.tile((np.arange(32) // 4 % 2 * 200 + index).astype(np.uint8)[:, None, None], (1, 32, 3))
        path = Path("photos") / label / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stripes if label == "across" else stripes.transpose(1, 0, 2)).save(path)
    return tmp_path


@pytest.fixture
def unexported(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained is not exported, which takes as long."""
    monkeypatch.setattr(retrain.exports.writer, "write_outputs", no_export)


def run(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[dict[str, Any], str]:
    main([*TINY, *options])
    captured = capsys.readouterr()
    told: dict[str, Any] = json.loads(captured.out.splitlines()[-1])
    return told, captured.err


def test_the_better_model_by_validation_is_exported(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said = run(capsys, "--fine_tune_layers", "3", "--precision", "float32")  # the candidates' as the export's
    manifest = check("model", Path("tf_files/model/model.json").read_text())
    tuning = manifest["fine_tuning"]
    assert len(tuning["layers"]) == tuning["asked"] == 3
    before, after = tuning["candidates"]
    better = min((before, after), key=lambda candidate: candidate["validation"]["cross_entropy"])
    assert tuning["kept"] == better["name"]
    assert manifest["provenance"]["weights_sha256"] == better["weights_sha256"]
    assert manifest["metrics"]["test"]["cross_entropy"] == pytest.approx(better["test"]["cross_entropy"], abs=1e-6)
    assert "Kept: " in said
    # The export is a model like any other.
    photo = next(Path("photos/down").glob("*.png"))
    answer = load_model(Path("tf_files/model")).label(photo.read_bytes())
    assert len(answer.answers) == 2


@pytest.mark.usefixtures("unexported")
def test_a_second_run_computes_no_bottleneck_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys)
    told, _ = run(capsys, "--fine_tune_layers", "all")
    assert told["bottlenecks"]["computed"] == 0  # for the model before; the tuned one is another backbone
    assert list(Path("tf_files/models/fine_tuned").glob("*.weights.h5"))


@pytest.mark.usefixtures("unexported")
def test_a_training_that_was_stopped_is_in_the_way_of_no_other(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrain.insight.terminal import TerminalScreen

    seen: list[tuple[int, int]] = []

    def stop_in_epoch_2(screen: object, what: str, progress: Any) -> None:
        seen.append((progress.epoch, progress.batch))
        if progress.epoch == 2:
            raise KeyboardInterrupt

    folder = Path("tf_files/models/fine_tuned")
    with monkeypatch.context() as patch:
        patch.setattr(TerminalScreen, "epoch", stop_in_epoch_2)
        with pytest.raises(SystemExit) as leave:
            run(capsys, "--fine_tune_layers", "2")
    assert leave.value.code == 130
    assert len(list(folder.glob("begun-*"))) == 1
    run(capsys, "--fine_tune_layers", "2", "--seed", "1")  # another training
    assert len(list(folder.glob("begun-*"))) == 1
    monkeypatch.setattr(TerminalScreen, "epoch", lambda screen, what, progress: seen.append((progress.epoch, 0)))
    del seen[:]
    run(capsys, "--fine_tune_layers", "2")  # the same goes on
    assert seen[0][0] > 1
    assert not list(folder.glob("begun-*"))


@pytest.mark.usefixtures("unexported")
def test_stopped_after_the_training_it_is_not_done_again(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs import fine_tune as tuned_model

    with monkeypatch.context() as patch:
        patch.setattr(tuned_model, "train_head", lambda *given, **more: _interrupted())
        with pytest.raises(SystemExit):
            run(capsys, "--fine_tune_layers", "2")
    monkeypatch.setattr(TerminalScreen, "epoch", lambda screen, what, progress: pytest.fail("trained again"))
    run(capsys, "--fine_tune_layers", "2")
    assert not list(Path("tf_files/models/fine_tuned").glob("begun-*"))


def _interrupted() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "sentence"),
    [("--fine_tune_layers 0", "neither a number of layers nor all"), ("--compare vgg", "scratch")],
)
def test_wrong_values_are_refused(options: str, sentence: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leave:
        run(capsys, *options.split())
    assert leave.value.code == 2
    assert sentence in capsys.readouterr().err


def test_the_fake_backbone_cannot_be_tuned(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leave:
        main(["--image_dir", "photos", "--architecture", "fake", "--fine_tune_layers", "2"])
    assert leave.value.code == 2
    assert "no layers" in capsys.readouterr().err


def test_from_scratch_side_by_side(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe("adamw", learning_rate=1e-3, epochs=2, patience=2)
    monkeypatch.setattr(retrain.runs.compare_scratch, "RECIPE", recipe)
    monkeypatch.setattr(retrain.runs.compare_scratch, "train_from_scratch", partial(train_from_scratch, size=32))
    _, said = run(capsys, "--compare", "scratch")
    folder = Path("tf_files/model")
    transfer, scratch = json.loads((folder / "comparison.json").read_text())
    assert (transfer["name"], scratch["name"]) == ("transfer", "from scratch")
    assert transfer["parameters"]["trainable"] == 256 * 2 + 2
    assert transfer["parameters"]["total"] > 200_000
    assert scratch["parameters"]["total"] == 1_202_272 + 353 * 2
    assert len(scratch["curve"]["points"]) == 3
    with Image.open(folder / "learning_curves.png") as plot:
        assert plot.width > 800
    assert "from scratch" in said
    # The next export replaces it, plot and all.
    run(capsys)
    assert not (folder / "learning_curves.png").exists()


# Real photos


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that trains on some flowers, whose bottlenecks its tests share."""
    bottlenecks = tmp_path_factory.mktemp("flowers") / "bottlenecks"
    return ["--image_dir", str(FLOWERS), "--max_images_per_class", "24",
            "--architecture", "mobilenet_0.25_128", "--weights", str(WEIGHTS), "--validation_percentage", "25",
            "--testing_percentage", "25", "--bottleneck_dir", str(bottlenecks)]  # fmt: skip


@pytest.fixture
def train(
    flowers: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[dict[str, Any], dict[str, bytes]]]:
    """Runs the command without its export; gives what the manifest would say, and the files that come with it."""
    given: list[tuple[dict[str, Any], dict[str, bytes]]] = []
    monkeypatch.chdir(tmp_path)

    def keep(*arguments: Any) -> Exported:
        given.append(arguments[-2:])
        return no_export(*arguments)

    monkeypatch.setattr(retrain.exports.writer, "write_outputs", keep)

    def call(*options: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        main([*flowers, *options])
        return given.pop()

    return call


@pytest.mark.real
@pytest.mark.skipif(not FLOWERS.exists() or not WEIGHTS.exists(), reason=f"{SHARED} is absent")
def test_more_layers_learn_more(train: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain.runs.fine_tune, "RECIPE", replace(retrain.runs.fine_tune.RECIPE, epochs=2))
    few, every = (train("--fine_tune_layers", layers)[0]["fine_tuning"] for layers in ("2", "all"))
    assert (len(few["layers"]), len(every["layers"])) == (2, 27)
    assert few["layers"] == every["layers"][-2:]
    assert few["parameters_trainable"] < 0.4 * every["parameters_trainable"]
    for tuning in (few, every):
        before, after = (one["validation"]["cross_entropy"] for one in tuning["candidates"])
        assert after != pytest.approx(before, rel=1e-3)
        assert tuning["candidates"][0]["weights_sha256"] != tuning["candidates"][1]["weights_sha256"]
    assert few["candidates"][0] == every["candidates"][0]


@pytest.mark.real
@pytest.mark.skipif(not FLOWERS.exists() or not WEIGHTS.exists(), reason=f"{SHARED} is absent")
def test_a_pretrained_backbone_is_far_ahead_of_one_from_scratch(
    train: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe("adamw", learning_rate=2e-3, epochs=4, patience=4)
    monkeypatch.setattr(retrain.runs.compare_scratch, "RECIPE", recipe)
    monkeypatch.setattr(retrain.runs.compare_scratch, "train_from_scratch", partial(train_from_scratch, size=48))
    transfer, scratch = json.loads(train("--compare", "scratch")[1]["comparison.json"])
    assert transfer["test"]["n"] == scratch["test"]["n"] > 20
    assert transfer["test"]["accuracy"] > scratch["test"]["accuracy"] + 0.15
    losses = [point["training_cross_entropy"] for point in scratch["curve"]["points"][1:]]
    assert losses[-1] < losses[0]
