import shlex
from dataclasses import fields, replace
from pathlib import Path

import pytest

from retrain.cli.main import train
from retrain.insight.report.command_line import command_of
from retrain.runs.train import Options

OTHERS = {
    "image_dir": Path("my cats/it's"),
    "max_images_per_class": 5,
    "output_dir": Path("out"),
    "formats": ("saved_model",),
    "hidden_units": (64, 32),
    "weights": "random",
    "fine_tune_layers": "all",
    "tta": True,
    "learning_rate": 0.25,
    "validation_batch_size": 7,
    "report": Path("$HOME/report.html"),
}


def parsed(command: str) -> Options:
    program, *words = shlex.split(command.replace("\\\n", ""))  # shlex knows no continued lines
    assert program == "retrain"
    options = train.make_context("train", words).params
    return Options(**{field.name: options[field.name] for field in fields(Options) if field.name in options})


@pytest.mark.parametrize("name", [name for name in OTHERS if name in {field.name for field in fields(Options)}])
def test_the_command_says_what_was_asked_for(name: str) -> None:
    options = replace(Options(Path("cats")), **{name: OTHERS[name]})
    assert getattr(parsed(command_of(options)), name) == OTHERS[name]
    assert parsed(command_of(options)) == options


def test_weights_by_name() -> None:
    options = Options(Path("cats"), architecture="resnet50+vgg16", weights={"resnet50": "a b.h5", "vgg16": "random"})
    assert parsed(command_of(options)) == options


def test_what_is_at_its_default_is_left_out() -> None:
    assert command_of(Options(Path("cats"))) == "retrain \\\n    --image_dir cats"
    assert "--resume" not in command_of(Options(Path("cats"), resume=True))


def test_bytes_that_are_no_text_are_shown() -> None:
    assert r"\xff" in command_of(Options(Path("caf\udcff")))
