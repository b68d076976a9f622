import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

import retrain.runs.train
from retrain.cli.main import main, train
from retrain.photos.source import SourceConfig
from retrain.photos.split import SplitConfig
from retrain.runs.train import TrainConfig

IMAGE_DIR = ["--image_dir", "photos"]


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a call that must fail: its exit code, and what it says after usage hints, on one line."""
    with pytest.raises(SystemExit) as leave:
        main(list(arguments))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    said = [line for line in captured.err.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1, captured.err
    assert said[0].rstrip().endswith((".", "?", ")")), said[0]
    return leave.value.code, said[0]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Asked(Exception):
    """In place of a run."""


@pytest.fixture
def asked_by(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrainConfig]:
    """What a command line asks of a run, which stops there."""

    def stop(config: TrainConfig, progress: object, measured: object) -> None:
        raise Asked(config)

    monkeypatch.setattr(retrain.runs.train, "run_training", stop)

    def call(*arguments: str) -> TrainConfig:
        with pytest.raises(Asked) as asked:
            main(list(arguments))
        config = asked.value.args[0]
        assert isinstance(config, TrainConfig)
        return config

    return call


def two_classes(folder: Path) -> None:
    from PIL import Image

    for index, name in enumerate(("a", "b")):
        (folder / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (9, 9), (index * 200, 0, 0)).save(folder / "photos" / name / "1.png")


# Wrong calls: exit code 2, one sentence


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("--learning-rat", "--learning_rate"),
        ("--learningrate", "--learning_rate"),
        ("--image_dirs", "--image_dir"),
        ("--architectur", "--architecture"),
        ("--how_many_trainning_steps", "--how_many_training_steps"),
    ],
)
def test_misspelt_option_is_an_error_that_names_the_right_one(
    wrong: str, right: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = fail(capsys, *IMAGE_DIR, wrong, "1")  # T13
    assert code == 2
    assert right in said


@pytest.mark.parametrize("name", ["--architecture", "--image_dir", "--weights", "--output_dir", "--tfhub-module"])
@pytest.mark.parametrize("spelling", ["--name=", "--name ''"])
def test_empty_value_is_an_error(name: str, spelling: str, capsys: pytest.CaptureFixture[str]) -> None:
    empty = [f"{name}="] if spelling == "--name=" else [name, ""]
    code, said = fail(capsys, *IMAGE_DIR, *empty)  # B25
    assert code == 2
    assert name in said
    assert "empty" in said


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            "--architecture a --architecture=b",
            "is given 2 times, and only the last would count: --architecture a+b uses them side by side, and `retrain "
            "sweep --architecture a,b` compares them.",
        ),
        ("export m --to onnx --to tflite", "with commas, --to onnx,tflite."),
        ("sweep --architecture a --architecture a,b", "with commas, --architecture a,b."),
        ("sweep --architecture a --architecture b", "count: separate them with commas, --architecture a,b."),
        (
            "sweep --architecture a --l2 1 --l2 2 --l2 3",
            "--l2 is given 3 times, and only the last would count: separate them with",
        ),
        ("--hidden_units 9 --hidden-units 7", "count: separate them with commas, --hidden_units 9,7."),
        ("--formats tflite --formats saved_model", "with commas, --formats tflite,saved_model."),
    ],
)
def test_what_takes_several_values_is_not_the_last_of_them(
    call: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = fail(capsys, *call.split(), *IMAGE_DIR)
    assert code == 2 and says in said


def test_the_last_value_counts_where_there_can_be_but_one(asked_by: Callable[..., TrainConfig]) -> None:
    flags = ("--tta", "--tta", "--flip_left_right", "--architecture", "fake", "--architecture=fake")
    config = asked_by(*IMAGE_DIR, "--seed=7", "--seed", "9", *flags, "--add_images", "a", "--add_images", "b")
    assert config.split.seed == 9 and config.source.add_images == (Path("a"), Path("b"))


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--testing_percentage=-1"], "testing_percentage"),
        (["--validation_percentage", "-10"], "validation_percentage"),
        (["--testing_percentage", "101"], "testing_percentage"),
        (["--testing_percentage", "ten"], "testing_percentage"),
        (["--testing_percentage", "50", "--validation_percentage", "50"], "less than 100"),
        (["--how_many_training_steps", "0"], "how_many_training_steps"),
        (["--learning_rate", "0"], "learning_rate"),
        (["--learning_rate", "-0.1"], "learning_rate"),
        (["--train_batch_size", "0"], "train_batch_size"),
        (["--test_batch_size", "-2"], "test_batch_size"),
        (["--test_batch_size", "0"], "-1 for all"),
        (["--validation_batch_size", "0", "--epochs", "2"], "-1 for all"),
        (["--views", "99999999", "--random_crop", "5"], "--views 99999999 must be at most 1000"),
        (["--eval_step_interval", "0"], "eval_step_interval"),
        (["--seed", "-1"], "seed"),
        (["--top_k", "0"], "top_k"),
        (["--image_size", "7"], "image_size"),
        (["--max_images_per_class", "0"], "max_images_per_class"),
        (["--tfhub_module", "m", "--weights", "w.h5"], "--tfhub_module"),
        (["--image_dir"], "image_dir"),
        (["surplus"], "surplus"),
    ],
)
def test_values_that_make_no_sense(arguments: list[str], names: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = fail(capsys, *IMAGE_DIR, *arguments)
    assert code == 2
    assert names in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("studo small", "'studo' is not a command; did you mean studio?"),
        ("retrian", "'retrian' is not a command; did you mean train?"),
        ("help", "'help' is not a command; `retrain --help` shows which there are."),
        ("photos", "'photos' is not a command; `retrain --image_dir photos` trains on these photos."),
    ],
)
def test_what_is_no_command_is_named(typed: str, said: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "photos").mkdir()
    assert fail(capsys, *typed.split()) == (2, f"Error: {said}")


def test_a_command_after_an_option_is_said_to_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    for typed in ("--lang pt studio cats", "--bottleneck_dir b extract"):
        code, said = fail(capsys, *typed.split())
        command = typed.split()[2]
        assert code == 2 and f"If {command} is meant as the command, it comes first: `retrain {command}`." in said
    assert "comes first" not in fail(capsys, "studio", "--tableau", "demo")[1]


def test_missing_image_dir_option(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = fail(capsys)
    assert code == 2
    assert "--image_dir" in said


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--architecture", "mobilnet_1.0_224"], "mobilenet_1.0_224"),
        (["--architecture", "mobilenet_1.0_224_quantized"], "mobilenet_1.0_224"),
        (["--architecture", "Inception_V3"], "inception_v3"),
        (["--architecture", "???"], "inception_v3"),
        (["--architecture", "mobilenet_1.0_224", "--weights", "nowhere.weights.h5"], "nowhere.weights.h5"),
        (["--architecture", "vgg16", "--weights", "vgg16=nowhere.weights.h5"], "--weights nowhere.weights.h5"),
        (["--architecture", "vgg16", "--weights", "vgg19=w.h5"], "vgg19 is not in --architecture vgg16"),
        (["--architecture", "vgg16+vgg19", "--weights", "w.h5"], "--weights vgg16=FILE"),
        (["--architecture", "vgg16", "--weights", "a.h5", "--weights", "b.h5"], "NAME=FILE"),
        (["--architecture", "fake+fake", "--tfhub_module", "m"], "--tfhub_module"),
        (["--architecture", "fake+fake", "--fine_tune_layers", "3"], "--fine_tune_layers tunes one backbone"),
    ],
)
def test_unknown_architecture_or_missing_weights(
    arguments: list[str], names: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_classes(here)
    code, said = fail(capsys, *IMAGE_DIR, *arguments)
    assert code == 2
    assert names in said


# Runs that fail: exit code 1, one sentence


def test_image_dir_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = fail(capsys, "--image_dir", "nowhere", "--architecture", "fake")
    assert code == 1
    assert "nowhere" in said


@pytest.mark.parametrize("classes", [[], ["only_one"]])
def test_fewer_than_two_classes(classes: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    (here / "photos").mkdir()
    for name in classes:
        (here / "photos" / name).mkdir()
        Image.new("RGB", (9, 9)).save(here / "photos" / name / "1.png")
    code, said = fail(capsys, *IMAGE_DIR, "--architecture", "fake")
    assert code == 1
    assert "photos" in said


def test_folder_without_photos(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (here / "photos" / name).mkdir(parents=True)
        (here / "photos" / name / "notes.txt").write_text("no photo")
    code, said = fail(capsys, *IMAGE_DIR, "--architecture", "fake")
    assert code == 1
    assert "photos" in said


def test_interrupted_run_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(config: object, screen: object, measured: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(retrain.runs.train, "run_training", interrupt)
    with pytest.raises(SystemExit) as leave:
        main(IMAGE_DIR)
    assert leave.value.code == 130
    assert "run the same command again" in capsys.readouterr().err


# Right calls


def test_train_is_the_default_command(asked_by: Callable[..., TrainConfig]) -> None:
    config = asked_by("--image_dir", "photos", "--seed=3")
    assert config == asked_by("train", "--image_dir", "photos", "--seed=3")
    assert (config.split.seed, config.backbone.seed) == (3, 3)


def test_dashes_and_underscores_are_the_same(asked_by: Callable[..., TrainConfig]) -> None:
    config = asked_by("--image-dir", "photos", "--how-many-training-steps=7", "--print-misclassified-test-images")
    assert config == asked_by(
        "--image_dir", "photos", "--how_many_training_steps=7", "--print_misclassified_test_images"
    )
    assert config.head.how_many_training_steps == 7


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        (["w.h5"], "w.h5"),
        (["odd=name.h5"], "odd=name.h5"),
        (["https://host/w.h5?vgg16=2"], "https://host/w.h5?vgg16=2"),
        (["vgg16=w.h5"], {"vgg16": "w.h5"}),
        (["vgg16=w=w.h5", "vgg19=random"], {"vgg16": "w=w.h5", "vgg19": "random"}),
    ],
)
def test_weights_of_one_backbone_or_by_name(
    given: list[str], weights: object, asked_by: Callable[..., TrainConfig]
) -> None:
    config = asked_by(*IMAGE_DIR, "--architecture=vgg16", *(f"--weights={value}" for value in given))
    assert config.backbone.weights == weights


def test_defaults_of_the_command_line_are_those_of_the_configs(asked_by: Callable[..., TrainConfig]) -> None:
    """But for the folder: what Python writes takes the place of nothing that a command wrote."""
    of_python = TrainConfig(SourceConfig(Path("photos")))
    asked = asked_by("--image_dir", "photos")
    assert asked.export.output_dir == Path("tf_files/model") != of_python.export.output_dir
    assert replace(asked, export=of_python.export) == of_python
    assert replace(asked.export, output_dir=of_python.export.output_dir) == of_python.export


EVERYTHING = (
    "--bottleneck_dir=b --how_many_training_steps=500 --model_dir=m --summaries_dir=s --output_graph=g.pb "
    "--output_labels=l.txt --architecture=fake --image_dir=p --saved_model_dir=sm --learning_rate=0.5 "
    "--testing_percentage=20 --validation_percentage=30 --eval_step_interval=3 --train_batch_size=4 "
    "--test_batch_size=5 --validation_batch_size=6 --print_misclassified_test_images --final_tensor_name=f "
    "--output_dir=o --top_k=2 --seed=9 --image_size=64 --weights=random --paranoid "
    "--accept_truncated --precision=float32 "
    "--engine=tensorflow --layout=splits --add_images=q --max_images_per_class=8 --category_names=c.json --fixes=f.csv "
    "--optimizer=adamw --hidden_units=8,4 --dropout=0.1 --activation=gelu --l2=0.1 "
    "--learning_rate_schedule=constant --label_smoothing=0.1 --class_weight=balanced "
    "--early_stopping_patience=2 --checkpoint_path=c.npz --resume "
    "--flip_left_right --random_crop=5 --random_scale=6 --random_brightness=7 --random_rotation=8 --views=9 --tta "
    "--fine_tune_layers=20 --compare=scratch --formats=saved_model --require_gpu --report=r.html --source_dir=sd "
    "--store_dtype=float16"
)


def leaves(value: object, path: str = "") -> dict[str, object]:
    """The fields of a config and of those in it, by their names."""
    if not is_dataclass(value):
        return {path: value}
    parts = [leaves(getattr(value, one.name), f"{path}.{one.name}".strip(".")) for one in fields(value)]
    return {name: found for part in parts for name, found in part.items()}


def test_every_option_reaches_its_config(asked_by: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.training.on_photos.curves.check_matplotlib", lambda: None)
    config = asked_by(*EVERYTHING.split())
    assert config.head.hidden_units == (8, 4)
    assert config.fine_tune_layers == 20
    found, default = leaves(config), leaves(TrainConfig(SourceConfig(Path("photos"))))
    unchanged = [name for name, value in found.items() if value == default[name]]
    ray = ["extraction.executor", "extraction.ray_address"]
    assert unchanged == ["split.folds", "backbone.tfhub_module", "backbone.trust_model", *ray, "head.epochs"]
    asked = asked_by("--image_dir=p", "--executor=ray", "--ray_address=10.0.0.1:6379").extraction
    assert (asked.executor, asked.ray_address) == ("ray", "10.0.0.1:6379")


def test_folds_reach_their_config(asked_by: Callable[..., TrainConfig]) -> None:
    assert asked_by("--image_dir=p", "--folds=7").split == SplitConfig(folds=7)


def test_no_option_is_forgotten(asked_by: Callable[..., TrainConfig]) -> None:
    names = {name.rpartition(".")[2] for name in leaves(TrainConfig(SourceConfig(Path("photos"))))}
    told_by_the_command = {
        "report",
        "lang",
        "summaries_dir",
        "track",
        "top_k",
        "print_misclassified_test_images",
        "as_json",
    }
    assert {parameter.name for parameter in train.params} == names | told_by_the_command | {"config"}


def test_paths_of_options_are_not_in_tmp() -> None:
    config = TrainConfig(SourceConfig(Path("photos")))  # T18
    folders = (config.export.output_dir, config.extraction.bottleneck_dir, config.backbone.model_dir)
    assert {folder.parts[0] for folder in folders} == {"tf_files"}


def test_help_lists_options_and_commands(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help", "all"])
    text = capsys.readouterr().out
    flags_of_2017 = (
        "image_dir bottleneck_dir model_dir summaries_dir output_graph output_labels saved_model_dir architecture "
        "how_many_training_steps learning_rate testing_percentage validation_percentage eval_step_interval "
        "train_batch_size test_batch_size validation_batch_size print_misclassified_test_images final_tensor_name "
        "tfhub_module weights seed output_dir json top_k"
    )
    assert [flag for flag in flags_of_2017.split() if f"--{flag}" not in text] == []
    assert "Commands:" in text
    assert "train " in text.partition("Commands:")[2]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert "retrain, version 0." in capsys.readouterr().out


@pytest.mark.parametrize("module", ["retrain", "label_image"])
def test_modules_start(module: str) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", module, "--json", "--topk", "3"], capture_output=True, text=True,
        env={"PYTHONPATH": str(root)}, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--top_k" in done.stderr
    assert "Traceback" not in done.stderr
