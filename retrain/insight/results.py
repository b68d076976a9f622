"""What a run says at its end: ten lines with rich's markup, and the command that tries the new model."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from retrain.insight.terminal_text import escape, print_line
from retrain.photos.classes import index_by_label
from retrain.runs.train import Run
from retrain.training.metrics import most_confused

THREADED = ("read", "decode")  # stages whose seconds are summed over threads


def show_results(run: Run, console: Console) -> None:
    """The end of a run: the lines that matter. Tables are in the report, and in `retrain evaluate`."""
    for line in result_lines(run):
        print_line(console, line)
    # Not broken into rows: pasted, it is one command.
    console.print(f"try it: {shown(shlex.join(command_to_try(run)))}", soft_wrap=True)


def show_misclassified(run: Run, top_k: int, console: Console) -> None:
    """The test photos that were taken for another class, each with its `top_k` answers."""
    index_of = index_by_label(run.labels)
    print_line(console, "misclassified test photos:")
    for row, probabilities in zip(run.trained.test_rows, run.trained.test_probabilities, strict=True):
        photo = run.extraction.photos[row]
        if probabilities.argmax() == index_of[photo.label]:
            continue
        best = probabilities.argsort()[::-1][:top_k]
        answers = ", ".join(f"{run.labels[i]} {probabilities[i]:.2f}" for i in best)
        print_line(console, f"  {shown(photo.path)}: {escape(answers)}")


def result_lines(run: Run) -> Iterator[str]:
    """What a run found out and made, as lines with markup."""
    extraction, trained = run.extraction, run.trained
    yield (
        f"[bold]{len(extraction.photos)}[/] photos of {len(run.labels)} classes; "
        f"{len(extraction.skipped)} skipped; bottlenecks: {extraction.hits} cached, {extraction.computed} computed"
        + (f", {extraction.set_aside} damaged shards set aside" if extraction.set_aside else "")
    )
    gone = trained.bottlenecks.gone
    if gone:
        proven = ", and so the files are proven on built-in pictures" if gone == len(extraction.photos) else ""
        yield f"gone: {gone} of the photos; their bottlenecks were used{proven}"
    if extraction.skipped:
        first = extraction.skipped[0]
        more = f", and {len(extraction.skipped) - 1} more" if len(extraction.skipped) > 1 else ""
        where = escape(str(run.config.export.output_dir / "skipped.csv"))
        yield f"skipped: {shown(first.path)} {escape(first.reason)}{more}: see {where}"
    yield f"validation: {trained.validation}"
    how = f"{max(run.division.folds) + 1}-fold cross-validation, " if run.division.folds else ""
    yield f"[bold]test: {how}{trained.test}[/]"
    mistakes = [f"{photos} of {true} for {predicted}" for true, predicted, photos in most_confused(trained.test, 3)]
    if mistakes:
        yield f"taken for another: {escape(', '.join(mistakes))}"
    confidence = trained.confidence
    if confidence is not None and trained.test.ece is not None:
        error = f"calibration error {trained.test.ece:.3f} (by sample size alone {trained.test.ece_by_chance:.3f})"
        unknown = f"; unknown: {confidence.refused} of {trained.test.n} photos"
        yield error + (unknown if confidence.refused is not None else "")
    yield f"seconds: {_stages(run.seconds)}"
    yield f"written: {', '.join(shown(str(path)) for path in run.written)}"


def _stages(seconds: Mapping[str, float]) -> str:
    """The stages of a run that took a while, in seconds. Reading and decoding are summed over threads."""
    total = seconds.get("total", 0.0)
    shown = [(name, spent) for name, spent in seconds.items() if spent >= max(0.05, 0.02 * total)]
    stages = "  ".join(f"{name}{'*' if name in THREADED else ''} {spent:.1f}" for name, spent in shown)
    return stages + ("  (*: all threads)" if any(name in THREADED for name, _ in shown) else "")


def label_image_command() -> list[str]:
    """How `label_image` is called here, so that it can be pasted: the one of this installation."""
    script = shutil.which("label_image", path=str(Path(sys.executable).parent))
    if script is None:
        return [sys.executable, "-m", "label_image"]
    on_path = shutil.which("label_image")
    if on_path is not None and os.path.samefile(script, on_path):
        return ["label_image"]
    here = os.path.relpath(script)
    return [script if here.startswith(os.pardir) else here]


def command_to_try(run: Run) -> list[str]:
    """The command that labels a photo with the new model: a test photo where there is one, which it has not seen."""
    photos = run.extraction.photos
    candidates = (*(photos[row] for row in run.trained.test_rows), *photos)
    photo = next((photo.path for photo in candidates if not photo.gone), "photo.jpg")
    return [*label_image_command(), "--model", str(run.config.export.output_dir), photo]


def shown(path: str) -> str:
    """A path as text that any terminal takes, also where its bytes are not UTF-8."""
    return escape(os.fsencode(path).decode(errors="backslashreplace"))
