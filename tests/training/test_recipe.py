import math

import pytest

from retrain.core.errors import OptionError
from retrain.training.recipe import HeadConfig, HeadRecipe, choose_recipe


def recipe_of(seed: int = 0, **asked: object) -> HeadRecipe:
    return choose_recipe(HeadConfig(**asked), seed)


# What is left out


def test_nothing_asked_for_is_the_fit_to_convergence() -> None:
    assert recipe_of() == HeadRecipe("lbfgs")


def test_options_of_the_loss_leave_the_fit_to_convergence() -> None:
    recipe = recipe_of(l2=0.1, label_smoothing=0.2, class_weight="balanced")
    assert recipe == HeadRecipe("lbfgs", l2=0.1, label_smoothing=0.2, class_weight="balanced")


def test_steps_alone_are_the_training_of_2017() -> None:
    recipe = recipe_of(how_many_training_steps=500)
    assert (recipe.optimizer, recipe.steps, recipe.epochs, recipe.learning_rate) == ("sgd", 500, None, 0.01)
    assert (recipe.learning_rate_schedule, recipe.eval_step_interval) == ("constant", 10)
    assert (recipe.early_stopping_patience, recipe.l2) == (None, 0.0)


def test_a_learning_rate_alone_is_the_training_of_2017_with_its_steps() -> None:
    recipe = recipe_of(learning_rate=0.5)
    assert (recipe.optimizer, recipe.steps, recipe.learning_rate) == ("sgd", 4000, 0.5)


def test_mini_batches_that_nobody_named_are_said() -> None:
    assert HeadConfig(learning_rate=0.5).remark == (
        "`learning_rate` asks for mini-batches, by sgd: without it the head is fitted to convergence, by lbfgs."
    )
    assert "by adam" in str(HeadConfig(epochs=3).remark)
    for named in (HeadConfig(), HeadConfig(l2=0.1), HeadConfig(optimizer="sgd", learning_rate=0.5)):
        assert named.remark is None
    assert HeadConfig(hidden_units=(8,), epochs=3).remark is None


@pytest.mark.parametrize(
    "option", [{"train_batch_size": 32}, {"eval_step_interval": 20}, {"validation_batch_size": 50}]
)
def test_batches_have_no_meaning_for_a_fit_to_convergence(option: dict) -> None:
    recipe = recipe_of(**option)
    assert (recipe.optimizer, recipe.steps) == ("sgd", 4000)
    assert recipe_of(**option, epochs=3).optimizer == "adam"
    with pytest.raises(OptionError, match=rf"`optimizer` lbfgs .* without `{next(iter(option))}`"):
        recipe_of(**option, optimizer="lbfgs")


def test_hidden_units_alone_are_adam_with_early_stopping() -> None:
    recipe = recipe_of(hidden_units=(512, 256))
    assert (recipe.optimizer, recipe.epochs, recipe.steps, recipe.learning_rate) == ("adam", 100, None, 0.001)
    assert (recipe.learning_rate_schedule, recipe.early_stopping_patience) == ("cosine", 10)
    assert (recipe.activation, recipe.dropout, recipe.eval_step_interval) == ("relu", 0.0, None)


@pytest.mark.parametrize(
    "option", [{"epochs": 5}, {"early_stopping_patience": 3}, {"learning_rate_schedule": "cosine"}]
)
def test_other_options_of_mini_batches_are_adam(option: dict) -> None:
    assert recipe_of(**option).optimizer == "adam"


@pytest.mark.parametrize(
    ("optimizer", "rate", "schedule", "l2"),
    [
        ("sgd", 0.01, "constant", 0.0),
        ("momentum", 0.01, "cosine", 0.0),
        ("adam", 0.001, "cosine", 0.0),
        ("adamw", 0.001, "cosine", 0.004),
    ],
)
def test_each_optimizer_has_its_defaults(optimizer: str, rate: float, schedule: str, l2: float) -> None:
    recipe = recipe_of(optimizer=optimizer)
    assert (recipe.learning_rate, recipe.learning_rate_schedule, recipe.l2) == (rate, schedule, l2)
    assert (recipe.epochs, recipe.early_stopping_patience) == (100, 10)


def test_what_is_asked_for_is_kept() -> None:
    asked = {
        "optimizer": "momentum",
        "l2": 0.5,
        "label_smoothing": 0.1,
        "class_weight": "balanced",
        "hidden_units": (7, 5),
        "activation": "tanh",
        "dropout": 0.3,
        "epochs": 4,
        "learning_rate": 0.25,
        "learning_rate_schedule": "constant",
        "eval_step_interval": 3,
        "validation_batch_size": 11,
        "early_stopping_patience": 2,
        "seed": 9,
    }
    recipe = recipe_of(**asked, train_batch_size=8)
    assert {name: getattr(recipe, name) for name in asked} == asked
    assert recipe.batch_size == 8


