import shlex
from pathlib import Path

import pytest

from retrain.cli.command_line import command_in_lines, command_of
from retrain.cli.train import train

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


def options_of(*words: str) -> dict[str, object]:
    """All options, as a command has them, in the order in which they are declared."""
    found = train.make_context("train", list(words)).params
    names = [str(parameter.name) for parameter in train.params if parameter.expose_value]
    return {name: found[name] for name in names}


def asked(**others: object) -> dict[str, object]:
    return {**options_of("--image_dir", "cats"), **others}


def parsed(command: str) -> dict[str, object]:
    program, *words = shlex.split(command.replace("\\\n", ""))  # shlex knows no continued lines
    assert program == "retrain"
    return options_of(*words)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("told", [command_in_lines, command_of])
def test_the_command_says_what_was_asked_for(name: str, told) -> None:
    options = asked(**{name: OTHERS[name]})
    assert parsed(told(train, options)) == options
    assert options[name] == OTHERS[name]


def test_weights_by_name() -> None:
    options = asked(architecture="resnet50+vgg16", weights={"resnet50": "a b.h5", "vgg16": "random"})
    assert parsed(command_in_lines(train, options)) == options


def test_what_is_at_its_default_is_left_out() -> None:
    assert command_in_lines(train, asked()) == "retrain \\\n    --image_dir cats"
    assert command_of(train, asked()) == "retrain --image_dir cats"
    assert "--resume" not in command_of(train, asked(resume=True))
    assert "json" not in command_of(train, asked(as_json=True))


def test_bytes_that_are_no_text_are_shown() -> None:
    assert r"\xff" in command_of(train, asked(image_dir=Path("caf\udcff")))
