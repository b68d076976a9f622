"""The command that a sweep prints: it trains what was chosen."""

import shlex
from typing import Any

from retrain.cli.command_line import command_of
from retrain.cli.sweep import options_of, sweep
from retrain.cli.train import train
from retrain.training.grid import Configuration
from retrain.training.recipe import HeadConfig, choose_recipe


def command(chosen: Configuration, *words: str, image_dir: str = "cats") -> str:
    """What a sweep with these options prints for its choice."""
    options = sweep.make_context("sweep", ["--image_dir", image_dir, "--architecture", "resnet50", *words]).params
    return command_of(train, options_of(chosen, options))


def asked_by(command: str) -> dict[str, Any]:
    program, *words = shlex.split(command)
    assert program == "retrain"
    return train.make_context("train", words).params


def test_the_printed_command_trains_what_was_chosen() -> None:
    config = HeadConfig(optimizer="adam", hidden_units=(64, 32), learning_rate=0.002, l2=0.01, epochs=9)
    recipe = choose_recipe(config, 7)
    printed = command(
        Configuration("resnet50", recipe), "--seed=7", "--testing_percentage=20",
        "--weights=resnet50=w.h5", "--weights=vgg16=v.h5", "--store_dtype=float16", image_dir="my cats",
    )  # fmt: skip
    asked = asked_by(printed)
    assert (str(asked["image_dir"]), asked["seed"], asked["testing_percentage"]) == ("my cats", 7, 20)
    assert (asked["architecture"], asked["weights"]) == ("resnet50", {"resnet50": "w.h5"})
    assert asked["store_dtype"] == "float16"
    names = ("optimizer", "hidden_units", "learning_rate", "l2", "epochs")
    assert choose_recipe(HeadConfig(**{name: asked[name] for name in names}), asked["seed"]) == recipe


def test_the_command_of_a_linear_head() -> None:
    chosen = Configuration("resnet50", choose_recipe(HeadConfig(l2=0.03)))
    assert command(chosen) == "retrain --image_dir cats --architecture resnet50 --l2 0.03"


def test_the_command_of_a_head_on_views() -> None:
    recipe = choose_recipe(HeadConfig(l2=0.03, class_weight="balanced"))
    words = ("--flip_left_right", "--random_crop=10", "--views=1,8")
    asked = asked_by(command(Configuration("resnet50", recipe, views=8), *words))
    assert (asked["flip_left_right"], asked["random_crop"], asked["random_scale"]) == (True, 10, 0)
    assert (asked["views"], asked["class_weight"]) == (8, "balanced")
    plain = command(Configuration("resnet50", recipe), *words)
    assert "flip" not in plain and "--views" not in plain
