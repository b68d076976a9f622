"""Slots of a checkpoint that stop a fit where a test wants it to be stopped."""

import json
from collections.abc import Callable

from retrain.training.fitting.checkpoint import Slot, State


class Stopped(Exception):
    """The process is gone."""


class StoppingSlot(Slot):
    """Keeps a copy of every state that it is offered, and stops at one of them."""

    def __init__(self, state: State | None = None, stop_at: int | None = None) -> None:
        self.state, self._stop_at, self.offers = state, stop_at, 0

    def offer(self, make: Callable[[], State], finished: bool = False) -> None:
        state = make()
        arrays = {name: array.copy() for name, array in state.arrays.items()}
        self.state = State(arrays, json.loads(json.dumps(state.values)))
        self.offers += 1
        if self.offers == self._stop_at:
            raise Stopped
