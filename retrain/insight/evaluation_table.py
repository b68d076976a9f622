"""What `retrain evaluate` shows on the screen and writes to files."""

import os

from rich.console import Console

from retrain.insight.metrics_tables import WIDEST_CONFUSION, class_table, confusion_table
from retrain.insight.terminal_text import escape, with_options
from retrain.photos.division import group_numbers
from retrain.photos.left_out import in_words
from retrain.runs.evaluate import Evaluation
from retrain.training.metrics import effect_on_accuracy, most_confused, wilson_interval


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
        "answered_and_right": _answered_and_right(evaluation),
        "quoted": None if evaluation.quoted is None else vars(evaluation.quoted),
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
        console.print(f"skipped: {_shown(item.path)} {escape(with_options(item.reason))}", soft_wrap=True)
    if len(evaluation.skipped) > 3:
        reasons = in_words(item.reason for item in evaluation.skipped)
        console.print(f"{len(evaluation.skipped)} photos were skipped: {escape(with_options(reasons))}", soft_wrap=True)
    top = ", ".join(f"{share:.1%} among the first {k}" for k, share in metrics.top_k.items() if k > 1)
    if top:
        console.print(f"the right class: {top}", soft_wrap=True)
    if metrics.ece is not None:
        by_chance = f"{metrics.ece_by_chance:.3f} expected from sample size alone"
        console.print(f"calibration error (ECE): {metrics.ece:.3f} ({by_chance})")
    if evaluation.refused is not None and metrics.n:
        console.print(
            f"called unknown: {_share(int(evaluation.refused.sum()), metrics.n)} of the photos of known classes; "
            f"answered and right: {_share(int(evaluation.answered_and_right.sum()), metrics.n)}",
            soft_wrap=True,
        )
    strangers = evaluation.strangers
    if strangers is not None:
        names = ", ".join(strangers.labels[:3]) + (" …" if len(strangers.labels) > 3 else "")
        how = "" if strangers.refused is None else f"; called unknown: {_share(strangers.refused, strangers.photos)}"
        text = f"{strangers.photos} photos are of classes that the model does not know ({names}){how}"
        console.print(escape(text), soft_wrap=True)
    if metrics.n or evaluation.quoted is None:
        console.print(f"[bold]{metrics}[/]", soft_wrap=True)
    if evaluation.quoted is not None:
        console.print(f"[bold]{evaluation.quoted}[/]", soft_wrap=True)


def _answered_and_right(evaluation: Evaluation) -> dict[str, object] | None:
    """The share of photos that are not called unknown, and whose answer is right, with its interval."""
    if evaluation.metrics.n == 0:
        return None
    right, n = evaluation.answered_and_right, evaluation.metrics.n
    share = float(right.mean())
    worth = n / effect_on_accuracy(right.astype(float), group_numbers(evaluation.photos))
    return {"share": share, "interval": list(wilson_interval(share * worth, worth)), "n": n}


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "0 of 0"


def _shown(path: str) -> str:
    return escape(os.fsencode(path).decode(errors="backslashreplace"))
