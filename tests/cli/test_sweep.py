"""The command that a sweep prints: it trains what was chosen."""

import shlex
from pathlib import Path
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


def test_the_command_reads_the_photos_as_the_sweep_did(tmp_path: Path) -> None:
    """Whatever both commands take, but for what is chosen, said about the sweep itself, or read again."""
    own = {"config", "as_json", "lang", "report", "folds", "paranoid", "epochs", "hidden_units", "l2"}
    of_views = {name for name in common_options() if name.startswith(("random_", "flip_"))}
    given = {
        "image_dir": "cats", "add_images": "more", "layout": "folders", "max_images_per_class": "9",
        "fixes": "fixes.csv", "category_names": str(tmp_path / "names.txt"), "source_dir": str(tmp_path),
        "testing_percentage": "20", "validation_percentage": "15", "seed": "7", "precision": "float32",
        "store_dtype": "float16", "engine": "tensorflow", "executor": "ray", "ray_address": "10.0.0.1:6379",
        "bottleneck_dir": "b", "model_dir": "m", "weights": "resnet50=w.h5", "accept_truncated": None,
        "require_gpu": None,
    }  # fmt: skip
    assert {*given} == common_options() - own - of_views
    words = [word for name, value in given.items() for word in (f"--{name}", value) if word is not None]
    recipe = choose_recipe(HeadConfig(l2=0.03))
    options = sweep.make_context("sweep", [*words, "--architecture", "resnet50"]).params
    asked = asked_by(command_of(train, options_of(Configuration("resnet50", recipe), options)))
    assert {name: asked[name] for name in given} == {name: options[name] for name in given}


def common_options() -> set[str]:
    """The names of the options that `sweep` and `train` both have."""
    of_each = ({option.name or "" for option in command.params} for command in (sweep, train))
    return set.intersection(*of_each)


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
