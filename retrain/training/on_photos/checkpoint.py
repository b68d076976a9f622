"""What an interrupted training needs to continue: variables, optimiser, best epoch so far, curve.

A checkpoint file as those of the heads (`retrain.training.fitting.checkpoint`), written after each epoch. It says what
it belongs to (data, network, settings), and anything else is refused with the difference named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from label_image.files import reason_of
from retrain.core.errors import CheckpointError
from retrain.training.fitting.checkpoint import State, read_checkpoint, write_checkpoint

KINDS = ("variables", "best", "optimizer")
FIT = "training"

Array = npt.NDArray[Any]
Identity = Mapping[str, str | int | float]


@dataclass(frozen=True)
class TrainingState:
    """A training after some epoch. `record` is plain JSON: what is not an array."""

    variables: tuple[Array, ...]
    best: tuple[Array, ...]
    optimizer: tuple[Array, ...]
    record: dict[str, Any]


@dataclass(frozen=True)
class TrainingCheckpoint:
    """The file of one training; `identity` is what it belongs to, in words that a person can compare."""

    path: Path
    identity: Identity

    def save(self, state: TrainingState) -> None:
        """Replace the file by this state. Raises CheckpointError if it cannot be written."""
        arrays = {f"{kind}/{index:04d}": array for kind in KINDS for index, array in enumerate(getattr(state, kind))}
        try:
            write_checkpoint(self.path, self.identity, {FIT: State(arrays, state.record)})
        except OSError as error:
            raise CheckpointError(f"The checkpoint {self.path} cannot be written: {reason_of(error)}.") from None

    def load(self) -> TrainingState | None:
        """The kept state, or None where there is no file.

        Raises CheckpointError where the file belongs to another training, or is damaged.
        """
        saved = read_checkpoint(self.path, way_out="delete it")
        if saved is None:
            return None
        saved.require(self.identity)
        state = saved.states[FIT]
        variables, best, optimizer = (
            tuple(array for name, array in state.arrays.items() if name.startswith(f"{kind}/")) for kind in KINDS
        )
        return TrainingState(variables, best, optimizer, dict(state.values))


def restore(variables: Sequence[Any], arrays: Sequence[Array]) -> None:
    """Assign arrays to Keras variables, one by one. Raises CheckpointError where they do not fit."""
    if [tuple(variable.shape) for variable in variables] != [array.shape for array in arrays]:
        raise CheckpointError("The checkpoint is of a network with other layers; delete it to start again.")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def values(variables: Sequence[Any]) -> tuple[Array, ...]:
    """Copies of the values of Keras variables."""
    return tuple(np.array(variable.numpy()) for variable in variables)
