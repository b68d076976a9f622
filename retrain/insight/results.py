"""What a run says at its end: ten lines with rich's markup, most of them before its files are written and proven."""

import os
import shlex
from collections.abc import Iterator, Mapping

from rich.console import Console

from retrain.core.language import figure, translated
from retrain.exports.folder import REMARKS
from retrain.insight.programs import program_here
from retrain.insight.retold import retold
from retrain.insight.terminal_text import escape, print_line, with_options
from retrain.photos.classes import index_by_label
from retrain.photos.left_out import in_words, what_would_help
from retrain.runs.train import Run
from retrain.training.metrics import most_confused
from retrain.training.trained import TrainedHead

MANY = 0.1  # of the photos: if more are skipped than that, it says what would help
THREADED = ("read", "decode")  # stages whose seconds are summed over threads


def show_found(trained: TrainedHead, console: Console) -> None:
    """How good a head is: the lines that matter. Tables are in the report, and in `retrain evaluate`."""
    for line in found_lines(trained):
        print_line(console, line)


def show_written(run: Run, console: Console) -> None:
    """The end of a run: what it made, once that has taken its place, and how to try it."""
    for line in written_lines(run):
        print_line(console, line)
    # Not broken into rows: pasted, it is one command.
    console.print(f"try it: {shown(shlex.join(command_to_try(run)))}", soft_wrap=True)


def show_misclassified(trained: TrainedHead, top_k: int, console: Console) -> None:
    """The test photos that were taken for another class, each with its `top_k` answers."""
    index_of = index_by_label(trained.labels)
    print_line(console, "misclassified test photos:")
    for row, probabilities in zip(trained.test_rows, trained.test_probabilities, strict=True):
        photo = trained.bottlenecks.photos[row]
        if probabilities.argmax() == index_of[photo.label]:
            continue
        best = probabilities.argsort()[::-1][:top_k]
        answers = ", ".join(f"{trained.labels[i]} {probabilities[i]:.2f}" for i in best)
        print_line(console, f"  {shown(photo.path)}: {escape(answers)}")


def found_lines(trained: TrainedHead) -> Iterator[str]:
    """What a run found out, as lines with markup."""
    extraction, gone = trained.bottlenecks.extraction, trained.bottlenecks.gone
    yield (
        f"[bold]{len(extraction.photos)}[/] photos of {len(trained.labels)} classes; "
        f"{len(extraction.skipped)} skipped; bottlenecks: {extraction.hits} cached, {extraction.computed} computed"
        + (f", {extraction.set_aside} damaged shards set aside" if extraction.set_aside else "")
    )
    if gone:
        proven = ", and so the files are proven on built-in pictures" if gone == len(extraction.photos) else ""
        yield f"gone: {gone} of the photos; their bottlenecks were used{proven}"
    folds = trained.division.number_of_folds
    if trained.validation.n:
        yield f"validation: {trained.validation}"
    yield f"[bold]{f'{folds}-fold cross-validation' if folds else 'test'}: {trained.test}[/]"
    if trained.float32_change is not None:
        yield str(trained.float32_change)
    mistakes = [f"{photos} of {true} for {predicted}" for true, predicted, photos in most_confused(trained.test, 3)]
    if mistakes:
        yield f"taken for another: {escape(', '.join(mistakes))}"
    confidence = trained.confidence
    if confidence is not None and trained.test.ece is not None:
        error = f"calibration error {trained.test.ece:.3f} (by sample size alone {trained.test.ece_by_chance:.3f})"
        unknown = f"; unknown: {confidence.refused} of {trained.test.n} photos"
        yield error + (unknown if confidence.refused is not None else "")


def written_lines(run: Run) -> Iterator[str]:
    """What a run made, as lines with markup."""
    if run.extraction.skipped:
        yield _skipped(run)
    if truncated := run.trained.bottlenecks.truncated:
        where = escape(str(run.config.export.output_dir / REMARKS))
        photos = "1 photo" if len(truncated) == 1 else f"{len(truncated)} photos"
        yield f"read as far as they go, though they end early: {photos}: see {where}"
    yield f"seconds: {stages(run.seconds)}"
    yield f"written: {', '.join(shown(str(path)) for path in run.written)}"


def _skipped(run: Run) -> str:
    """What was left out: the one file with its reason, or how many for which reason; and where all are listed."""
    first, *more = run.extraction.skipped
    where = escape(str(run.config.export.output_dir / "skipped.csv"))
    if not more:
        return f"skipped: {shown(first.path)} {escape(with_options(first.reason))}: see {where}"
    reasons = [item.reason for item in run.extraction.skipped]
    advice = what_would_help(reasons) if len(reasons) > MANY * len(run.extraction.photos) else ""
    more_said = f". {escape(with_options(advice))}." if advice else ""
    return f"skipped: {escape(with_options(in_words(reasons)))}: see {where}{more_said}"


def stages(seconds: Mapping[str, float]) -> str:
    """The stages of a run that took a while, in seconds. Reading and decoding are summed over threads."""
    total = seconds.get("total", 0.0)
    shown = [(name, spent) for name, spent in seconds.items() if spent >= max(0.05, 0.02 * total)]
    stages = "  ".join(
        f"{retold(name)}{'*' if name in THREADED else ''} {figure(spent, '.1f')}" for name, spent in shown
    )
    if any(name in THREADED for name, _ in shown):
        stages = "  ".join((stages, translated("(*: all threads)")))
    return stages


def with_report(seconds: Mapping[str, float], spent: float) -> dict[str, float]:
    """The seconds of a run with those that were spent on the pages about it, which are part of the total."""
    others = {name: value for name, value in seconds.items() if name not in ("report", "total")}
    return {**others, "report": seconds.get("report", 0.0) + spent, "total": seconds.get("total", 0.0) + spent}


def label_image_command() -> list[str]:
    """How `label_image` is called here, so that it can be pasted: the one of this installation."""
    return program_here("label_image")


def command_to_try(run: Run) -> list[str]:
    """The command that labels a photo with the new model: a test photo where there is one, which it has not seen."""
    photos = run.extraction.photos
    candidates = (*(photos[row] for row in run.trained.test_rows), *photos)
    photo = next((photo.path for photo in candidates if not photo.gone), "photo.jpg")
    return [*label_image_command(), "--model", str(run.config.export.output_dir), photo]


def shown(path: str) -> str:
    """A path as text that any terminal takes, also where its bytes are not UTF-8."""
    return escape(os.fsencode(path).decode(errors="backslashreplace"))
