"""A function that is told how far a step is, and may end it: what Python users pass as `observe`.

    fit_head(bottlenecks, division, observe=lambda done, total: done < 10)

It is told what a `Progress` is told, as two numbers; the total is None where nobody knows it.
"""

from collections.abc import Callable

import numpy as np

from retrain.core.errors import OptionError, Stopped
from retrain.core.progress import EpochPoint, Progress, TrainingPoint

Observe = Callable[[int, int | None], object]  # False ends the step
METHODS = [name for name in vars(Progress) if not name.startswith("_")]


def not_observed(done: int, total: int | None) -> None:
    """Nobody is told."""


def ending(observe: Observe) -> Callable[[int, int | None], None]:
    """The function, which raises Stopped where it returned False. Raises OptionError for what cannot be called."""
    if not callable(observe):
        raise OptionError(
            f"`observe` takes a function of two numbers, how much is done and of how much; got "
            f"{type(observe).__name__}."
        )

    def tell(done: int, total: int | None) -> None:
        said = observe(done, total)
        if isinstance(said, bool | np.bool_) and not said:
            raise Stopped("Stopped, as `observe` returned False. What is kept already stays.")

    return tell


def observed(progress: Progress, observe: Observe) -> Progress:
    """A progress that tells `observe`, too. Raises OptionError for what is neither."""
    check_progress(progress)
    return progress if observe is not_observed else _Observed(progress, ending(observe))


def check_progress(progress: Progress) -> None:
    """Refuse what has not the methods of a progress. Raises OptionError."""
    missing = [name for name in METHODS if not callable(getattr(progress, name, None))]
    if missing:
        what = "a function" if callable(progress) and not isinstance(progress, type) else type(progress).__name__
        raise OptionError(
            f"`progress` takes TerminalScreen(), or what has its methods ({missing[0]} is not there); got {what}. A "
            "function that is told how far a step is goes to `observe`."
        )


class _Observed:
    """Tells both."""

    def __init__(self, progress: Progress, tell: Callable[[int, int | None], None]) -> None:
        self._progress = progress
        self._tell = tell

    def say(self, sentence: str) -> None:
        self._progress.say(sentence)

    def downloading(self, done: int, total: int | None) -> None:
        self._progress.downloading(done, total)
        self._tell(done, total)

    def opening(self, done: int, total: int) -> None:
        self._progress.opening(done, total)
        self._tell(done, total)

    def unpacking(self, done: int, total: int) -> None:
        self._progress.unpacking(done, total)
        self._tell(done, total)

    def extracting(self, photos: int) -> Callable[[int, int], None]:
        inner = self._progress.extracting(photos)

        def observe(done: int, computed: int) -> None:
            inner(done, computed)
            self._tell(done, photos)

        return observe

    def evaluating(self, photos: int) -> Callable[[int], None]:
        return self._counting(self._progress.evaluating(photos), photos)

    def writing(self, rows: int) -> Callable[[int], None]:
        return self._counting(self._progress.writing(rows), rows)

    def examining(self, photos: int) -> Callable[[int], None]:
        return self._counting(self._progress.examining(photos), photos)

    def training(self, point: TrainingPoint) -> None:
        self._progress.training(point)
        self._tell(point.step, point.total)

    def epoch(self, what: str, progress: EpochPoint) -> None:
        self._progress.epoch(what, progress)
        self._tell(progress.batch, progress.batches)

    def finish(self) -> None:
        self._progress.finish()

    def _counting(self, inner: Callable[[int], None], total: int) -> Callable[[int], None]:
        def observe(done: int) -> None:
            inner(done)
            self._tell(done, total)

        return observe
