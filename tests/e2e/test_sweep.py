"""`retrain sweep`, as a user calls it."""

import csv
import json
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from calling import instead
from painting import paint_noise

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Engine
from retrain.backbones.engines.registry import start_engine
from retrain.cli.main import main
from retrain.photos.augmentation import Augmentation
from retrain.photos.source import SourceConfig
from retrain.runs.sweep import Grid, SweepConfig, run_sweep

# The command line


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    paint_noise(tmp_path / "photos", {"dark": 90, "light": 140}, 30)
    return tmp_path


CALL = ["sweep", "--image_dir", "photos", "--architecture", "fake,fake+fake", "--l2", "0.01,1", "--folds", "3"]


def test_from_photos_to_a_table(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(CALL)
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert {(row["architecture"], row["l2"]) for row in rows} == {
        (name, l2) for name in ("fake", "fake+fake") for l2 in ("0.01", "1")
    }
    losses = [float(row["cross_entropy"]) for row in rows]
    assert losses == sorted(losses) and losses[0] < 0.2 < losses[-1]
    assert all(float(row["accuracy"]) > 0.9 and row["optimizer"] == "lbfgs" for row in rows)
    said = capsys.readouterr().out
    assert "test: accuracy" in said and "written: tf_files/sweep.csv" in said
    assert f"--architecture {rows[0]['architecture']} --l2 {rows[0]['l2']}" in said
    assert list(Path("tf_files").glob(".sweep*")) == []


def test_names_that_fit_no_class_are_refused(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("names.json").write_text('{"rose": "Rosa"}')
    with pytest.raises(SystemExit) as leave:
        main([*CALL, "--category_names", "names.json"])
    assert (leave.value.code, "names none of the classes 'dark', 'light'" in capsys.readouterr().err) == (
        1,
        True,
    )


def test_a_single_backbone_prints_its_command(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["sweep", "--image_dir", "photos", "--architecture", "fake", "--l2", "0.01,1"])
    assert "retrain --image_dir photos --architecture fake --l2 0.01" in capsys.readouterr().out


def test_the_command_of_joined_backbones_exports_their_head(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*CALL[:4], "fake+fake", "--l2", "0.1"])
    said = capsys.readouterr().out
    main(shlex.split(said.splitlines()[-1])[1:])
    manifest = json.loads(Path("tf_files/model/model.json").read_text())
    assert manifest["architecture"] == "fake+fake"
    assert Path("tf_files/model/model.tflite").exists()
    assert "5-fold cross-validation" in capsys.readouterr().out


def test_views_and_class_weights_in_the_table(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*CALL[:4], "fake", "--l2", "0.1", "--folds", "3", "--class_weight", "none,balanced",
          "--random_brightness", "20", "--views", "1,3"])  # fmt: skip
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["views"], row["class_weight"]) for row in rows} == {
        (views, weight) for views in "13" for weight in ("", "balanced")
    }
    assert len({row["cross_entropy"] for row in rows}) >= 3 and all(0 < float(row["mean_recall"]) <= 1 for row in rows)
    captured = capsys.readouterr()
    said = " ".join(captured.err.split())
    announced = (
        "4 configurations x 3 folds: 6 linear heads, all together; 6 balanced linear heads, one after the other."
    )
    assert announced in said and "recall" in captured.out
    assert said.index(announced) < said.index("heads x 3 folds on fake, 1")


def test_views_are_computed_once_for_all_numbers_of_them(photos: Path) -> None:
    computed: list[int] = []

    def start(backbone: Backbone) -> Engine:
        engine = start_engine(backbone)

        def count(pixels: np.ndarray) -> np.ndarray:
            computed.append(len(pixels))
            return engine(pixels)

        return count

    source, augmentation = SourceConfig(Path("photos")), Augmentation(random_brightness=20)
    for grid in (Grid(("fake",), {}, (0.1,), views=(1, 2, 3)), Grid(("fake",), {}, (0.1,), views=(2,))):
        run_sweep(SweepConfig(source, grid, 3, augmentation=augmentation), start=start)
    assert 3 * 60 <= sum(computed) < 3 * 60 + 20  # and the probe's photos


