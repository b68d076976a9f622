"""Checkpoints: the state of a training in a file, so that it can be stopped and resumed.

One `.npz` for a run, read without pickle, written aside and renamed. Its first entry is the header, a
JSON text: the format, where the state comes from (data set, classes, split, backbone, recipe), and the
plain values of each fit; the other entries are the fits' arrays. A run has more than one fit when it
cross-validates.

A fit knows nothing of files: it has a `Slot`, which may hold a state to start from, and to which it
offers its state again and again; the checkpoint takes it when enough time has passed.
"""

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from label_image.errors import ForeignFileError
from label_image.files import reason_of, remove_leftovers, temporary_folder
from label_image.foreign_text import convert
from retrain.core.array_files import read_npz
from retrain.core.errors import CheckpointError, OptionError

FORMAT = "retrain-checkpoint"
FORMAT_VERSION = 1
SECONDS_BETWEEN = 5.0
WRITING_SHARE = 0.05  # of the time, at most
WITHOUT_RESUME = "leave `resume` out"  # how to begin again

# A zip file starts with the name of its first entry, 30 bytes in.
_NAME_AT = 30
_FIRST_NAME = f"{FORMAT}.npy".encode()
log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
Origin = Mapping[str, object]


@dataclass(frozen=True)
class State:
    """What a fit needs to go on: arrays by name, and values that JSON can hold."""

    arrays: Mapping[str, Array]
    values: Mapping[str, Any]


class Restorable(Protocol):
    """A part of a fit that takes its state back; a state that is not its own raises what Python raises for that."""

    def restore(self, state: State) -> None: ...


class Slot:
    """The place of one fit's state; this one starts from nothing and keeps nothing."""

    state: State | None = None

    def offer(self, make: Callable[[], State], finished: bool = False) -> None:
        """Called after each step with a function that makes the state; it is seldom called."""

    def restore(self, *parts: Restorable) -> None:
        """Give the state, if there is one, to the parts of a fit. Raises CheckpointError if it is not theirs."""
        if self.state is None:
            return
        try:
            for part in parts:
                part.restore(self.state)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"The checkpoint holds no state of such a training ({error}).") from None


class Checkpoint:
    """The checkpoint of a run: a slot for each of its fits, and one file for all."""

    def __init__(self, path: Path, origin: Origin, states: Mapping[str, State] | None = None) -> None:
        self.path = path
        self._origin = dict(origin)
        self._states = dict(states or {})
        self._due = time.monotonic() + SECONDS_BETWEEN
        self._is_ours = states is not None  # the file that is there, not one that an earlier run left
        self._warned = False

    def slot(self, name: str) -> Slot:
        """The slot of the fit of this name, with the state that the file had for it."""
        return _FileSlot(self, name, self._states.get(name))

    def offer(self, name: str, make: Callable[[], State], finished: bool) -> None:
        """Take the state of a fit and write the file, if it is time or the fit has ended."""
        if not finished and time.monotonic() < self._due:
            return
        self._states[name] = make()
        began = time.monotonic()
        self._write()
        now = time.monotonic()
        self._due = now + max(SECONDS_BETWEEN, (now - began) / WRITING_SHARE)

    def remove(self) -> None:
        """Remove the file that this run wrote or went on from: nothing can follow any more."""
        if self._is_ours and is_checkpoint(self.path):
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _write(self) -> None:
        try:
            write_checkpoint(self.path, self._origin, self._states)
            self._is_ours = True
        except OSError as error:
            # The training itself is worth more than the chance to resume it.
            if not self._warned:
                log.warning("No checkpoint can be written to %s: %s.", self.path, reason_of(error))
            self._warned = True


class _FileSlot(Slot):
    def __init__(self, checkpoint: Checkpoint, name: str, state: State | None) -> None:
        self._checkpoint, self._name, self.state = checkpoint, name, state

    def offer(self, make: Callable[[], State], finished: bool = False) -> None:
        self._checkpoint.offer(self._name, make, finished)


@dataclass(frozen=True)
class Saved:
    """What a checkpoint file holds: where it comes from, and the state of each fit.

    `way_out` is what a person must do to begin again, for sentences.
    """

    path: Path
    origin: Origin
    states: Mapping[str, State]
    way_out: str = WITHOUT_RESUME

    def require(self, origin: Origin) -> None:
        """Raise CheckpointError, with the difference named, unless it comes from there."""
        for name in dict.fromkeys([*origin, *self.origin]):
            there, here = self.origin.get(name, "none"), origin.get(name, "none")
            if there != here:
                raise CheckpointError(
                    f"The checkpoint {self.path} belongs to another training: {_difference(name, there, here)}. "
                    f"Use the options and photos that it was made with, or {self.way_out} to start again."
                )


