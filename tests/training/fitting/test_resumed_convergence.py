"""A fit to convergence that was stopped goes on to the same head."""

from collections.abc import Callable

import numpy as np
import pytest
from blobs import blobs
from slots import Stopped, StoppingSlot

from retrain.core.errors import CheckpointError
from retrain.training.fitting.checkpoint import Slot, State
from retrain.training.fitting.convergence import fit_to_convergence


@pytest.mark.parametrize("stop_at", [1, 2, 3, 6])
@pytest.mark.parametrize(
    "options",
    [{}, {"label_smoothing": 0.1, "balanced": True}, {"everything": blobs(n=90, spread=2.0, seed=2)}],
    ids=["plain", "balanced", "refit"],
)
def test_a_fit_that_was_stopped_goes_on_to_the_same_bits(stop_at: int, options: dict) -> None:
    sides = blobs(spread=2.0), blobs(spread=2.0, seed=1)
    whole = fit_to_convergence(*sides, 3, **options)
    assert len(whole.curve) >= 6
    slot = StoppingSlot(stop_at=stop_at)
    with pytest.raises(Stopped):
        fit_to_convergence(*sides, 3, slot=slot, **options)
    again = StoppingSlot(slot.state)
    resumed = fit_to_convergence(*sides, 3, slot=again, **options)
    assert np.array_equal(resumed.head.kernel, whole.head.kernel)
    assert np.array_equal(resumed.head.bias, whole.head.bias)
    assert (resumed.curve, resumed.description) == (whole.curve, whole.description)
    assert again.offers == len(whole.curve) - stop_at  # nothing was done twice


def test_a_state_shares_nothing_with_the_fit_that_goes_on() -> None:
    class Keeping(Slot):
        def __init__(self) -> None:
            self.kept: list[tuple[State, State]] = []

        def offer(self, make: Callable[[], State], finished: bool = False) -> None:
            state = make()
            self.kept.append((state, State({name: array.copy() for name, array in state.arrays.items()}, {})))

    slot = Keeping()
    fit_to_convergence(blobs(spread=2.0), blobs(spread=2.0, seed=1), 3, slot=slot)
    for state, copy in slot.kept:
        assert all(np.array_equal(array, copy.arrays[name]) for name, array in state.arrays.items())


@pytest.mark.parametrize("name", ["kernel", "fitted/0", "memory/0/step", "curve", "curvatures", "l2"])
def test_a_state_that_lacks_something_is_a_sentence(name: str) -> None:
    slot = StoppingSlot()
    fit_to_convergence(blobs(), blobs(seed=1), 3, slot=slot)
    arrays = {key: array for key, array in slot.state.arrays.items() if key != name}
    values = {key: value for key, value in slot.state.values.items() if key != name}
    with pytest.raises(CheckpointError, match="holds no state"):
        fit_to_convergence(blobs(), blobs(seed=1), 3, slot=StoppingSlot(State(arrays, values)))
