"""What a person sees on a terminal while `retrain` works: phases with their progress, and what is said between."""

import time
from collections.abc import Callable
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from retrain.core.progress import EpochPoint, TrainingPoint
from retrain.insight.terminal_text import escape, print_line

SECONDS_WITHOUT_BAR = 1.0


class TerminalScreen:
    """Shows a run on a terminal: its progress, on standard error (`retrain.core.progress`).

    What is said is put through `words` before.
    """

    def __init__(self, words: Callable[[str], str] = str) -> None:
        self._words = words
        self._progress_console = Console(stderr=True, force_jupyter=False)  # which would ask for ipywidgets
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""  # the description of the bar
        self._bytes_done = 0
        self._last_seen = time.monotonic()  # when a bar moved or left
        self._training: tuple[float, int, float] | None = None  # its beginning; step and time of its first point

    def say(self, sentence: str) -> None:
        """One sentence that the user should know."""
        print_line(self._progress_console, escape(self._words(sentence)))

    def downloading(self, done: int, total: int | None) -> None:
        """Called for every chunk of a download; one that goes on after a break begins where it ended."""
        self._bytes("Downloading", done, total)

    def opening(self, done: int, total: int) -> None:
        """Called while an archive is unpacked."""
        self._bytes("Unpacking", done, total)

    def unpacking(self, done: int, total: int) -> None:
        """Called while the photos of a source are written as files."""
        self._counting("Unpacking photos", total, MofNCompleteColumn())(done)

    def extracting(self, photos: int) -> Callable[[int, int], None]:
        """Returns the observer of an extraction over `photos` photos."""

        def observe(done: int, computed: int) -> None:
            if self._progress is None:
                columns = (
                    TextColumn("{task.description}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TextColumn("{task.fields[rate]}"),
                    TimeRemainingColumn(),
                    TextColumn("{task.fields[cache]}"),
                )
                self._begin(Progress(*columns, console=self._progress_console), "Bottlenecks", photos)
            speed = self._speed(computed)
            self._update(
                completed=done, rate=f"{speed:.0f} photos/s", cache=f"{done - computed} cached, {computed} computed"
            )

        return observe

    def evaluating(self, photos: int) -> Callable[[int], None]:
        """Returns the observer of an evaluation on `photos` photos."""
        return self._counting("Evaluating", photos, MofNCompleteColumn())

    def writing(self, rows: int) -> Callable[[int], None]:
        """Returns the observer of a table of `rows` rows."""
        return self._counting("Writing", rows, MofNCompleteColumn())

    def examining(self, photos: int) -> Callable[[int], None]:
        """Returns the observer of an examination of `photos` photos."""
        return self._counting("Examining", photos, TaskProgressColumn())

    def training(self, progress: TrainingPoint) -> None:
        """Called at each point of a training curve; one that takes a second or two has no bar."""
        now = time.monotonic()
        if self._training is None or progress.step <= self._training[1]:
            began = self._last_seen
            self.finish()
            self._training = (began, progress.step, now)
        began, first_step, first_time = self._training
        if self._progress is None and now - began > SECONDS_WITHOUT_BAR:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"))
            self._begin(Progress(*columns, console=self._progress_console), "Training", progress.total)
        self._update(completed=progress.step + 1, figures=_figures(progress, first_step, first_time, now))
        if progress.total is not None and progress.step + 1 >= progress.total:
            self.finish()

    def epoch(self, what: str, progress: EpochPoint) -> None:
        """Called after each batch of a training on photos; `what` it is called."""
        if self._progress is None:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"))
            self._begin(Progress(*columns, console=self._progress_console), what, progress.epochs * progress.batches)
        parts = [f"epoch {progress.epoch} of {progress.epochs}"]
        # Before what a terminal of 80 columns cuts off.
        parts.append(f"at most {timedelta(seconds=round(progress.seconds_left))} left")
        parts.append(f"loss {progress.training_cross_entropy:.3f}  accuracy {progress.training_accuracy:.1%}")
        if progress.validation is not None:
            validation = progress.validation
            parts.append(f"validation {validation.validation_cross_entropy:.3f}, {validation.validation_accuracy:.1%}")
        done = (progress.epoch - 1) * progress.batches + progress.batch
        self._update(completed=done, figures="  ".join(parts))

    def finish(self) -> None:
        """Take a progress bar off the screen."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        self._last_seen = time.monotonic()
        self._training = None

    def _counting(self, what: str, total: int, column: ProgressColumn) -> Callable[[int], None]:
        """A bar from 0 to a total: how much, and the time left."""

        def observe(done: int) -> None:
            if self._progress is None:
                columns = (TextColumn("{task.description}"), BarColumn(), column, TimeRemainingColumn())
                self._begin(Progress(*columns, console=self._progress_console), what, total)
            self._update(completed=done)
            if done >= total:
                self.finish()

        return observe

    def _bytes(self, what: str, done: int, total: int | None) -> None:
        """A bar of bytes: of how many, how fast, and the time left."""
        if self._progress is not None and (self._what != what or done < self._bytes_done):
            self.finish()  # another one, or the next file
        if self._progress is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
            )
            self._begin(Progress(*columns, console=self._progress_console), what, total, done)
        self._bytes_done = done
        self._update(completed=done, total=total)
        if total is not None and done >= total:
            self.finish()

    def _begin(self, progress: Progress, description: str, total: int | None, done: int = 0) -> None:
        self._progress, self._what = progress, description
        progress.start()
        # What was done before counts for no speed.
        self._task = progress.add_task(description, total=total, completed=done, rate="", cache="", figures="")

    def _update(self, **fields: object) -> None:
        self._last_seen = time.monotonic()
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, **fields)  # type: ignore[arg-type]

    def _speed(self, computed: int) -> float:
        if self._progress is None or not self._progress.tasks or not self._progress.tasks[0].elapsed:
            return 0.0
        return computed / max(self._progress.tasks[0].elapsed, 1e-3)


def _figures(progress: TrainingPoint, first_step: int, first_time: float, now: float) -> str:
    """Loss, accuracy and time left, from the speed since the first point."""
    parts = [f"loss {progress.training_cross_entropy:.3f}", f"accuracy {progress.training_accuracy:.1%}"]
    if progress.validation_cross_entropy is not None:
        parts.append(f"validation {progress.validation_cross_entropy:.3f}, {progress.validation_accuracy:.1%}")
    if progress.total is not None and progress.step > first_step:
        left = (now - first_time) / (progress.step - first_step) * (progress.total - progress.step - 1)
        parts.append(f"{timedelta(seconds=round(left))} left")
    return "  ".join(parts)
