"""What a person sees while `retrain` works: phases with progress, then the lines that matter."""

import os
import shlex
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from retrain.head import Progress as TrainingProgress
from retrain.metrics import most_confused
from retrain.pipeline import Run
from retrain.terminal_text import escape

if TYPE_CHECKING:
    from retrain.photo_training.keras_training import EpochProgress

SECONDS_WITHOUT_BAR = 1.0


class QuietScreen:
    """Shows nothing."""

    def say(self, sentence: str) -> None: ...
    def downloading(self, done: int, total: int | None) -> None: ...
    def unpacking(self, done: int, total: int) -> None: ...
    def extracting(self, photos: int) -> Callable[[int, int], None]:
        return lambda done, computed: None

    def training(self, progress: TrainingProgress) -> None: ...
    def epoch(self, what: str, progress: "EpochProgress") -> None: ...
    def finish(self) -> None: ...
    def results(self, run: Run) -> None: ...


class TerminalScreen:
    """Shows a run on a terminal. Progress goes to standard error, results to `results_to`."""

    def __init__(self, results_to_stderr: bool) -> None:
        self._progress_console = Console(stderr=True)
        self._console = Console(stderr=results_to_stderr, highlight=False)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._last_seen = time.monotonic()  # when a bar moved or left
        self._training: tuple[float, int, float] | None = None  # its beginning; step and time of its first point

    def say(self, sentence: str) -> None:
        """One sentence that the user should know."""
        self._progress_console.print(escape(sentence), highlight=False)

    def downloading(self, done: int, total: int | None) -> None:
        """Called for every chunk of a download."""
        if self._progress is None:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
            self._begin(Progress(*columns, console=self._progress_console), "Downloading weights", total)
        self._update(completed=done)
        if total is not None and done >= total:
            self.finish()

    def unpacking(self, done: int, total: int) -> None:
        """Called while the photos of a source are written as files."""
        if self._progress is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._begin(Progress(*columns, console=self._progress_console), "Unpacking photos", total)
        self._update(completed=done)
        if done >= total:
            self.finish()

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

        def observe(done: int) -> None:
            if self._progress is None:
                columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
                self._begin(Progress(*columns, console=self._progress_console), "Evaluating", photos)
            self._update(completed=done)
            if done >= photos:
                self.finish()

        return observe

    def training(self, progress: TrainingProgress) -> None:
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

    def epoch(self, what: str, progress: "EpochProgress") -> None:
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

    def results(self, run: Run) -> None:
        """The end of a run: the lines that matter. Tables are in the report, and in `retrain evaluate`."""
        self.finish()
        say = partial(self._console.print, soft_wrap=True)  # paths and sentences stay on one line
        say()
        if run.options.print_misclassified_test_images:
            self._misclassified(run)
        for line in result_lines(run):
            say(line)

    def _misclassified(self, run: Run) -> None:
        index_of = {label: index for index, label in enumerate(run.labels)}
        self._console.print("misclassified test photos:")
        for row, probabilities in zip(run.trained.test_rows, run.trained.test_probabilities, strict=True):
            photo = run.extraction.photos[row]
            if probabilities.argmax() == index_of[photo.label]:
                continue
            best = probabilities.argsort()[::-1][: run.options.top_k]
            answers = ", ".join(f"{run.labels[i]} {probabilities[i]:.2f}" for i in best)
            self._console.print(f"  {_shown(photo.path)}: {escape(answers)}", soft_wrap=True)

    def _begin(self, progress: Progress, description: str, total: int | None) -> None:
        self._progress = progress
        progress.start()
        self._task = progress.add_task(description, total=total, rate="", cache="", figures="")

    def _update(self, **fields: object) -> None:
        self._last_seen = time.monotonic()
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, **fields)  # type: ignore[arg-type]

    def _speed(self, computed: int) -> float:
        if self._progress is None or not self._progress.tasks or not self._progress.tasks[0].elapsed:
            return 0.0
        return computed / max(self._progress.tasks[0].elapsed, 1e-3)


def _figures(progress: TrainingProgress, first_step: int, first_time: float, now: float) -> str:
    """Loss, accuracy and time left, from the speed since the first point."""
    parts = [f"loss {progress.training_cross_entropy:.3f}", f"accuracy {progress.training_accuracy:.1%}"]
    if progress.validation_cross_entropy is not None:
        parts.append(f"validation {progress.validation_cross_entropy:.3f}, {progress.validation_accuracy:.1%}")
    if progress.total is not None and progress.step > first_step:
        left = (now - first_time) / (progress.step - first_step) * (progress.total - progress.step - 1)
        parts.append(f"{timedelta(seconds=round(left))} left")
    return "  ".join(parts)


def _shown(path: str) -> str:
    """A path as text that any terminal takes, also where its bytes are not UTF-8."""
    return escape(os.fsencode(path).decode(errors="backslashreplace"))


def result_lines(run: Run) -> Iterator[str]:
    """What a run found out, made and suggests, as lines with markup."""
    extraction, trained = run.extraction, run.trained
    yield (
        f"[bold]{len(extraction.photos)}[/] photos of {len(run.labels)} classes; "
        f"{len(extraction.skipped)} skipped; bottlenecks: {extraction.hits} cached, {extraction.computed} computed"
        + (f", {extraction.set_aside} damaged shards set aside" if extraction.set_aside else "")
    )
    if extraction.skipped:
        first = extraction.skipped[0]
        more = f", and {len(extraction.skipped) - 1} more" if len(extraction.skipped) > 1 else ""
        where = escape(str(run.options.output_dir / "skipped.csv"))
        yield f"skipped: {_shown(first.path)} {escape(first.reason)}{more}: see {where}"
    yield f"validation: {trained.validation}"
    how = f"{max(run.division.folds) + 1}-fold cross-validation, " if run.division.folds else ""
    yield f"[bold]test: {how}{trained.test}[/]"
    mistakes = [f"{photos} of {true} for {predicted}" for true, predicted, photos in most_confused(trained.test, 3)]
    if mistakes:
        yield f"taken for another: {escape(', '.join(mistakes))}"
    confidence = trained.confidence
    if confidence is not None and trained.test.ece is not None:
        error = f"calibration error {trained.test.ece:.3f} (so few photos alone make {trained.test.ece_by_chance:.3f})"
        unknown = f"; called unknown: {confidence.refused} of {trained.test.n} test photos"
        yield error + (unknown if confidence.refused is not None else "")
    stages = "  ".join(f"{name} {seconds:.1f}" for name, seconds in run.seconds.items() if seconds >= 0.05)
    yield f"seconds: {stages}  (read and decode are summed over threads)"
    yield f"written: {', '.join(_shown(str(path)) for path in run.written)}"
    yield f"try it: label_image --model {_shown(shlex.quote(str(run.options.output_dir)))} PHOTO"
