"""What `retrain evaluate` shows on the screen and writes to files."""

import csv
import os
from pathlib import Path

from rich.console import Console

from label_image.files import temporary_folder
from retrain.core.errors import ExportError
from retrain.core.outputs import check_file, check_not_among_photos, place
from retrain.insight.metrics_tables import WIDEST_CONFUSION, class_table, confusion_table
from retrain.insight.terminal_text import escape
from retrain.photos.left_out import in_words
from retrain.runs.evaluate import Evaluation
from retrain.training.metrics import most_confused


def summary(evaluation: Evaluation) -> dict[str, object]:
    """The object that `--json` prints."""
    metrics = evaluation.metrics
    strangers = evaluation.strangers
    return {
        **metrics.headline(),
        "top_k": metrics.top_k,
        "cross_entropy": metrics.cross_entropy,
        "ece": metrics.ece,
        "ece_by_chance": metrics.ece_by_chance,
        "reliability": [vars(entry) for entry in metrics.reliability],
        "macro": None if metrics.macro is None else vars(metrics.macro),
        "weighted": None if metrics.weighted is None else vars(metrics.weighted),
        "classes": [vars(entry) for entry in metrics.classes],
        "confusion": metrics.confusion,
        "called_unknown": None if evaluation.refused is None else int(evaluation.refused.sum()),
        "strangers": None if strangers is None else vars(strangers),
        "left_out": evaluation.left_out,
        "skipped": len(evaluation.skipped),
    }


def show_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Tables, and the figures that matter last."""
    metrics = evaluation.metrics
    if metrics.n:
        console.print(class_table(metrics))
    if metrics.n and len(evaluation.labels) <= WIDEST_CONFUSION:
        console.print(confusion_table(metrics))
    for true, predicted, photos in most_confused(metrics, 3):
        console.print(f"{photos} of {escape(true)} were taken for {escape(predicted)}", soft_wrap=True)
    for item in evaluation.skipped[:3]:
        console.print(f"skipped: {_shown(item.path)} {escape(item.reason)}", soft_wrap=True)
    if len(evaluation.skipped) > 3:
        reasons = in_words(item.reason for item in evaluation.skipped)
        console.print(f"{len(evaluation.skipped)} photos were skipped: {escape(reasons)}", soft_wrap=True)
    top = ", ".join(f"{share:.1%} among the first {k}" for k, share in metrics.top_k.items() if k > 1)
    if top:
        console.print(f"the right class: {top}", soft_wrap=True)
    if metrics.ece is not None:
        by_chance = f"{metrics.ece_by_chance:.3f} expected from sample size alone"
        console.print(f"calibration error (ECE): {metrics.ece:.3f} ({by_chance})")
    if evaluation.refused is not None and metrics.n:
        console.print(
            f"called unknown: {_share(int(evaluation.refused.sum()), metrics.n)} of the photos of known classes"
        )
    strangers = evaluation.strangers
    if strangers is not None:
        names = ", ".join(strangers.labels[:3]) + (" …" if len(strangers.labels) > 3 else "")
        how = "" if strangers.refused is None else f"; called unknown: {_share(strangers.refused, strangers.photos)}"
        text = f"{strangers.photos} photos are of classes that the model does not know ({names}){how}"
        console.print(escape(text), soft_wrap=True)
    console.print(f"[bold]{metrics}[/]", soft_wrap=True)


def check_predictions(path: Path, source: str) -> None:
    """Refuse, before any work, what `write_predictions` would not write. Raises OptionError or ExportError."""
    check_file(path, "`predictions`")
    check_not_among_photos(Path(source), {"`predictions`": path})


def write_predictions(evaluation: Evaluation, path: Path) -> None:
    """One line for each photo: path, class, answer, its probability, unknown.

    What differs and is there already is kept beside it. Raises ExportError.
    """
    refused = evaluation.refused
    answers = evaluation.probabilities.argmax(axis=1)
    try:
        with temporary_folder(path.parent) as temporary:
            # surrogateescape: a file name that is not UTF-8 is written as the bytes it has.
            with open(temporary / path.name, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(("path", "class", "answer", "probability", "unknown"))
                for row, (photo, answer) in enumerate(zip(evaluation.photos, answers, strict=True)):
                    probability = evaluation.probabilities[row, answer]
                    unknown = "" if refused is None else str(bool(refused[row])).lower()
                    writer.writerow((photo.path, photo.label, evaluation.labels[answer], f"{probability:.6f}", unknown))
            place(temporary / path.name, path)
    except OSError as error:
        raise ExportError(f"`predictions` {path} cannot be written: {error.strerror}.") from None


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "0 of 0"


def _shown(path: str) -> str:
    return escape(os.fsencode(path).decode(errors="backslashreplace"))
