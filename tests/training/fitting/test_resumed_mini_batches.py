"""Training by mini-batches that was stopped goes on as if it had not been."""

import numpy as np
import pytest
from blobs import assert_same, blobs, fit

from retrain.core.errors import CheckpointError
from retrain.training.fitting.checkpoint import Slot, State
from retrain.training.fitting.mini_batches import _Trainer
from retrain.training.recipe import HeadConfig, choose_recipe

# Going on


class Stopped(Exception):
    """The process is gone."""


class StoppingSlot(Slot):
    """Takes every state, and stops the training at one of them."""

    def __init__(self, state: State | None = None, stop_at: int | None = None) -> None:
        self.state, self._stop_at, self.offers = state, stop_at, 0

    def offer(self, make: object, finished: bool = False) -> None:
        state = make()
        # As a file does: nothing that changes later is shared.
        self.state = State({name: array.copy() for name, array in state.arrays.items()}, dict(state.values))
        self.offers += 1
        if self.offers == self._stop_at:
            raise Stopped


RECIPES = [
    {"how_many_training_steps": 14, "train_batch_size": 16},
    {"hidden_units": (7,), "dropout": 0.3, "epochs": 4, "train_batch_size": 16},
    {"optimizer": "adamw", "epochs": 4, "train_batch_size": 16, "class_weight": "balanced", "label_smoothing": 0.1},
    {"optimizer": "momentum", "hidden_units": (5, 4), "activation": "gelu", "epochs": 4, "train_batch_size": 16},
]


@pytest.mark.parametrize("asked", RECIPES, ids=lambda asked: str(asked.get("optimizer", len(asked))))
@pytest.mark.parametrize("stop_at", [1, 4, 7, 14])
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not(asked: dict, stop_at: int) -> None:
    sides = blobs(spread=3.0), blobs(spread=3.0, seed=1)
    whole = fit(*sides, **asked)
    slot = StoppingSlot(stop_at=stop_at)
    with pytest.raises(Stopped):
        fit(*sides, slot=slot, **asked)
    assert slot.state.values["steps"] == stop_at
    resumed = fit(*sides, slot=StoppingSlot(slot.state), **asked)
    assert_same(whole.head, resumed.head, 1e-6)
    assert [point.step for point in resumed.curve] == [point.step for point in whole.curve]
    assert resumed.description == whole.description


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"how_many_training_steps": 13}, {"how_many_training_steps": 27}),
        ({"epochs": 2, "learning_rate_schedule": "constant"}, {"epochs": 5, "learning_rate_schedule": "constant"}),
    ],
)
def test_a_finished_training_goes_on_for_longer(first: dict, then: dict) -> None:
    sides = blobs(spread=3.0), blobs(spread=3.0, seed=1)
    slot = StoppingSlot()
    fit(*sides, slot=slot, train_batch_size=16, **first)
    resumed = fit(*sides, slot=StoppingSlot(slot.state), train_batch_size=16, **then)
    whole = fit(*sides, train_batch_size=16, **then)
    assert_same(whole.head, resumed.head, 1e-6)
    assert [point.step for point in resumed.curve] == [point.step for point in whole.curve]


def test_with_more_epochs_the_cosine_goes_on_over_all_of_them() -> None:
    slot = StoppingSlot()
    fit(blobs(), blobs(seed=1), slot=slot, epochs=2, train_batch_size=20)
    trainer = _Trainer(6, 3, choose_recipe(HeadConfig(epochs=6, train_batch_size=20)), 18, None)
    trainer.restore(slot.state)
    assert float(trainer._optimizer.learning_rate) == pytest.approx(0.0005 * (1 + np.cos(np.pi * 6 / 18)))


def test_a_finished_training_that_goes_on_for_no_longer_is_the_same() -> None:
    slot = StoppingSlot()
    whole = fit(blobs(), blobs(seed=1), slot=slot, epochs=3)
    again = fit(blobs(), blobs(seed=1), slot=StoppingSlot(slot.state), epochs=3)
    assert_same(whole.head, again.head)
    assert whole.curve == again.curve


def test_a_training_that_stopped_early_goes_on_with_more_patience() -> None:
    training, validation = blobs(n=20, dim=20, spread=6.0), blobs(n=200, dim=20, spread=6.0, seed=1)
    asked = {"hidden_units": (32,), "learning_rate": 0.02, "epochs": 40, "train_batch_size": 10}
    slot = StoppingSlot()
    short = fit(training, validation, slot=slot, **asked, early_stopping_patience=2)
    same = fit(training, validation, slot=StoppingSlot(slot.state), **asked, early_stopping_patience=2)
    longer = fit(training, validation, slot=StoppingSlot(slot.state), **asked, early_stopping_patience=30)
    whole = fit(training, validation, **asked, early_stopping_patience=30)
    assert len(same.curve) == len(short.curve) < len(longer.curve)
    assert_same(whole.head, longer.head, 1e-6)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays, values: arrays.pop("variables/0"),
        lambda arrays, values: arrays.pop("optimizer/0"),
        lambda arrays, values: arrays.update({"best/0": np.zeros((3, 3), np.float32)}),
        lambda arrays, values: arrays.update({"variables/1": np.zeros(9, np.float32)}),
        lambda arrays, values: values.pop("steps"),
        lambda arrays, values: values.update({"curve": [[1]]}),
        lambda arrays, values: values.update({"worse": None}),
    ],
)
def test_a_state_that_does_not_fit_is_a_sentence(spoil: object) -> None:
    slot = StoppingSlot()
    fit(blobs(), blobs(seed=1), slot=slot, epochs=2)
    arrays, values = dict(slot.state.arrays), dict(slot.state.values)
    spoil(arrays, values)
    with pytest.raises(CheckpointError, match="holds no state"):
        fit(blobs(), blobs(seed=1), slot=StoppingSlot(State(arrays, values)), epochs=2)
