"""The geometry of charts: from figures to places in a picture of fixed size. The template `charts.html` draws them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from retrain.core.language import figure, translatable, translated
from retrain.training.metrics import Bin

WIDTH, HEIGHT = 360, 244
LEFT, RIGHT, TOP, BOTTOM = 46, 20, 26, 42  # margins; a rule has its words in the upper one
COLUMNS = 30  # of a histogram
NEAR = 50  # to an edge: where words that are centred there would stick out
LABEL = 36  # between the labels of an axis, at least
AROUND = 0.06  # of the height of what is drawn, above and below it: no error ends at an edge as if it were cut
LEAST = 0.01  # of an accuracy or a cross-entropy, from the lowest to the highest that an axis shows
BESIDE = 4  # from a line to the next, so that errors do not hide each other

Quantity = Literal["accuracy", "cross_entropy"]
QUANTITIES = {"accuracy": translatable("accuracy"), "cross_entropy": translatable("cross-entropy")}
AGAINST_PENALTY = {
    "accuracy": translatable("The accuracy against the penalty."),
    "cross_entropy": translatable("The cross-entropy against the penalty."),
}
HEADS = {"linear": translatable("linear"), "balanced": translatable("balanced")}


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
    chosen: bool = False


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
    """An upright line at `x`, with words above the picture, where nothing is drawn."""

    x: float
    text: str

    @property
    def anchor(self) -> str:
        """SVG's text-anchor, by which the words stay inside the picture."""
        return "start" if self.x < LEFT + NEAR else "end" if self.x > WIDTH - RIGHT - NEAR else "middle"


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
class Scale:
    """Maps low..high to begin..end in the picture."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self, values: Sequence[float], texts: Sequence[str]) -> tuple[Tick, ...]:
        """Marks at these values."""
        return tuple(Tick(self(value), text) for value, text in zip(values, texts, strict=True))


def reliability_chart(before: Sequence[Bin], after: Sequence[Bin]) -> Chart:
    """How often answers are right against how sure they are; `before` is empty where nothing was calibrated."""
    x, y = across(0, 1), upwards(0, 1)
    values, texts = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [figure(share / 5, ".0%") for share in range(6)]
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
                    translated(
                        "{name}: {photos} photos, {sure:.0%} sure, {right:.0%} right",
                        name=name,
                        photos=bin.photos,
                        sure=bin.confidence,
                        right=bin.accuracy,
                    ),
                )
                for bin in bins
            ),
        )

    lines = [line(translated("before"), "before", before)] if before else []
    lines.append(line(translated("after") if before else translated("this model"), "after", after))
    return Chart(
        translated("How often the answers are right, against how sure they are."),
        translated("how sure the answer is"),
        translated("how often it is right"),
        x.ticks(values, texts),
        y.ticks(values, texts),
        tuple(lines),
        diagonal=True,
    )


def similarity_chart(similarities: npt.NDArray[np.float32], threshold: float) -> Chart:
    """How many photos have which similarity to what was trained on; those below the threshold stand out."""
    low = float(min(similarities.min(), threshold)) - 0.01
    high = max(float(similarities.max()), threshold, low + 0.02)
    # An edge of the columns is the threshold, so that no column is on both its sides.
    width = (high - low) / COLUMNS
    below = max(1, math.ceil((threshold - low) / width))
    edges = threshold + width * np.arange(-below, math.ceil((high - threshold) / width) + 1)
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    x = across(float(edges[0]), float(edges[-1]))
    counts = np.histogram(similarities, edges)[0]
    y = upwards(0, max(1, int(counts.max())))
    bars = tuple(
        Bar(
            x(left) + 0.5,
            y(count),
            max(0.5, round(x(right) - x(left) - 1, 1)),
            round(y(0) - y(count), 1),
            "unknown" if place < below else "known",
            translated(
                "{photos} photos from {low:.2f} to {high:.2f}", photos=count, low=float(left), high=float(right)
            ),
        )
        for place, (left, right, count) in enumerate(zip(edges[:-1], edges[1:], counts.tolist(), strict=True))
        if count
    )
    return Chart(
        translated("How many test photos have which similarity to what the model knows."),
        translated("similarity to the nearest class"),
        translated("photos"),
        x.ticks(*round_values(float(edges[0]), float(edges[-1]))),
        y.ticks(*round_values(0, max(1, int(counts.max())), whole=True)),
        bars=bars,
        rule=Rule(x(threshold), translated("threshold {value:.2f}", value=threshold)),
    )


def penalty_chart(
    quantity: Quantity, lines: Mapping[str, Sequence[Measured]], axes: Sequence[Measured], most: float = math.inf
) -> Chart:
    """A quantity against the penalty, on a logarithmic axis, from strong to weak; the dot of what was chosen is larger.

    `lines` are by their style, one of HEADS. The axes hold all of `axes`, so that charts can be compared;
    errors end at `most`, which the quantity cannot exceed.
    """
    strengths = sorted({one.l2 for one in axes}, reverse=True)
    x = across(-math.log10(strengths[0]), -math.log10(strengths[-1]))
    low, high = min(one.mean - one.error for one in axes), max(min(one.mean + one.error, most) for one in axes)
    if high - low < LEAST:  # the same all along: a line on an axis that is not stretched to show nothing
        low, high = max(low - LEAST, 0.0), min(high + LEAST, most)
    y = upwards(low - AROUND * (high - low), high + AROUND * (high - low))
    labelled: list[float] = []
    for l2 in strengths:
        if not labelled or x(-math.log10(l2)) - x(-math.log10(labelled[-1])) >= LABEL:
            labelled.append(l2)
    chosen = next((one.l2 for measured in lines.values() for one in measured if one.chosen), None)
    return Chart(
        translated(AGAINST_PENALTY[quantity]),
        translated("L2 penalty, strong to weak"),
        translated(QUANTITIES[quantity]),
        x.ticks([-math.log10(l2) for l2 in labelled], [plain(l2) for l2 in labelled]),
        y.ticks(*round_values(low, high)),
        tuple(
            Line(
                translated(HEADS[name]),
                name,
                tuple(
                    Dot(
                        x(-math.log10(one.l2)) + BESIDE * place,
                        y(one.mean),
                        5 if one.chosen else 2.5,
                        _said_of(one, translated(HEADS[name])),
                        (y(min(one.mean + one.error, most)), y(one.mean - one.error)),
                        one.chosen,
                    )
                    for one in measured
                ),
            )
            for place, (name, measured) in enumerate(lines.items())
        ),
        rule=None if chosen is None else Rule(x(-math.log10(chosen)), translated("chosen: {what}", what=plain(chosen))),
    )


def _said_of(one: Measured, head: str) -> str:
    """What the dot of a head says when it is pointed at."""
    if one.chosen:
        return translated("{head}, l2 {l2:g}: {mean:.4f}, chosen", head=head, l2=one.l2, mean=one.mean)
    return translated(
        "{head}, l2 {l2:g}: {mean:.4f}, ± {error:.4f} from the first",
        head=head, l2=one.l2, mean=one.mean, error=one.error,
    )  # fmt: skip


def plain(l2: float) -> str:
    """A penalty as people write it: 0.00003, not 3e-05."""
    if not 1e-6 <= l2 < 1e6:
        return figure(l2, "g")
    digits = len(f"{l2:.10f}".rstrip("0").partition(".")[2])
    return figure(l2, f".{digits}f")


def round_values(low: float, high: float, whole: bool = False) -> tuple[list[float], list[str]]:
    """About five round numbers within low..high (low < high), with their texts; whole ones where asked for."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step = next((step * factor for factor in (1, 2, 5) if (high - low) / (step * factor) <= 5.5), step * 10)
    step = max(1, step) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [place * step for place in range(first, last + 1)]
    return values, [figure(value, f",.{digits}f") for value in values]


def across(low: float, high: float) -> Scale:
    """From the left edge to the right one."""
    return Scale(low, high if high > low else low + 1, LEFT, WIDTH - RIGHT)


def upwards(low: float, high: float) -> Scale:
    """From the bottom to the top."""
    return Scale(low, high if high > low else low + 1, HEIGHT - BOTTOM, TOP)
