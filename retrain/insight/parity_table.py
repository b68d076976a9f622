"""What `retrain export` shows: a line for each format, and remarks on some of them."""

from rich.console import Console
from rich.table import Table

from retrain.exports.further_formats import Result
from retrain.exports.proof.judgement import Judgement
from retrain.exports.registry import FORMATS
from retrain.insight.terminal_text import escape, with_options
from retrain.runs.export import Report

COLUMNS = ("|dp|", "same", "similarity", "accuracy", "ms", "MB")
LEGEND = (
    "|dp|: the greatest change of a probability; same: photos with the same first answer; similarity: the greatest "
    "change of what decides on unknown."
)


def show_report(report: Report, console: Console) -> None:
    """The table, why formats were refused, and where the others are."""
    table = Table(title=_title(report), title_justify="left")
    table.add_column("format", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for result in report.results:
        if result.judgement is None:
            table.add_row(result.name, "[bold]refused[/]", *[""] * (len(COLUMNS) - 1))
        else:
            table.add_row(result.name, *_figures(result.judgement, result is report.results[0]))
    console.print(table)
    console.print(LEGEND, soft_wrap=True)
    low, high = report.reference.interval
    console.print(
        f"Accuracy of the SavedModel: {report.reference.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%})",
        soft_wrap=True,
    )
    for line in filter(None, map(_remark, report.results)):
        console.print(line, soft_wrap=True)
    for path in dict.fromkeys(result.path for result in report.results if result.path is not None):
        console.print(f"written: {escape(str(path))}", soft_wrap=True)
    if report.serving is not None:
        console.print(f"for TensorFlow Serving: {escape(str(report.serving))}", soft_wrap=True)


def summary(report: Report) -> dict[str, object]:
    """The object that `--json` prints."""
    return {
        "photos": report.photos,
        "formats": {
            result.name: {"refused": result.refused} if result.judgement is None else result.judgement.plain()
            for result in report.results
        },
        "serving": None if report.serving is None else str(report.serving),
    }


def _title(report: Report) -> str:
    """The accuracy is that on the test photos alone; answers may be compared on more."""
    most = max((result.judgement.parity.photos for result in report.results if result.judgement), default=0)
    more = f"; |dp|, same and similarity on up to {most:,}" if most > report.photos else ""
    return f"{report.photos:,} photos, beside the SavedModel{more}"


def _figures(judgement: Judgement, is_reference: bool) -> tuple[str, ...]:
    parity = judgement.parity
    apart = "-" if parity.similarity_difference is None else f"{parity.similarity_difference:.0e}"
    compared = (f"{parity.greatest_difference:.0e}", f"{parity.top_1_agreement:.1%}", apart)
    milliseconds = "-" if judgement.milliseconds is None else f"{judgement.milliseconds:.1f}"
    measured = (f"{judgement.accuracy:.1%}", milliseconds, f"{judgement.bytes / 1e6:.1f}")
    return (*(("-",) * 3 if is_reference else compared), *measured)


def _remark(result: Result) -> str:
    """What has to be said of a format beside its figures; nothing of one that has to answer as the SavedModel does."""
    if result.refused is not None:
        return f"[bold]{result.name} is refused:[/] {escape(with_options(result.refused))}"
    parts = [escape(result.remark)] if result.remark else []
    judgement = result.judgement
    if judgement is not None and result.name in FORMATS and FORMATS[result.name].limits.drop is not None:
        parts.append(_compared(judgement))
    if judgement is not None and judgement.forced:
        parts.append("kept by --force")
    return f"{result.name}: {'; '.join(parts)}" if parts else ""


def _compared(judgement: Judgement) -> str:
    """The change of the accuracy, and what so many photos exclude: that none was found would say nothing alone."""
    low, high = judgement.drop_interval
    return (
        f"accuracy {_points(judgement.drop)} points beside the SavedModel's on {judgement.parity.photos:,} photos "
        f"(95 % interval {_points(high)} to {_points(low)}: a loss of more than {max(0.0, 100 * high):.1f} is excluded)"
    )


def _points(drop: float) -> str:
    """The change in points of a percentage that a drop is, with its sign; never -0.0."""
    return f"{round(-100 * drop, 1) + 0.0:+.1f}"