@dataclass(frozen=True)
class _Fit:
    """What the header says of one fit."""

    name: str
    values: dict[str, Any]
    arrays: tuple[str, ...]


@dataclass(frozen=True)
class _Header:
    """The first entry of a checkpoint file."""

    format_version: int
    origin: dict[str, Any] = field(default_factory=dict)
    fits: tuple[_Fit, ...] = ()


def _text(entries: Mapping[str, Array]) -> str:
    """The text of the header. Raises ForeignFileError."""
    entry = entries.get(FORMAT)
    if entry is None or entry.dtype.kind != "U" or entry.size != 1:
        raise ForeignFileError("it has no header")
    return str(entry.reshape(-1)[0])


def check_checkpoint_path(path: Path) -> None:
    """Refuse, before any work, to write a checkpoint over something else. Raises OptionError.

    What a killed run has left beside it is removed.
    """
    remove_leftovers(Path(os.path.realpath(path)).parent)
    if os.path.lexists(path) and not is_checkpoint(path):
        raise OptionError(
            f"`checkpoint_path` {path} is not a checkpoint of this project: move it away, or choose another name."
        )


def is_checkpoint(path: Path) -> bool:
    """Whether a file begins as a checkpoint does, damaged or not."""
    try:
        with open(path, "rb") as file:
            return file.read(_NAME_AT + len(_FIRST_NAME))[_NAME_AT:] == _FIRST_NAME
    except OSError:
        return False


def write_checkpoint(path: Path, origin: Origin, states: Mapping[str, State]) -> None:
    """Write a checkpoint file, replacing one that is there. Raises OSError."""
    header = {
        "format_version": FORMAT_VERSION,
        "origin": dict(origin),
        "fits": [
            {"name": name, "values": dict(state.values), "arrays": list(state.arrays)} for name, state in states.items()
        ],
    }
    # The header first: `is_checkpoint` looks at the first entry.
    entries: dict[str, Array] = {FORMAT: np.array(json.dumps(header))}
    for number, state in enumerate(states.values()):
        entries |= {f"{number}/{name}": array for name, array in state.arrays.items()}
    target = Path(os.path.realpath(path))
    with temporary_folder(target.parent) as temporary:
        with open(temporary / target.name, "wb") as file:
            np.savez(file, **entries)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary / target.name, target)


def read_checkpoint(path: Path, way_out: str = WITHOUT_RESUME) -> Saved | None:
    """Read a checkpoint file; None if there is none. `way_out` is what a person must do to begin again.

    Raises CheckpointError if it is damaged, of another version, or something else.
    """
    if not os.path.lexists(path):
        return None
    try:
        # They are kept as they are, so all of them are as large as the file.
        entries = read_npz(path, os.stat(path).st_size)
        header = convert(json.loads(_text(entries)), _Header)  # Python's JSON: a state may hold an infinity
        if header.format_version == FORMAT_VERSION:
            states = {
                fit.name: State({name: entries[f"{number}/{name}"] for name in fit.arrays}, fit.values)
                for number, fit in enumerate(header.fits)
            }
            return Saved(path, header.origin, states, way_out)
    except OSError as error:
        raise CheckpointError(f"The checkpoint {path} cannot be read: {reason_of(error)}.") from None
    except (ValueError, KeyError, RecursionError) as error:  # ForeignFileError among them
        raise CheckpointError(f"The checkpoint {path} is damaged ({error}): {way_out} to start again.") from None
    raise CheckpointError(
        f"The checkpoint {path} was written by another version of this project: {way_out} to start again."
    )


def _difference(name: str, there: object, here: object) -> str:
    if isinstance(there, list) and isinstance(here, list):
        lost, new = ([str(x) for x in one if x not in other] for one, other in ((there, here), (here, there)))
        parts = [f"{word} {_shown(', '.join(names))}" for word, names in (("had", lost), ("lacked", new)) if names]
        return f"its {name} {' and '.join(parts)}" if parts else f"its {name} were in another order"
    return f"its {name} was {_shown(there)}, here it is {_shown(here)}"


def _shown(value: object) -> str:
    text = str(value)
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return f"{text[:12]}…"  # a digest
    return text if len(text) <= 60 else f"{text[:57]}…"
