"""The learning curves of a comparison as a picture. Needs matplotlib (the extra `report`), imported when drawing."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from label_image.files import reason_of, temporary_folder
from label_image.installing import how_to_install
from label_image.strangers import matplotlib_apart
from retrain.core.errors import ExportError, OptionError
from retrain.training.on_photos.timed_curve import Contender, CurvePoint

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito's, told apart by colour-blind readers too
PANELS = (
    ("accuracy", "training_accuracy", "validation_accuracy"),
    ("cross-entropy", "training_cross_entropy", "validation_cross_entropy"),
)


def check_matplotlib() -> None:
    """Raise OptionError, with what to run, where matplotlib is missing; imports nothing."""
    if find_spec("matplotlib") is None:
        raise OptionError(f"The plot of the learning curves needs matplotlib: {how_to_install('report')}.")


def draw_curves(contenders: Sequence[Contender], file: Path) -> Path:
    """Draw accuracy and cross-entropy against seconds of training, as PNG or SVG after the file's suffix.

    Solid lines are validation photos, thin dotted ones training photos. From its last point on, the
    model that was kept is a faint level line, so that it can be compared with one that still learns.
    Raises OptionError without matplotlib or for another suffix, ExportError if the file cannot be written.
    """
    check_matplotlib()
    if file.suffix not in (".png", ".svg"):
        raise OptionError(f"{file}: learning curves are drawn as .png or .svg.")
    with matplotlib_apart():
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    # Letters as text and fixed identifiers: equal curves give an equal file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "retrain"}):
        figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        end = max((point.seconds for one in contenders for point in one.curve), default=1.0)
        for axes, (quantity, training, validation) in zip(figure.subplots(1, 2), PANELS, strict=True):
            for one, colour in zip(contenders, COLOURS, strict=False):
                _draw_contender(axes, one, colour, training, validation, end)
            _label_axes(axes, quantity)
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
        try:
            with temporary_folder(file.parent) as temporary:
                metadata = {"Date": None} if file.suffix == ".svg" else {"Software": None}
                figure.savefig(temporary / file.name, metadata=metadata)
                os.replace(temporary / file.name, file)
        except OSError as error:
            raise ExportError(f"{file} cannot be written: {reason_of(error)}.") from None
    return file


def _draw_contender(axes: Any, one: Contender, colour: str, training: str, validation: str, end: float) -> None:
    seconds, heights = _series(one.curve, validation)
    name = f"{one.name}, validation (each point: {one.points_are})"
    axes.plot(seconds, heights, color=colour, linewidth=1.8, marker="o", markersize=3, label=name)
    if one.curve and (kept := _kept_height(one.curve, validation)) is not None:
        axes.plot([one.curve[-1].seconds, end], [kept] * 2, color=colour, linewidth=1.2, alpha=0.35)
    axes.plot(*_series(one.curve, training), color=colour, linewidth=1.2, linestyle=":", label=f"{one.name}, training")


def _kept_height(curve: Sequence[CurvePoint], name: str) -> float | None:
    """The height of the point that was kept: that of the lowest validation cross-entropy."""
    measured = [(point.validation_cross_entropy, getattr(point, name)) for point in curve]
    return min(((loss, height) for loss, height in measured if loss is not None), default=(0.0, None))[1]


def _label_axes(axes: Any, quantity: str) -> None:
    axes.set_xlabel("seconds of training")
    axes.set_ylabel(quantity)
    axes.set_ylim(bottom=0, top=1 if quantity == "accuracy" else None)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _series(curve: Sequence[CurvePoint], name: str) -> tuple[list[float], list[float]]:
    points = [(point.seconds, getattr(point, name)) for point in curve if getattr(point, name) is not None]
    return [seconds for seconds, _ in points], [height for _, height in points]
