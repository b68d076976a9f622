"""The geometry of charts: from figures to places in a picture of fixed size. The template `charts.html` draws them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrain.training.fitting.convergence import strength
from retrain.training.head import Fit, Progress
from retrain.training.metrics import Bin

WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 20, 12, 42  # margins
COLUMNS = 30  # of a histogram
LABEL = 36  # between the labels of an axis, at least
BESIDE = 4  # from a line to the next, so that errors do not hide each other


@dataclass(frozen=True)
class Measured:
    """How good a head trained at a penalty `l2` > 0 is: a mean, and the standard error of its distance to the best."""

    l2: float
    mean: float
    error: float
    chosen: bool = False


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, in the picture, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Dot:
    """A point of a line, in the picture, with what it says when pointed at; `reach` is its error, top and bottom."""

    x: float
    y: float
    radius: float
    text: str
    reach: tuple[float, float] | None = None


@dataclass(frozen=True)
class Line:
    """A line through points of the picture; `style` is a class of the style sheet."""

    name: str
    style: str
    dots: tuple[Dot, ...]

    @property
    def points(self) -> str:
        """As SVG's polyline takes them."""
        return " ".join(f"{dot.x:g},{dot.y:g}" for dot in self.dots)


@dataclass(frozen=True)
class Bar:
    """A column of the picture, from its top left corner."""

    x: float
    y: float
    width: float
    height: float
    style: str
    text: str


@dataclass(frozen=True)
class Rule:
    """An upright line at `x`, with words beside it; `anchor` is SVG's text-anchor."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True)
class Chart:
    """All that is drawn. `description` is for those who do not see it."""

    description: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...] = ()
    bars: tuple[Bar, ...] = ()
    rule: Rule | None = None
    diagonal: bool = False
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class _Scale:
    """Maps low..high to begin..end in the picture."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self, values: Sequence[float], texts: Sequence[str]) -> tuple[Tick, ...]:
        return tuple(Tick(self(value), text) for value, text in zip(values, texts, strict=True))


def learning_charts(fit: Fit) -> tuple[Chart, Chart] | None:
    """Accuracy and cross-entropy along a training; None for a curve of fewer than two points.

    A fit to convergence went along the L2 strengths, which are on its axis; any other one has steps.
    """
    curve = fit.curve
    if len(curve) < 2:
        return None
    steps = [point.step for point in curve]
    x = _across(steps[0], steps[-1])
    if fit.description.get("optimizer") == "lbfgs":
        labelled = steps[:: 2 if len(steps) > 5 else 1]  # there is room for so many
        x_ticks = x.ticks(labelled, [f"{strength(step):g}" for step in labelled])
        x_title = "L2 penalty, strong to weak"
    else:
        values, texts = round_values(steps[0], steps[-1])
        x_ticks, x_title = x.ticks(values, texts), "step"
    return (
        _learning_chart(curve, "accuracy", x, x_ticks, x_title),
        _learning_chart(curve, "cross_entropy", x, x_ticks, x_title),
    )


def _learning_chart(
    curve: Sequence[Progress], quantity: str, x: _Scale, x_ticks: tuple[Tick, ...], x_title: str
) -> Chart:
    found = {
        side: [(point.step, getattr(point, f"{side}_{quantity}")) for point in curve]
        for side in ("training", "validation")
    }
    heights = [value for values in found.values() for _, value in values if value is not None and math.isfinite(value)]
    low, high = (min([*heights, 0.9]), 1.0) if quantity == "accuracy" else (0.0, max(heights, default=1.0))
    values, texts = round_values(low, high if high > low else low + 1)
    y = _upwards(min(low, values[0]), max(high, values[-1]))
    title = quantity.replace("_", "-")
    lines = []
    for side, points in found.items():
        dots = [
            Dot(x(step), y(value), 2.5, f"{side} {title} {value:.3f}")
            for step, value in points
            if value is not None and math.isfinite(value)
        ]
        if dots:
            lines.append(Line(side, side, tuple(dots)))
    return Chart(f"The {title} along the training.", x_title, title, x_ticks, y.ticks(values, texts), tuple(lines))


def reliability_chart(before: Sequence[Bin], after: Sequence[Bin]) -> Chart:
    """How often answers are right against how sure they are; `before` is empty where nothing was calibrated."""
    x, y = _across(0, 1), _upwards(0, 1)
    values, texts = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0%", "20%", "40%", "60%", "80%", "100%"]
    most = max((bin.photos for bin in (*before, *after)), default=1)

    def line(name: str, style: str, bins: Sequence[Bin]) -> Line:
        return Line(
            name,
            style,
            tuple(
                Dot(
                    x(bin.confidence),
                    y(bin.accuracy),
                    round(2 + 6 * math.sqrt(bin.photos / most), 1),
                    f"{name}: {bin.photos} photos, {bin.confidence:.0%} sure, {bin.accuracy:.0%} right",
                )
                for bin in bins
            ),
        )

    lines = [line("before", "before", before)] if before else []
    lines.append(line("after" if before else "this model", "after", after))
    return Chart(
        "How often the answers are right, against how sure they are.",
        "how sure the answer is",
        "how often it is right",
        x.ticks(values, texts),
        y.ticks(values, texts),
        tuple(lines),
        diagonal=True,
    )


