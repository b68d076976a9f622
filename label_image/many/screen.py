"""What a person sees while many photos are labelled, and at the end."""

import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence
from types import TracebackType

from label_image.rows import Row
from label_image.terminal import complain, shown

MOST_ERRORS = 10  # that are shown where all of them are in a table
MOST_CLASSES = 20  # in the summary
SECONDS = 0.2  # between two states of the bar


class Screen:
    """The bar and the errors, on standard error."""

    def __init__(self, total: int | None, most_errors: int | None, doing: str = "Labelling") -> None:
        """`total` photos are expected, without it there is no bar; of errors the first `most_errors` are shown."""
        self._total = total
        self._doing = doing
        self._most_errors = most_errors
        self._errors = 0
        self._done = 0
        self._drawn = 0.0

    def __enter__(self) -> "Screen":
        self._progress = None
        if self._total is not None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn(self._doing), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
                console=Console(stderr=True), refresh_per_second=4,
            )  # fmt: skip
            self._task = self._progress.add_task("", total=self._total, rate="")
            self._progress.start()
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._draw()
            self._progress.stop()

    def done(self, row: Row) -> None:
        """A photo is done with."""
        self._done += 1
        if row.error:
            self._errors += 1
            if self._most_errors is None or self._errors <= self._most_errors:
                self.say(f"Error: {row.sentence}")
            elif self._most_errors and self._errors == self._most_errors + 1:
                self.say("Further errors are in the table.")
        if self._progress is not None and time.monotonic() - self._drawn > SECONDS:
            self._draw()

    def say(self, sentence: str) -> None:
        """A sentence that the user should know; the bar stays below it."""
        if self._progress is not None and sys.stderr.isatty():
            self._progress.console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        else:
            complain(sentence)

    def _draw(self) -> None:
        assert self._progress is not None
        self._drawn = time.monotonic()
        rate = self._done / max(self._drawn - self._began, 1e-3)
        self._progress.update(self._task, completed=self._done, rate=f"{rate:.0f} photos/s")


def say_passed_over(videos: Collection[str], no_photos: Collection[str]) -> None:
    """How many videos there were, and files whose names say that they are no photos, if any."""
    for paths, one, more in (
        (videos, "video", "videos"),
        (no_photos, "file that is no photo by its name", "files that are no photos by their names"),
    ):
        if paths:
            complain(f"Passed over: {len(paths)} {one if len(paths) == 1 else more}, such as {shown(min(paths))}.")


def number_of_photos(count: int) -> str:
    """As it is said of one, and of more."""
    return f"{count:,} photo{'' if count == 1 else 's'}"


def summary(
    counts: Counter[str | None], failed: int, before: int, seconds: float, done: str = "labelled"
) -> Sequence[str]:
    """How many photos got which label (None: unknown, "": none was asked for), in all and in this run."""
    unknown = counts[None]
    labelled = counts.total() - unknown
    of_unknown = f"{unknown:,} unknown, " if done == "labelled" else ""
    total = counts.total() + failed
    new = total - before
    speed = f"{new:,} in {seconds:.0f} s, {new / max(seconds, 1e-3):.0f} photos/s"
    lines = [f"{number_of_photos(total)}: {labelled:,} {done}, {of_unknown}{failed:,} could not be read ({speed})"]
    if before:
        lines.append(f"{before:,} of them were {done} before.")
    known = [(label, count) for label, count in counts.most_common() if label and count]
    width = max((len(f"{count:,}") for _, count in known), default=0)
    lines += [f"  {count:>{width},}  {shown(label)}" for label, count in known[:MOST_CLASSES]]
    if len(known) > MOST_CLASSES:
        lines.append(f"  {'':>{width}}  … and {len(known) - MOST_CLASSES} more classes")
    return lines
