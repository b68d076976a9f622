"""The pictures of the pages that explain, drawn by code: docs/explained/*.svg.

    python -m scripts.site_pages.figures

Each is drawn on a light card, so that it is the same on light and dark pages and in the repository.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import click

from retrain.training.metrics import wilson_interval

FOLDER = Path(__file__).resolve().parents[2] / "docs/explained"
INK, QUIET, TEAL, AMBER, RED, PAPER = "#1f2933", "#66737f", "#0f766e", "#b45309", "#b91c1c", "#f8fafc"
FONT = "font-family='system-ui, sans-serif'"


def rectangle(x: float, y: float, width: float, height: float, fill: str, more: str = "") -> str:
    return f"<rect x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' fill='{fill}' {more}/>"


def words(x: float, y: float, text: str, size: int = 14, fill: str = INK, anchor: str = "middle") -> str:
    place = f"x='{x:g}' y='{y:g}' text-anchor='{anchor}'"
    return f"<text {place} {FONT} font-size='{size}' fill='{fill}'>{escape(text)}</text>"


def line(x: float, y: float, to_x: float, to_y: float, stroke: str = QUIET, width: float = 1.5, more: str = "") -> str:
    return (
        f"<line x1='{x:g}' y1='{y:g}' x2='{to_x:g}' y2='{to_y:g}' stroke='{stroke}' stroke-width='{width:g}' {more}/>"
    )


def dot(x: float, y: float, radius: float, fill: str, more: str = "") -> str:
    return f"<circle cx='{x:g}' cy='{y:g}' r='{radius:g}' fill='{fill}' {more}/>"


def arrow(x: float, y: float, to_x: float) -> str:
    return line(x, y, to_x - 6, y) + f"<path d='M{to_x:g} {y:g} l-9 -5 v10 z' fill='{QUIET}'/>"


def picture(width: int, height: int, title: str, parts: Iterator[str]) -> str:
    """A whole SVG; its title is what those who cannot see it are told."""
    card, body = rectangle(0, 0, width, height, PAPER, "rx='12'"), "\n".join(parts)
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img'>"
    return f"{head}\n<title>{escape(title)}</title>\n{card}\n{body}\n</svg>\n"


def bottleneck() -> str:
    """A photo through a frozen network to a row of numbers; below, kept rows of numbers to a head and its answers."""

    def column(x: float, y: float, seed: int) -> Iterator[str]:
        shades = random.Random(seed)
        for n in range(12):
            strength = 0.12 + 0.88 * shades.random() ** 2
            yield rectangle(x, y + 8 * n, 22, 7, TEAL, f"fill-opacity='{strength:.2f}'")

    def parts() -> Iterator[str]:
        yield rectangle(20, 36, 80, 80, "#ccfbf1", f"stroke='{TEAL}' rx='6'")
        for ear in ("40,72 42,46 58,60", "80,72 78,46 62,60"):
            yield f"<polygon points='{ear}' fill='#99f6e4' stroke='{TEAL}' stroke-linejoin='round'/>"
        yield dot(60, 82, 22, "#99f6e4", f"stroke='{TEAL}'") + dot(52, 79, 2.5, TEAL) + dot(68, 79, 2.5, TEAL)
        yield words(60, 138, "a photo") + arrow(110, 76, 140)
        for n, height in enumerate((116, 98, 80, 62, 44)):
            yield rectangle(150 + 27 * n, 76 - height / 2, 20, height, "#cbd5e1", f"stroke='{QUIET}' rx='3'")
        yield words(214, 156, "a pretrained network, frozen") + words(214, 174, "once for each photo", 13, QUIET)
        yield arrow(286, 76, 310)
        yield from column(320, 28, 7)
        yield words(350, 70, "its", anchor="start") + words(350, 88, "bottleneck", anchor="start")
        yield line(20, 196, 420, 196, "#cbd5e1")
        for n in range(5):
            yield from column(20 + 27 * n, 216, 7 + n)
        yield words(85, 334, "kept bottlenecks") + arrow(162, 264, 192)
        yield rectangle(202, 228, 70, 72, "#fde68a", f"stroke='{AMBER}' rx='6'") + words(237, 269, "head", 15)
        yield words(237, 334, "fitted in a second") + arrow(282, 264, 312)
        for n, (name, share) in enumerate((("Bengal", 0.9), ("Siamese", 0.07), ("Ragdoll", 0.03))):
            yield words(322, 232 + 30 * n, name, 13, anchor="start")
            yield rectangle(322, 237 + 30 * n, 96 * share, 8, TEAL, "rx='2'")
        yield words(370, 334, "probabilities")

    title = "A photo goes through a frozen network once; its bottleneck is kept; a head makes answers of it."
    return picture(440, 352, title, parts())


def splits() -> str:
    """Takes of one subject on both sides of a split, and all on one."""
    colours = ("#5eead4", "#fcd34d", "#fca5a5", "#a5b4fc", "#d8b4fe")
    photo_by_photo, by_subject = ("kktk", "ktkk", "kktk", "tkkk", "kkkt"), ("kkkk", "tttt", "kkkk", "kkkk", "kkkk")

    def parts() -> Iterator[str]:
        for left, title, verdict, fill, sides in (
            (16, "dealt photo by photo", "tested on what it saw", RED, photo_by_photo),
            (236, "dealt by subject", "tested on what is new", TEAL, by_subject),
        ):
            yield words(left + 94, 32, title, 15)
            for row, (colour, each) in enumerate(zip(colours, sides, strict=True)):
                yield words(left, 70 + 34 * row, f"subject {row + 1}", 13, QUIET, "start")
                for n, side in enumerate(each):
                    mark = f"stroke='{INK}' stroke-width='2.5'" if side == "t" else ""
                    yield rectangle(left + 72 + 29 * n, 54 + 34 * row, 23, 23, colour, f"rx='4' {mark}")
            yield words(left + 94, 250, verdict, 15, fill)
        yield line(220, 20, 220, 258, "#cbd5e1")
        yield rectangle(76, 272, 16, 16, "#e2e8f0", f"rx='3' stroke='{INK}' stroke-width='2.5'")
        yield words(102, 285, "a test photo; the others are trained on", 14, QUIET, "start")

    title = (
        "Five subjects, four photos each. Dealt photo by photo, each test photo has siblings among the training photos."
    )
    return picture(440, 304, title, parts())


def intervals() -> str:
    """The 95 % interval of 90 % right, by the number of test photos."""

    def place(share: float) -> float:
        return 150 + (share - 0.5) / 0.5 * 256

    def parts() -> Iterator[str]:
        yield words(220, 30, "what 90 % right of so many photos may truly be", 15)
        for share in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
            yield line(place(share), 48, place(share), 300, "#e2e8f0") + words(
                place(share), 320, f"{share:.0%}", 13, QUIET
            )
        yield line(place(0.9), 48, place(0.9), 300, AMBER, 1.5, "stroke-dasharray='4 4'")
        for row, n in enumerate((10, 30, 100, 300, 1000, 10_000)):
            low, high = wilson_interval(0.9 * n, n)
            y = 72 + 42 * row
            yield words(134, y, f"{n:,} photos", 14, INK, "end")
            yield words(134, y + 16, f"{100 * low:.1f} to {high:.1%}", 12, QUIET, "end")
            yield line(place(low), y, place(high), y, TEAL, 8, "stroke-linecap='round' stroke-opacity='.4'")
            yield dot(place(0.9), y, 5, TEAL)

    title = "95 % intervals of an accuracy of 90 %: 60 to 98 % for 10 photos, 89.4 to 90.6 % for 10,000."
    return picture(440, 334, title, parts())


def repeated() -> str:
    """Forty measurements of one model whose true accuracy is 90 %, each on 100 photos, with its interval.

    Of forty intervals two are expected to miss; the seed is one with which two do.
    """
    draws, truth, photos = random.Random(11), 0.9, 100

    def height(share: float) -> float:
        return 220 - (share - 0.75) / 0.25 * 190

    def parts() -> Iterator[str]:
        for share in (0.75, 0.8, 0.85, 0.9, 0.95, 1.0):
            yield words(46, height(share) + 4, f"{share:.0%}", 13, QUIET, "end")
            yield line(54, height(share), 424, height(share), "#e2e8f0")
        yield line(54, height(truth), 424, height(truth), AMBER, 2, "stroke-dasharray='5 4'")
        missed = 0
        for n in range(40):
            right = sum(draws.random() < truth for _ in range(photos))
            low, high = wilson_interval(right, photos)
            holds = low <= truth <= high
            missed += not holds
            colour, x = (TEAL if holds else RED), 64 + 9.1 * n
            yield line(x, height(low), x, height(high), colour, 3.5, "stroke-linecap='round' stroke-opacity='.4'")
            yield dot(x, height(right / photos), 2.8, colour)
        yield words(220, 254, "40 tests of one model, on 100 photos each:", 14)
        yield words(220, 273, f"{40 - missed} intervals hold its true 90 %, {missed} miss it", 14)

    return picture(
        440, 288, "Forty test sets for one model: nearly all 95 % intervals hold its true accuracy.", parts()
    )


FIGURES: dict[str, Callable[[], str]] = {
    "bottleneck.svg": bottleneck,
    "splits.svg": splits,
    "intervals.svg": intervals,
    "repeated.svg": repeated,
}


@click.command()
def main() -> None:
    """Draw the pictures of the pages that explain, docs/explained/*.svg, anew."""
    for name, draw in FIGURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
