"""`--config FILE`: options from a file, which variables and the command line count before."""

import json
import os
import re
from pathlib import Path

import pytest
from calling import Called, call
from painting import paint_classes

from retrain.cli.main import main
from retrain.core.errors import OptionError
from retrain.runs.train import TrainConfig

FLAGS = Path(__file__).resolve().parents[2] / "docs/flags.md"
OPTIONS = ("--image_dir=photos", "--architecture=fake", "--formats=tflite")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return paint_classes(tmp_path / "photos", {"red": "red", "green": "green"}, range(12)).parent


def with_config(text: str, *more: str) -> Called:
    Path("run.toml").write_text(text, encoding="utf-8")
    return call(main, "--config=run.toml", *more)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("here")
def test_options_of_every_kind_come_back_from_a_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"architecture": "fake", "hidden_units": [6, 4], "epochs": 2, "l2": 0.01, "tta": True, "views": 2,
               "class_weight": "balanced", "flip_left_right": True, "formats": ["tflite"], "folds": 0,
               "testing_percentage": 20, "validation_percentage": 10, "weights": "random"}  # fmt: skip
    content = {"format": "retrain-export", "format_version": 1, "labels": ["a"], "provenance": {"options": options},
               "fine_tuning": {"asked": 2},
               "preprocessing": "decode(2)|orient|resize(8,bilinear)|value_range(-1,1)"}  # fmt: skip
    Path("of_a_run.json").write_text(json.dumps(content), encoding="utf-8")
    asked: list[TrainConfig] = []

    def remember(config: TrainConfig, *_: object, **__: object) -> None:
        asked.append(config)
        raise OptionError("It is enough to know what was asked for.")

    monkeypatch.setattr("retrain.runs.train.run_training", remember)
    said = call(main, "--image_dir=photos", "--config=of_a_run.json", "--epochs=9")
    assert "It is enough to know" in said.err, said.err
    (config,) = asked
    assert (config.head.hidden_units, config.head.epochs, config.head.class_weight) == ((6, 4), 9, "balanced")
    assert config.views.tta and config.views.augmentation.flip_left_right and config.export.formats == ("tflite",)
    assert (config.split.testing_percentage, config.backbone.weights) == (20, "random")
    assert config.fine_tune_layers == 2
    said = call(main, "doctor", "photos", "--config=of_a_run.json")
    assert said.code == 2 and "of_a_run.json has hidden_units, an option of a training that is none here." in said.err


@pytest.mark.usefixtures("here")
def test_a_file_of_options_is_the_command_line_that_says_the_same() -> None:
    text = (
        'image_dir = "photos"\narchitecture = "fake"\nformats = ["tflite"]\nlabel-smoothing = 0.1\n'
        'l2 = 1\nflip_left_right = true\nadd_images = ["photos/red"]\noutput_dir = "by_file"\njson = true\n'
    )
    said = with_config(text)
    assert said.code == 0 and said.out.startswith('{"format_version": 1, "output_dir": "by_file"'), said.err
    options = "--label_smoothing=0.1 --l2=1 --flip_left_right --add_images=photos/red --output_dir=by_hand"
    assert call(main, *OPTIONS, *options.split()).code == 0
    assert files_of(Path("by_file")) == files_of(Path("by_hand"))


@pytest.mark.usefixtures("here")
def test_the_command_line_counts_before_variables_and_these_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'image_dir = "of_the_file"\n'
    assert "no folder or manifest of_the_file" in with_config(text).err
    monkeypatch.setenv("RETRAIN_TRAIN_IMAGE_DIR", "of_the_variable")
    assert "no folder or manifest of_the_variable" in with_config(text).err
    assert "no folder or manifest of_the_line" in with_config(text, "--image_dir=of_the_line").err
    monkeypatch.delenv("RETRAIN_TRAIN_IMAGE_DIR")
    monkeypatch.setenv("RETRAIN_TRAIN_CONFIG", "run.toml")
    assert "no folder or manifest of_the_file" in call(main).err


@pytest.mark.usefixtures("here")
def test_a_switch_that_a_file_turns_on_and_a_repeated_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report says the command with all options, for whoever has no such file."""
    text = 'image_dir = "photos"\narchitecture = "fake"\nformats = "tflite"\nreport = "report.html"\nl2 = 0.5\n'
    said = with_config(text, "--seed=2")
    assert said.code == 0, said.err
    page = Path("report.html").read_text(encoding="utf-8")
    assert "--l2 0.5" in page and "--seed 2" in page and "--config" not in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learnin_rate = 1", "run.toml has learnin_rate, which is no option here: is learning_rate meant?"),
        ("zzz = 1", "run.toml has zzz, which is no option here; `--help all` shows them."),
        ("config = 'other.toml'", "run.toml has config, which is no option here"),
        ("[head]\nl2 = 1", "run.toml has head, which is a table: write options without [head]."),
        ("l2 = 'much'", "run.toml has l2 = 'much': it takes a number."),
        ("l2 = true", "run.toml has l2 = true: it takes a number."),
        ("epochs = 1.5", "run.toml has epochs = 1.5: it takes a whole number."),
        ("epochs = 0", "run.toml has epochs = 0: 0 is not in the range x>=1."),
        ("tta = 1", "run.toml has tta = 1: it takes true or false."),
        ("image_dir = 3", "run.toml has image_dir = 3: it takes a text."),
        ("image_dir = ''", "run.toml has image_dir = '': it is empty: leave it out."),
        ("optimizer = 'quick'", "run.toml has optimizer = 'quick': 'quick' is not one of"),
        ("optimizer = ['lbfgs', 'adam']", "run.toml has optimizer = ['lbfgs', 'adam']: it takes a single value."),
        ("formats = [true]", "run.toml has formats = [True]: it takes a list of texts or numbers."),
        ("add_images = 3", "run.toml has add_images = 3: it takes a text or a list of them."),
        ("hidden_units = [0]", "run.toml has hidden_units = [0]: '0' is not a list of whole numbers"),
        ("seed = 1979-05-27", "run.toml has seed = 1979-05-27: it takes a whole number."),
        ("l2 == 1", "run.toml is not TOML ("),
    ],
)
def test_a_mistake_is_told_with_the_file_and_the_key(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = with_config(text, "--image_dir=photos")
    assert said.code == 2 and words in " ".join(said.err.split()), said.err


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"l2 = '\xff'")
    (tmp_path / "other.json").write_text("{}")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "old.json").write_text(
        '{"format": "retrain-export", "format_version": 1, "labels": ["a"], "preprocessing": "decode(2)|orient|'
        'resize(8,bilinear)|value_range(-1,1)"}'
    )
    for name, words in {
        "none.toml": "none.toml cannot be read: No such file or directory; check --config.",
        "latin.toml": "latin.toml is not UTF-8",
        "other.json": "is not that of an export of retrain",
        "old.json": "old.json says not all options of the run that made it",
        "pipe.toml": "pipe.toml is not a file; check --config.",
    }.items():
        said = call(main, f"--config={name}", "--image_dir=photos")
        assert said.code == 2 and words in said.err, said.err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("words", [("sweep",), ("doctor", "photos"), ("evaluate", "model", "photos")])
def test_other_commands_have_it_too(words: tuple[str, ...]) -> None:
    Path("run.toml").write_text('layout = "nested"\n', encoding="utf-8")
    said = call(main, *words, "--config=run.toml")
    assert said.code == 2 and "run.toml has layout = 'nested': 'nested' is not one of" in said.err


def test_the_file_of_the_documentation_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```", FLAGS.read_text(encoding="utf-8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    assert "There is no folder or manifest cats" in with_config(text).err