def similarity_chart(similarities: npt.NDArray[np.float32], threshold: float) -> Chart:
    """How many photos have which similarity to what was trained on; those below the threshold stand out."""
    low = float(min(similarities.min(), threshold)) - 0.01
    high = max(float(similarities.max()), threshold, low + 0.02)
    x = _across(low, high)
    # An edge of the columns is the threshold, so that no column is on both its sides.
    width = (high - low) / COLUMNS
    below = max(1, math.ceil((threshold - low) / width))
    edges = threshold + width * np.arange(-below, math.ceil((high - threshold) / width) + 1)
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    x = _across(float(edges[0]), float(edges[-1]))
    counts = np.histogram(similarities, edges)[0]
    y = _upwards(0, max(1, int(counts.max())))
    bars = tuple(
        Bar(
            x(left) + 0.5,
            y(count),
            max(0.5, round(x(right) - x(left) - 1, 1)),
            round(y(0) - y(count), 1),
            "unknown" if place < below else "known",
            f"{count} photos from {left:.2f} to {right:.2f}",
        )
        for place, (left, right, count) in enumerate(zip(edges[:-1], edges[1:], counts.tolist(), strict=True))
        if count
    )
    at = x(threshold)
    return Chart(
        "How many test photos have which similarity to what the model knows.",
        "similarity to the nearest class",
        "photos",
        x.ticks(*round_values(float(edges[0]), float(edges[-1]))),
        y.ticks(*round_values(0, max(1, int(counts.max())), whole=True)),
        bars=bars,
        rule=Rule(at, f"threshold {threshold:.2f}", "start" if at < WIDTH / 2 else "end"),
    )


def penalty_chart(
    quantity: str, lines: Mapping[str, Sequence[Measured]], axes: Sequence[Measured], most: float = math.inf
) -> Chart:
    """A quantity against the penalty, on a logarithmic axis, from strong to weak; the dot of what was chosen is larger.

    `lines` are by their style, which is their name, too. The axes hold all of `axes`, so that charts can be compared;
    errors end at `most`, which the quantity cannot exceed.
    """
    strengths = sorted({one.l2 for one in axes}, reverse=True)
    x = _across(-math.log10(strengths[0]), -math.log10(strengths[-1]))
    low, high = min(one.mean - one.error for one in axes), max(min(one.mean + one.error, most) for one in axes)
    y = _upwards(low, high)
    labelled: list[float] = []
    for l2 in strengths:
        if not labelled or x(-math.log10(l2)) - x(-math.log10(labelled[-1])) >= LABEL:
            labelled.append(l2)
    return Chart(
        f"The {quantity} against the penalty.",
        "L2 penalty, strong to weak",
        quantity,
        x.ticks([-math.log10(l2) for l2 in labelled], [f"{l2:g}" for l2 in labelled]),
        y.ticks(*round_values(low, high if high > low else low + 1)),
        tuple(
            Line(
                name,
                name,
                tuple(
                    Dot(
                        x(-math.log10(one.l2)) + BESIDE * place,
                        y(one.mean),
                        5 if one.chosen else 2.5,
                        f"{name}, l2 {one.l2:g}: {one.mean:.4f}, "
                        + ("chosen" if one.chosen else f"± {one.error:.4f} from the first"),
                        (y(min(one.mean + one.error, most)), y(one.mean - one.error)),
                    )
                    for one in measured
                ),
            )
            for place, (name, measured) in enumerate(lines.items())
        ),
    )


def round_values(low: float, high: float, whole: bool = False) -> tuple[list[float], list[str]]:
    """About five round numbers within low..high (low < high), with their texts; whole ones where asked for."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step = next((step * factor for factor in (1, 2, 5) if (high - low) / (step * factor) <= 5.5), step * 10)
    step = max(1, step) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [place * step for place in range(first, last + 1)]
    return values, [f"{value:,.{digits}f}" for value in values]


def _across(low: float, high: float) -> _Scale:
    return _Scale(low, high if high > low else low + 1, LEFT, WIDTH - RIGHT)


def _upwards(low: float, high: float) -> _Scale:
    return _Scale(low, high if high > low else low + 1, HEIGHT - BOTTOM, TOP)
