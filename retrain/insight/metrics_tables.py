"""Metrics as text and tables on a terminal."""

from rich.table import Table

from retrain.insight.terminal_text import escape
from retrain.training.metrics import Average, Metrics

WIDEST_CONFUSION = 20  # classes; a wider matrix does not fit a terminal


def class_table(metrics: Metrics) -> Table:
    """Precision, recall, F1 and area under the ROC curve of each class, and their means."""
    table = Table(title="Class by class", title_justify="left")
    table.add_column("class")
    for name in ("precision", "recall", "F1", "ROC AUC", "photos"):
        table.add_column(name, justify="right")
    for entry in metrics.classes:
        figures = (entry.precision, entry.recall, entry.f1, entry.roc_auc)
        table.add_row(escape(entry.label), *map(_figure, figures), str(entry.support))
    table.add_section()
    for name, average in (("mean over classes", metrics.macro), ("mean over photos", metrics.weighted)):
        if average is not None:
            table.add_row(name, *map(_figure, _figures(average)), str(metrics.n))
    return table


def confusion_table(metrics: Metrics) -> Table:
    """The confusion matrix, its columns by number."""
    table = Table(title="Confusion: rows are the truth, columns the answers", title_justify="left")
    table.add_column("class")
    for index in range(len(metrics.classes)):
        table.add_column(str(index + 1), justify="right")
    for index, (entry, row) in enumerate(zip(metrics.classes, metrics.confusion, strict=True)):
        cells = [f"[bold]{n}[/]" if i == index else str(n) if n else "·" for i, n in enumerate(row)]
        table.add_row(f"{index + 1} {escape(entry.label)}", *cells)
    return table


def _figures(average: Average) -> tuple[float | None, ...]:
    return (average.precision, average.recall, average.f1, average.roc_auc)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