def test_augmentation_alone_means_as_many_views_as_retrain_makes(photos: Path) -> None:
    main([*CALL[:4], "fake", "--l2", "0.1", "--random_brightness", "20"])
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        assert [row["views"] for row in csv.DictReader(file)] == ["4"]


WRONG_CALLS = {
    "--views 0": "list of numbers of views",
    "--views 8": "--views 8 needs to know how views may differ",
    "--views 1,3 --flip_left_right": "only 2 different views",
    "--views 1 --flip_left_right": "leaves no view to distort",
    "--class_weight heavy": "heavy is not known",
    "--l2 0.1,x": "list of numbers",
    "--l2 0": "greater than 0",
    "--hidden_units -4": "list of heads",
    "--optimizer newton": "newton is not known",
    "--learning_rate 0.1": "--learning_rate belongs to mini-batches",
    "--epochs 3": "--epochs belongs to mini-batches",
    "--optimizer lbfgs --hidden_units 0,8": "without --hidden_units",
    "--optimizer lbfgs --hidden_units 8": "without --hidden_units",
    "--folds 1": "folds",
    "--folds 2 --hidden_units 8": "--folds 2 leaves mini-batch training no photos",
    "--weights w.h5": "pass NAME=FILE",
    "--weights resnet50=w.h5": "resnet50 is not among",
    "--architecture fake,": "empty name",
    "--architecture fake+resnet51": "resnet51",
    "--output_csv photos": "photos",
    "--testing_percentage 60 --validation_percentage 40": "less than 100",
}


@pytest.mark.parametrize(("arguments", "says"), WRONG_CALLS.items(), ids=WRONG_CALLS)
def test_wrong_calls_are_sentences(photos: Path, arguments: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leave:
        main([str(word) for word in instead(CALL, *arguments.split())])
    captured = capsys.readouterr()
    assert leave.value.code == 2
    said = [line for line in captured.err.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1 and says in said[0], captured.err
    assert not Path("tf_files/sweep.csv").exists()


def test_every_option_says_what_it_is() -> None:
    from retrain.cli.main import sweep

    options = [parameter for parameter in sweep.params if isinstance(parameter, click.Option)]
    assert len(options) > 15
    assert [option.name for option in options if not option.help] == []


SHARED = Path(__file__).resolve().parents[3] / "shared"


WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"


@pytest.mark.real
@pytest.mark.skipif(not WEIGHTS.exists() or not (SHARED / "data/flowers").exists(), reason=f"{SHARED} is absent")
def test_views_and_class_weights_of_real_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["sweep", "--image_dir", str(SHARED / "data/flowers"), "--max_images_per_class", "20", "--architecture",
          "mobilenet_0.25_128", "--weights", f"mobilenet_0.25_128={WEIGHTS}", "--l2", "0.1,0.01",
          "--flip_left_right", "--random_crop", "10", "--views", "1,4", "--class_weight", "none,balanced",
          "--precision", "float32"])  # fmt: skip
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    loss = {(row["views"], row["class_weight"], row["l2"]): float(row["cross_entropy"]) for row in rows}
    assert len(loss) == 8
    assert all(loss["4", weight, l2] < loss["1", weight, l2] for weight in ("", "balanced") for l2 in ("0.1", "0.01"))


@pytest.mark.real
@pytest.mark.skipif(not WEIGHTS.exists() or not (SHARED / "data/flowers").exists(), reason=f"{SHARED} is absent")
def test_heads_and_learning_rates_of_real_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["sweep", "--image_dir", str(SHARED / "data/flowers"), "--max_images_per_class", "20", "--architecture",
          "mobilenet_0.25_128", "--weights", f"mobilenet_0.25_128={WEIGHTS}", "--hidden_units", "0,32", "--optimizer",
          "sgd,adam", "--learning_rate", "0.01,0.00001", "--epochs", "10", "--folds", "3"])  # fmt: skip
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    loss = {(row["hidden_units"], row["optimizer"], float(row["learning_rate"])): row["cross_entropy"] for row in rows}
    assert len(loss) == len(set(loss.values())) == 8  # no option is without effect
    for units, optimizer in {key[:2] for key in loss}:
        assert float(loss[units, optimizer, 0.01]) < float(loss[units, optimizer, 0.00001])  # which hardly learns
