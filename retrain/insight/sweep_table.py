"""The results of a sweep as a table, in a CSV file and on the screen."""

import csv
import math
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from label_image.files import reason_of, temporary_folder
from retrain.core.errors import ExportError, OptionError
from retrain.core.html_files import check_page
from retrain.core.outputs import check_file, check_not_among_photos, check_outside, place
from retrain.insight.terminal_text import escape
from retrain.runs.sweep import Result, Sweep

COLUMNS = (
    "rank", "architecture", "views", "hidden_units", "optimizer", "learning_rate", "l2", "class_weight",
    "cross_entropy", "difference", "difference_standard_error", "accuracy", "mean_recall", "seconds",
)  # fmt: skip
SHOWN = 20  # lines on the screen; the file has all


def check_table(path: Path, report: Path | None, kept: Path, *photos: Path) -> None:
    """Refuse, before any work, what cannot be a table or is the page `report`, too, and a page that cannot be one.

    `kept` is the folder of the bottlenecks, `photos` are the sources. Raises OptionError, or ExportError for a folder
    that cannot be written to; makes nothing.
    """
    if report is not None and os.path.realpath(path) == os.path.realpath(report):
        raise OptionError(f"`output_csv` and `report` are both {path}: choose two different files.")
    check_file(path, "`output_csv`")
    outputs = {"`output_csv`": path, "`report`": report}
    check_outside(kept, outputs, "`bottleneck_dir`")
    for source in photos:
        check_not_among_photos(source, outputs)
    if report is not None:
        check_page(report, "`report`")


def write_table(results: Sequence[Result], path: Path) -> None:
    """Write all results, best first; an earlier table that differs is kept as `<name>.1` and so on.

    Raises ExportError if the file cannot be written.
    """
    try:
        with temporary_folder(path.parent) as temporary:
            with open(temporary / path.name, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(COLUMNS)
                writer.writerows(_row(rank, result) for rank, result in enumerate(results, 1))
            place(temporary / path.name, path)
    except OSError as error:
        raise ExportError(f"`output_csv` {path} cannot be written: {reason_of(error)}.") from None


def sweep_summary(sweep: Sweep, written: Sequence[Path], command: str) -> dict[str, object]:
    """The object that `--json` prints: all results, best first, by the columns of the table."""
    test = sweep.test
    return {
        "photos": sweep.photos,
        "folds": sweep.folds,
        "results": [_plain(rank, result) for rank, result in enumerate(sweep.results, 1)],
        "test": {
            "accuracy": test.accuracy,
            "interval": None if test.interval is None else list(test.interval),
            "photos": test.n,
            "cross_entropy": test.cross_entropy if test.accuracy is not None else None,
        },
        "written": [str(path) for path in written],
        "command": command,
    }


def show_sweep(sweep: Sweep, written: Sequence[Path], command: str, console: Console) -> None:
    """The best results, the test figures of the first, what was written, and how to train it."""
    table = Table(
        title=f"{sweep.folds}-fold cross-validation on {sweep.photos} photos, best first",
        title_justify="left",
        caption="from the first: in cross-entropy; up to two standard errors (behind +-) are hardly a difference",
        caption_justify="left",
    )
    table.add_column("backbone", overflow="fold")
    table.add_column("head", overflow="fold")
    # Where classes count the same, that is what the heads should be judged by, too.
    balanced = any(result.configuration.recipe.class_weight for result in sweep.results)
    headings = ("cross-\nentropy", "from the first", "accuracy", *(("mean\nrecall",) if balanced else ()), "seconds")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for rank, result in enumerate(sweep.results[:SHOWN], 1):
        table.add_row(
            escape(result.configuration.architecture),
            escape(result.configuration.describe()),
            *_figures(rank, result)[: 4 if balanced else 3],
            f"{result.seconds:.2f}",
        )
    console.print(table)
    if len(sweep.results) > SHOWN:
        console.print(f"{len(sweep.results) - SHOWN} more are in the file.")
    best = sweep.results[0].configuration
    console.print(f"chosen: {escape(best.architecture)}: {escape(best.describe())}", soft_wrap=True)
    if sweep.test.accuracy is None or sweep.test.interval is None:
        console.print("test: no photos, so no accuracy")
    else:
        low, high = sweep.test.interval
        console.print(
            f"[bold]test: accuracy {sweep.test.accuracy:.1%} on {sweep.test.n} photos (95 % interval {low:.1%} to "
            f"{high:.1%}), cross-entropy {sweep.test.cross_entropy:.3f}[/]",
            soft_wrap=True,
        )
    console.print(f"written: {', '.join(escape(str(path)) for path in written)}", soft_wrap=True)
    console.print("to train and export it:", soft_wrap=True)
    console.print(escape(command), soft_wrap=True)


def _figures(rank: int, result: Result) -> tuple[str, str, str, str]:
    """Cross-entropy, its difference to that of the first, accuracy and mean recall, as they are shown."""
    if result.diverged:
        return "diverged", "", "", ""
    return (
        f"{result.cross_entropy:.4f}",
        f"{result.difference:+.4f} +- {result.difference_error:.4f}" if rank > 1 else "",
        f"{result.accuracy:.2%}",
        f"{result.mean_recall:.2%}",
    )


def _plain(rank: int, result: Result) -> dict[str, object]:
    """A row of the table as values."""
    recipe, configuration = result.configuration.recipe, result.configuration
    figures = (
        result.cross_entropy, result.difference, result.difference_error, result.accuracy, result.mean_recall,
        result.seconds,
    )  # fmt: skip
    values = (
        rank, configuration.architecture, configuration.views, list(recipe.hidden_units), recipe.optimizer,
        recipe.learning_rate or None, recipe.l2 or None, recipe.class_weight,
        *(figure if math.isfinite(figure) else None for figure in figures),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _row(rank: int, result: Result) -> tuple[object, ...]:
    recipe = result.configuration.recipe
    return (
        rank,
        result.configuration.architecture,
        result.configuration.views,
        "-".join(map(str, recipe.hidden_units)) or "0",
        recipe.optimizer,
        f"{recipe.learning_rate:g}" if recipe.learning_rate else "",
        "" if recipe.l2 is None else f"{recipe.l2:g}",
        recipe.class_weight or "",
        f"{result.cross_entropy:.6f}",
        f"{result.difference:.6f}",
        f"{result.difference_error:.6f}",
        f"{result.accuracy:.6f}",
        f"{result.mean_recall:.6f}",
        f"{result.seconds:.3f}",
    )
