"""Progress of the studio's work: to the pages that are open."""

from collections.abc import Callable
from dataclasses import replace

from retrain.core.progress import EpochPoint, TrainingPoint
from retrain.studio.known import Work

Show = Callable[[Work], None]


class Telling:
    """Shows how far a work has come; `point` is given those of the curve of a training."""

    def __init__(self, work: Work, show: Show, point: Callable[[TrainingPoint], None] = lambda point: None) -> None:
        self._work, self._show, self._point = work, show, point

    def at(self, done: int, total: int | None) -> None:
        """So many are done."""
        self._tell(replace(self._work, done=done, total=total))

    def say(self, sentence: str) -> None:
        self._tell(replace(self._work, sentence=sentence))

    def downloading(self, done: int, total: int | None) -> None:
        self.at(done, total)

    def opening(self, done: int, total: int) -> None:
        self.at(done, total)

    def unpacking(self, done: int, total: int) -> None:
        self.at(done, total)

    def extracting(self, photos: int) -> Callable[[int, int], None]:
        return lambda done, computed: self.at(done, photos)

    def evaluating(self, photos: int) -> Callable[[int], None]:
        return lambda done: self.at(done, photos)

    def writing(self, rows: int) -> Callable[[int], None]:
        return lambda done: self.at(done, rows)

    def examining(self, photos: int) -> Callable[[int], None]:
        return lambda done: self.at(done, photos)

    def training(self, point: TrainingPoint) -> None:
        self._point(point)

    def epoch(self, what: str, progress: EpochPoint) -> None: ...

    def finish(self) -> None: ...

    def _tell(self, work: Work) -> None:
        self._work = work
        self._show(work)