# Combinations that make no sense


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"optimizer": "lbfgs", "hidden_units": (8,)}, "`hidden_units`"),
        ({"optimizer": "lbfgs", "epochs": 3}, "`epochs`"),
        ({"optimizer": "lbfgs", "how_many_training_steps": 3}, "`how_many_training_steps`"),
        ({"optimizer": "lbfgs", "learning_rate": 0.1}, "`learning_rate`"),
        ({"optimizer": "lbfgs", "learning_rate_schedule": "cosine"}, "`learning_rate_schedule`"),
        ({"optimizer": "lbfgs", "early_stopping_patience": 3}, "`early_stopping_patience`"),
        ({"optimizer": "lbfgs", "dropout": 0.1}, "`dropout`"),
        ({"dropout": 0.1}, "`hidden_units`"),
        ({"dropout": 0.0}, "`hidden_units`"),
        ({"activation": "tanh"}, "`hidden_units`"),
        ({"epochs": 3, "how_many_training_steps": 3}, "`epochs` and `how_many_training_steps`"),
        ({"l2": 0.0}, "`l2` 0"),
        ({"l2": -1.0}, "`l2` -1"),
        ({"l2": math.nan}, "`l2` nan"),
        ({"l2": math.inf}, "`l2` inf"),
        ({"l2": 1e300}, "`l2` 1e+300"),
        ({"epochs": 10**20}, "`epochs` 100000000000000000000 must be at most 1000000000"),
        ({"how_many_training_steps": 10**20}, "`how_many_training_steps`"),
        ({"hidden_units": (8, 99_999_999_999)}, "`hidden_units` 8,99999999999"),
        ({"label_smoothing": -0.1}, "`label_smoothing`"),
        ({"label_smoothing": 1.0}, "`label_smoothing`"),
        ({"label_smoothing": math.nan}, "`label_smoothing`"),
        ({"hidden_units": (8,), "dropout": 1.0}, "`dropout`"),
        ({"hidden_units": (8,), "dropout": -0.1}, "`dropout`"),
        ({"hidden_units": (8, 0)}, "`hidden_units` 8,0"),
        ({"learning_rate": 0.0}, "`learning_rate`"),
        ({"learning_rate": math.inf}, "`learning_rate`"),
        ({"learning_rate": math.nan}, "`learning_rate`"),
        ({"optimizer": "rmsprop"}, "lbfgs, sgd, momentum, adam, adamw"),
        ({"hidden_units": (8,), "activation": "elu"}, "relu, gelu, tanh"),
        ({"learning_rate_schedule": "linear"}, "constant, cosine"),
        ({"class_weight": "auto"}, "balanced"),
        ({"epochs": 0}, "`epochs`"),
        ({"how_many_training_steps": 0}, "`how_many_training_steps`"),
        ({"train_batch_size": 0}, "`train_batch_size`"),
        ({"eval_step_interval": 0}, "`eval_step_interval`"),
        ({"epochs": 2, "early_stopping_patience": 0}, "`early_stopping_patience`"),
    ],
)
def test_what_makes_no_sense_is_a_sentence_that_names_the_option(asked: dict, names: str) -> None:
    with pytest.raises(OptionError) as caught:
        recipe_of(**asked)
    assert names in str(caught.value)
    assert str(caught.value).endswith(".")
    assert caught.value.exit_code == 2


# How long it takes


@pytest.mark.parametrize(("photos", "steps"), [(1, 1), (99, 1), (100, 1), (101, 2), (1000, 10)])
def test_an_epoch_covers_all_photos(photos: int, steps: int) -> None:
    recipe = recipe_of(epochs=7, train_batch_size=100)
    assert recipe.steps_per_epoch(photos) == steps
    assert recipe.total_steps(photos) == 7 * steps


def test_steps_are_steps_however_many_photos() -> None:
    assert recipe_of(how_many_training_steps=12).total_steps(5) == 12


# What a training that goes on must have in common


@pytest.mark.parametrize("longer", [{"epochs": 9}, {"epochs": 5, "early_stopping_patience": 99}])
def test_a_training_may_go_on_for_longer(longer: dict) -> None:
    assert recipe_of(epochs=5).identity() == recipe_of(**longer).identity()
    assert recipe_of(how_many_training_steps=5).identity() == recipe_of(how_many_training_steps=6).identity()


@pytest.mark.parametrize(
    "other",
    [
        {"hidden_units": (9,)},
        {"hidden_units": (8, 8)},
        {"activation": "tanh"},
        {"dropout": 0.1},
        {"optimizer": "sgd"},
        {"learning_rate": 0.5},
        {"learning_rate_schedule": "constant"},
        {"l2": 0.1},
        {"label_smoothing": 0.1},
        {"class_weight": "balanced"},
        {"train_batch_size": 7},
        {"eval_step_interval": 7},
        {"validation_batch_size": 7},
        {"seed": 7},
    ],
)
def test_a_training_may_not_go_on_otherwise(other: dict) -> None:
    asked = {"hidden_units": (8,), "epochs": 5}
    assert recipe_of(**asked).identity() != recipe_of(**{**asked, **other}).identity()
