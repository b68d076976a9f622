"""What is told of a work while it is done: one protocol, which a terminal, a page or a test shows in its own way.

Whoever works knows nothing of a screen. What a training tells are its own values; what anybody may want to show of
them is said here.
"""

from collections.abc import Callable
from typing import Protocol


class TrainingPoint(Protocol):
    """A point of the curve of a head; `total` is the number of its steps, where that is known."""

    @property
    def step(self) -> int: ...
    @property
    def total(self) -> int | None: ...
    @property
    def training_accuracy(self) -> float: ...
    @property
    def training_cross_entropy(self) -> float: ...
    @property
    def validation_accuracy(self) -> float | None: ...
    @property
    def validation_cross_entropy(self) -> float | None: ...


class Validation(Protocol):
    """How good a network was at the end of an epoch."""

    @property
    def validation_accuracy(self) -> float: ...
    @property
    def validation_cross_entropy(self) -> float: ...


class EpochPoint(Protocol):
    """Where a training on photos is: after a batch of an epoch; `validation` is there at its end."""

    @property
    def epoch(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def batches(self) -> int: ...
    @property
    def training_accuracy(self) -> float: ...
    @property
    def training_cross_entropy(self) -> float: ...
    @property
    def validation(self) -> Validation | None: ...
    @property
    def seconds_left(self) -> float: ...


class Progress(Protocol):
    """What is told while a run works."""

    def say(self, sentence: str) -> None:
        """One sentence that a person should know."""

    def downloading(self, done: int, total: int | None) -> None:
        """Bytes of a file, of so many where that is known."""

    def opening(self, done: int, total: int) -> None:
        """Bytes of an archive that are unpacked."""

    def unpacking(self, done: int, total: int) -> None:
        """Photos of a source that are written as files."""

    def extracting(self, photos: int) -> Callable[[int, int], None]:
        """Bottlenecks of so many photos begin; what is returned is told how many are done, and were computed."""

    def evaluating(self, photos: int) -> Callable[[int], None]:
        """An evaluation on so many photos begins; what is returned is told how many are done."""

    def writing(self, rows: int) -> Callable[[int], None]:
        """A table of so many rows begins; what is returned is told how many are written."""

    def examining(self, photos: int) -> Callable[[int], None]:
        """An examination of so many photos begins; what is returned is told how far it is, in photos."""

    def training(self, point: TrainingPoint) -> None:
        """The training of a head has come to this point."""

    def epoch(self, what: str, progress: EpochPoint) -> None:
        """A training on photos, called `what`, has come to this batch."""

    def finish(self) -> None:
        """What was going on has ended."""


class Silent:
    """Tells nobody."""

    def say(self, sentence: str) -> None: ...
    def downloading(self, done: int, total: int | None) -> None: ...
    def opening(self, done: int, total: int) -> None: ...
    def unpacking(self, done: int, total: int) -> None: ...
    def extracting(self, photos: int) -> Callable[[int, int], None]:
        return lambda done, computed: None

    def evaluating(self, photos: int) -> Callable[[int], None]:
        return lambda done: None

    def writing(self, rows: int) -> Callable[[int], None]:
        return lambda done: None

    def examining(self, photos: int) -> Callable[[int], None]:
        return lambda done: None

    def training(self, point: TrainingPoint) -> None: ...
    def epoch(self, what: str, progress: EpochPoint) -> None: ...
    def finish(self) -> None: ...


SILENT = Silent()
