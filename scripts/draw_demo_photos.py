"""Paint the demo photos: cats of several coats, drawn with Pillow, so that a first run needs no photos.

They are drawings, not photographs. Every picture comes from its own seed (the run's seed, the coat, the
number), so asking for more pictures leaves the earlier ones as they are, byte for byte. Pose, size, place,
light, background and clutter are drawn by lot without regard to the coat: only the coat tells the classes
apart. Several coats share their colours on purpose (tabby and spotted; black, tortoiseshell and tuxedo;
white and colourpoint), so that it takes more than colours to tell them apart.
"""

import io
import math
import os
import random
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from label_image.files import write_in_one_step

Colour = tuple[int, int, int]
Points = npt.NDArray[np.float64]

FINE = 2  # everything is painted this much larger and then reduced: smooth edges
MARK = b"drawn by retrain's draw_demo_photos.py"  # a JPEG comment: how a drawing is known for one
OWN_NAME = re.compile(r"\d{3,}\.jpg")


# Colours and curves


def mix(one: Sequence[float], other: Sequence[float], share: float) -> Colour:
    """`share` of `other` in `one`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def varied(colour: Colour, lot: random.Random, by: int = 10) -> Colour:
    """A colour near this one."""
    common = lot.uniform(-by, by)
    red, green, blue = (max(0, min(255, round(part + common + lot.uniform(-by, by) / 2))) for part in colour)
    return red, green, blue


def any_colour(lot: random.Random) -> Colour:
    """Any colour that things in a home may have: dark, pale and bright ones alike."""
    red, green, blue = (lot.randint(25, 240) for _ in range(3))
    grey = (red + green + blue) / 3
    return mix((red, green, blue), (grey, grey, grey), lot.uniform(0.1, 0.8))


def curve(points: Sequence[tuple[float, float]] | Points, closed: bool = True, steps: int = 7) -> Points:
    """A smooth line through the points (Catmull-Rom)."""
    knots = np.asarray(points, np.float64)
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        knots = np.concatenate([knots[:1] * 2 - knots[1:2], knots, knots[-1:] * 2 - knots[-2:-1]])
    a, b, c, d = (knots[start : len(knots) - 3 + start, None] for start in range(4))
    t = (np.arange(steps) / steps)[None, :, None]
    line = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    line = line.reshape(-1, 2)
    return line if closed else np.concatenate([line, knots[-2:-1]])


def mirrored(half: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A symmetric outline from its left half, given from top to bottom."""
    right = [(-x, y) for x, y in reversed(half) if x]
    return [*half, *right]


def oval(x: float, y: float, width: float, height: float, degrees: float = 0.0) -> Points:
    """An ellipse with these half axes."""
    angle = np.linspace(0, 2 * np.pi, 25)[:-1]
    turn = math.radians(degrees)
    across, down = width * np.cos(angle), height * np.sin(angle)
    return np.stack(
        [
            x + across * math.cos(turn) - down * math.sin(turn),
            y + across * math.sin(turn) + down * math.cos(turn),
        ],
        axis=1,
    )


def normals(line: Points) -> Points:
    """Unit vectors across a line, one for each of its points."""
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    return np.stack([-along[:, 1], along[:, 0]], axis=1)


def ribbon(line: Points, start: float, end: float) -> Points:
    """The outline of a stroke along a line whose half width goes from `start` to `end`, with round ends."""
    share = np.linspace(0, 1, len(line))
    half = start + (end - start) * share
    across = normals(line) * half[:, None]
    angle = np.linspace(0, np.pi, 7)[1:-1, None]
    tip, root = (
        line[at]
        + across[at] * sign * np.cos(angle)
        + ahead / max(float(np.linalg.norm(ahead)), 1e-9) * size * np.sin(angle)
        for at, sign, ahead, size in ((-1, 1, line[-1] - line[-2], end), (0, -1, line[0] - line[1], start))
    )
    return np.concatenate([line + across, tip, (line - across)[::-1], root])


@dataclass(frozen=True)
class Frame:
    """Where something's own coordinates (x to the right, y down) lie on the canvas."""

    x: float
    y: float
    size: float
    degrees: float = 0.0
    flipped: bool = False

    def place(self, points: Points) -> Points:
        """These points on the canvas."""
        turn = math.radians(self.degrees)
        across = points[:, 0] * math.cos(turn) - points[:, 1] * math.sin(turn)
        down = points[:, 0] * math.sin(turn) + points[:, 1] * math.cos(turn)
        side = -1 if self.flipped else 1
        return np.stack([self.x + side * across * self.size, self.y + down * self.size], axis=1)

    def inside(self, x: float, y: float, size: float, degrees: float = 0.0) -> "Frame":
        """A frame whose origin, size and turn are given in the coordinates of this one."""
        ((left, top),) = self.place(np.array([(x, y)]))
        return Frame(left, top, self.size * size, self.degrees + degrees, self.flipped)


# Parts of a cat, and what a coat paints on them


@dataclass(frozen=True)
class Part:
    """A piece of a cat: its outline, and the line along its middle that stripes run across."""

    kind: str  # "body", "haunch", "head", "ear", "leg", "tail"
    outline: Points
    spine: Points
    half_width: float
    from_back: bool = False  # a body seen from its side: stripes come down from the back
    far: bool = False  # on the side turned away: a little darker


class Tile:
    """The rectangle of the canvas that holds one part; what is painted on it ends at the part's outline."""

    def __init__(self, frame: Frame, outline: Points, colour: Colour, lot: random.Random):
        self.frame = frame
        edge = frame.place(outline)
        # May reach beyond the canvas: the rim of a part that is cut off there is not its edge.
        left, top = np.floor(edge.min(axis=0)).astype(int).tolist()
        right, bottom = np.ceil(edge.max(axis=0)).astype(int).tolist()
        self.box = (left - 2, top - 2, max(right + 2, left + 8), max(bottom + 2, top + 8))
        self.size = (self.box[2] - self.box[0], self.box[3] - self.box[1])
        self.image = Image.new("RGB", self.size, colour)
        self.draw = ImageDraw.Draw(self.image)
        self.mask = Image.new("L", self.size)
        ImageDraw.Draw(self.mask).polygon(self._at(tufted(edge, lot)), fill=255)

    def _at(self, points: Points) -> list[tuple[float, float]]:
        return [(x - self.box[0], y - self.box[1]) for x, y in points.tolist()]

    def fill(self, points: Points, colour: Colour) -> None:
        """Fill an outline that is given in the part's coordinates."""
        self.draw.polygon(self._at(self.frame.place(points)), fill=colour)

    def soften(self, radius: float) -> None:
        """Let the marks run into each other a little, as fur does."""
        self.image = self.image.filter(ImageFilter.BoxBlur(radius))
        self.draw = ImageDraw.Draw(self.image)

    def comb(self, lot: random.Random, strength: float) -> None:
        """Fine hairs, lighter and darker than what they lie on."""
        width, height = self.size
        hairs = Image.new("L", self.size, 128)
        draw = ImageDraw.Draw(hairs)
        for _ in range(min(260, width * height // 120)):
            x, y = lot.uniform(0, width), lot.uniform(0, height)
            tone = 128 + round(lot.choice((-1, 1)) * strength * lot.uniform(20, 60))
            draw.line((x, y, x + lot.uniform(-4, 4), y + lot.uniform(5, 13)), fill=tone, width=1)
        self.image = ImageChops.overlay(self.image, Image.merge("RGB", (hairs,) * 3))

    def model(self, light: float, dark: Colour, sheen: Colour) -> None:
        """Make it look round: dark towards the edge below, a sheen on the edge above."""
        small = self.mask.resize((max(self.size[0] // 4, 2), max(self.size[1] // 4, 2)), Image.Resampling.BOX)
        reach = max(1, min(small.size) // 5)
        soft = small.filter(ImageFilter.GaussianBlur(max(1.0, min(small.size) / 9)))
        for colour, down, strength in ((dark, -reach, 0.75), (sheen, reach, light)):
            moved = ImageChops.offset(soft, 0, down)
            # `offset` wraps around: what comes in from the other side is not this part.
            moved.paste(
                0, (0, small.size[1] + down, small.size[0], small.size[1]) if down < 0 else (0, 0, small.size[0], down)
            )
            rim = ImageChops.invert(moved).point([round(value * strength) for value in range(256)])
            self.image.paste(colour, (0, 0), rim.resize(self.size, Image.Resampling.BILINEAR))

    def put(self, canvas: Image.Image) -> None:
        """Lay it on the canvas."""
        canvas.paste(self.image, self.box[:2], self.mask)


def tufted(edge: Points, lot: random.Random) -> Points:
    """An outline with small tufts: fur does not end in a clean line."""
    if len(edge) < 12:
        return edge
    centre = edge.mean(axis=0)
    out = np.array([lot.uniform(-0.01, 0.018) for _ in edge])[:, None]
    return edge + (edge - centre) * out


@dataclass(frozen=True)
class Fur:
    """The colours of one cat."""

    base: Colour
    marks: Colour
    light: Colour  # muzzle, chest, paws
    nose: Colour
    inner_ear: Colour
    eyes: Colour

    @property
    def shade(self) -> Colour:
        """Where the light does not reach."""
        return mix(self.base, (18, 16, 30), 0.55)

    @property
    def sheen(self) -> Colour:
        """Where the light falls on the fur."""
        return mix(self.base, (255, 250, 240), 0.3)


AGOUTI: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((158, 126, 90), (58, 42, 30), (222, 204, 174)),  # brown
    ((178, 178, 174), (50, 50, 56), (230, 230, 228)),  # silver
    ((222, 154, 88), (142, 68, 26), (246, 222, 188)),  # ginger
    ((150, 150, 152), (72, 74, 84), (214, 210, 206)),  # blue
)
BLACKS: tuple[Colour, ...] = ((34, 33, 36), (46, 40, 38), (44, 46, 54), (62, 48, 40))
WHITES: tuple[Colour, ...] = ((242, 240, 236), (236, 228, 212), (228, 222, 216), (244, 234, 216))
POINTS: tuple[Colour, ...] = ((62, 46, 40), (98, 70, 54), (98, 98, 110), (150, 92, 56))
GINGERS: tuple[Colour, ...] = ((206, 126, 56), (186, 108, 52), (216, 150, 90))
PINK: Colour = (222, 150, 146)
EYES: tuple[Colour, ...] = ((196, 182, 62), (132, 176, 82), (214, 148, 48), (120, 168, 130), (188, 120, 48))
BLUE: tuple[Colour, ...] = ((92, 156, 214), (120, 176, 222), (74, 132, 200))


def agouti_fur(lot: random.Random) -> Fur:
    """The colours that tabby and spotted cats share."""
    base, marks, light = (varied(colour, lot) for colour in lot.choice(AGOUTI))
    return Fur(base, marks, light, varied((190, 112, 100), lot), mix(light, PINK, 0.6), lot.choice(EYES))


def black_fur(lot: random.Random) -> Fur:
    """Black, or nearly: faded by the sun, or greyish."""
    base = varied(lot.choice(BLACKS), lot, 6)
    return Fur(
        base, base, mix(base, (255, 255, 255), 0.06), mix(base, (0, 0, 0), 0.3), mix(base, PINK, 0.3), lot.choice(EYES)
    )


def tortoiseshell_fur(lot: random.Random) -> Fur:
    """Black and ginger."""
    base = varied(lot.choice(BLACKS), lot, 6)
    ginger = varied(lot.choice(GINGERS), lot)
    return Fur(base, ginger, base, mix(base, PINK, 0.3), mix(base, PINK, 0.4), lot.choice(EYES))


def tuxedo_fur(lot: random.Random) -> Fur:
    """Black and white."""
    base = varied(lot.choice(BLACKS), lot, 6)
    white = varied(lot.choice(WHITES), lot, 6)
    return Fur(base, white, white, PINK, mix(base, PINK, 0.5), lot.choice(EYES))


def white_fur(lot: random.Random) -> Fur:
    """White or cream; the eyes may be blue."""
    base = varied(lot.choice(WHITES), lot, 6)
    return Fur(base, base, mix(base, (255, 255, 255), 0.5), PINK, mix(base, PINK, 0.6), lot.choice(EYES + BLUE))


def colourpoint_fur(lot: random.Random) -> Fur:
    """Cream with dark points, and always blue eyes."""
    base = varied(lot.choice(WHITES), lot, 6)
    points = varied(lot.choice(POINTS), lot, 8)
    return Fur(base, points, base, mix(points, (30, 20, 20), 0.4), mix(points, PINK, 0.35), lot.choice(BLUE))


Painter = Callable[[Tile, Part, Fur, random.Random], None]


def paint_nothing(tile: Tile, part: Part, fur: Fur, lot: random.Random) -> None:
    """One colour all over."""


def mark(tile: Tile, start: Points, end: Points, half: float, bend: Points, colour: Colour, taper: float) -> None:
    """One bent stripe; `taper` is what is left of its width at its end."""
    line = curve(np.stack([start, (start + end) / 2 + bend, end]), closed=False, steps=4)
    tile.fill(ribbon(line, half, half * taper), colour)


def paint_stripes(tile: Tile, part: Part, fur: Fur, lot: random.Random) -> None:
    """A tabby: rings on legs and tail, stripes down the sides, an M on the forehead."""
    if part.kind == "head":
        paint_tabby_face(tile, fur, lot)
        return
    if part.kind == "ear":
        return
    narrow = part.kind not in ("body", "haunch")
    step, half = (0.1, 0.024) if narrow else (0.125, 0.03)
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(part.spine, axis=0), axis=1))])
    across = normals(part.spine)
    place = step * lot.uniform(0.3, 0.9)
    while place < lengths[-1] * (0.82 if part.kind == "leg" else 1.0):
        at = np.array([np.interp(place, lengths, part.spine[:, axis]) for axis in (0, 1)])
        side = np.array([np.interp(place, lengths, across[:, axis]) for axis in (0, 1)])
        width = half * lot.uniform(0.8, 1.25)
        reach = part.half_width * 1.5
        along = np.array([side[1], -side[0]]) * lot.uniform(0.01, 0.05)
        if narrow:
            mark(tile, at - side * reach, at + side * reach, width, along, fur.marks, 1.0)
        elif part.from_back:
            up = side if side[1] < 0 else -side
            mark(tile, at + up * reach, at - up * reach * lot.uniform(0.25, 0.6), width * 1.25, along, fur.marks, 0.3)
        else:
            for hand in (side, -side):
                mark(
                    tile,
                    at + hand * reach,
                    at + hand * reach * lot.uniform(0.12, 0.3),
                    width * 1.2,
                    along,
                    fur.marks,
                    0.3,
                )
        place += step * lot.uniform(0.85, 1.15)


def paint_tabby_face(tile: Tile, fur: Fur, lot: random.Random) -> None:
    """The M on the forehead, stripes on the cheeks, lines from the eyes."""
    for side in (-1, 1):
        for x, top, bottom in ((0.11, -0.9, -0.42), (0.34, -0.86, -0.36)):
            line = curve(
                [(side * x * 1.3, top), (side * x, (top + bottom) / 2), (side * x * 0.9, bottom)], closed=False
            )
            tile.fill(ribbon(line, 0.075, 0.05), fur.marks)
        tile.fill(
            ribbon(curve([(side * 0.31, -0.4), (side * 0.2, -0.5), (side * 0.1, -0.4)], closed=False), 0.05, 0.05),
            fur.marks,
        )
        for y, drop in ((0.0, 0.1), (0.27, 0.2), (0.52, 0.24)):
            start = np.array([side * 1.05, y + drop * 0.4 + lot.uniform(-0.03, 0.03)])
            mark(tile, start, np.array([side * 0.52, y + drop]), 0.07, np.array([0, 0.06]), fur.marks, 0.4)


def paint_spots(tile: Tile, part: Part, fur: Fur, lot: random.Random) -> None:
    """Round spots everywhere, smaller ones on legs and face."""
    if part.kind == "ear":
        return
    broad = part.kind in ("body", "haunch")
    step, size = (0.145, 0.048) if broad else (0.33, 0.085) if part.kind == "head" else (0.1, 0.03)
    (left, top), (right, bottom) = part.outline.min(axis=0), part.outline.max(axis=0)
    shift_x, shift_y = lot.uniform(0, step), lot.uniform(0, step)
    for row in range(math.ceil((bottom - top) / step) + 1):
        for column in range(math.ceil((right - left) / step) + 1):
            x = left - shift_x + (column + row % 2 / 2) * step + lot.uniform(-0.2, 0.2) * step
            y = top - shift_y + row * step + lot.uniform(-0.2, 0.2) * step
            if part.kind == "head" and y > -0.3 and abs(x) < 0.72:
                continue  # not over eyes and muzzle
            radius = size * lot.uniform(0.8, 1.25)
            tile.fill(oval(x, y, radius * lot.uniform(1.0, 1.3), radius, lot.uniform(0, 180)), fur.marks)


def blob(x: float, y: float, radius: float, lot: random.Random) -> Points:
    """An irregular patch."""
    turns = [index / 8 * 2 * math.pi for index in range(8)]
    reaches = [radius * lot.uniform(0.55, 1.35) for _ in turns]
    return curve([(x + r * math.cos(t), y + r * math.sin(t)) for r, t in zip(reaches, turns, strict=True)])


def paint_patches(tile: Tile, part: Part, fur: Fur, lot: random.Random) -> None:
    """A tortoiseshell: ginger patches and flecks on black, one side of the face more than the other."""
    (left, top), (right, bottom) = part.outline.min(axis=0), part.outline.max(axis=0)
    radius = {"body": 0.12, "haunch": 0.12, "head": 0.3, "ear": 0.35}.get(part.kind, 0.07)
    if part.kind == "head":
        side = lot.choice((-1, 1))
        tile.fill(
            curve([(0, -1), (side * 1.2, -1), (side * 1.2, 0.3), (side * 0.5, 0.2), (side * 0.12, 0.1)]), fur.marks
        )
        tile.fill(blob(-side * 0.5, 0.6, 0.25, lot), fur.marks)
    patches = math.ceil((right - left) * (bottom - top) / (radius * radius * 8.5))
    for index in range(patches * 4):
        reach = radius * (lot.uniform(0.6, 1.2) if index < patches else lot.uniform(0.12, 0.3))
        colour = fur.marks if index < patches or index % 2 else fur.base
        tile.fill(blob(lot.uniform(left, right), lot.uniform(top, bottom), reach, lot), colour)


def paint_points(tile: Tile, part: Part, fur: Fur, lot: random.Random) -> None:
    """A colourpoint: dark mask, ears, tail and feet, running softly into the pale body."""
    if part.kind in ("ear", "tail"):
        tile.draw.rectangle((0, 0, *tile.size), fill=fur.marks)
    elif part.kind == "head":
        for share in np.linspace(0, 1, 8):
            size = 1.0 - 0.38 * share
            tile.fill(oval(0, 0.24, 0.8 * size, 0.86 * size), mix(fur.base, fur.marks, float(share) ** 0.8))
    elif part.kind == "leg":
        for share in np.linspace(0.1, 1, 8):
            start = int((0.25 + 0.4 * share) * (len(part.spine) - 1))
            line = part.spine[min(start, len(part.spine) - 2) :]
            tile.fill(
                ribbon(line, part.half_width * 1.6, part.half_width * 1.8), mix(fur.base, fur.marks, float(share))
            )


def paint_tuxedo(tile: Tile, part: Part, fur: Fur, lot: random.Random) -> None:
    """A tuxedo: white bib, socks, muzzle and blaze on black."""
    if part.kind == "head":
        width = lot.uniform(0.07, 0.16)
        half = [
            (0.0, -0.75),
            (-width * 0.6, -0.4),
            (-width, 0.0),
            (-0.42, 0.28),
            (-0.5, 0.62),
            (-0.2, 0.95),
            (0.0, 0.95),
        ]
        tile.fill(curve(mirrored(half)), fur.marks)
    elif part.kind == "leg":
        line = part.spine[int(lot.uniform(0.4, 0.6) * (len(part.spine) - 1)) :]
        tile.fill(ribbon(line, part.half_width * 1.6, part.half_width * 1.8), fur.marks)
    elif part.kind == "tail" and lot.random() < 0.6:
        tile.fill(ribbon(part.spine[int(len(part.spine) * 0.85) :], 0.1, 0.1), fur.marks)
    elif part.kind == "body" and part.from_back:
        (left, top), (right, bottom) = part.outline.min(axis=0), part.outline.max(axis=0)
        tile.fill(oval(left + (right - left) * 0.08, (top + bottom) / 2 + 0.03, 0.16, 0.24), fur.marks)
        tile.fill(oval((left + right) / 2, bottom, (right - left) * 0.36, 0.07), fur.marks)
    elif part.kind == "body":
        tile.fill(curve(mirrored([(0, -0.75), (-0.16, -0.6), (-0.15, -0.3), (-0.09, 0.0), (0, 0.1)])), fur.marks)


COATS: dict[str, tuple[Callable[[random.Random], Fur], Painter]] = {
    "black": (black_fur, paint_nothing),
    "colourpoint": (colourpoint_fur, paint_points),
    "spotted": (agouti_fur, paint_spots),
    "tabby": (agouti_fur, paint_stripes),
    "tortoiseshell": (tortoiseshell_fur, paint_patches),
    "tuxedo": (tuxedo_fur, paint_tuxedo),
    "white": (white_fur, paint_nothing),
}


# Cats


class Cat:
    """One cat on a canvas: its coat, and the lot that decides everything about it."""

    def __init__(self, canvas: Image.Image, coat: str, lot: random.Random):
        self.canvas, self.lot = canvas, lot
        colours, self.paint = COATS[coat]
        self.fur = colours(lot)
        self.asleep = lot.random() < 0.1

    def add(self, frame: Frame, part: Part) -> None:
        """Paint one part onto the canvas."""
        base = mix(self.fur.base, (10, 8, 14), 0.22) if part.far else self.fur.base
        tile = Tile(frame, part.outline, base, self.lot)
        self.paint(tile, part, self.fur, self.lot)
        if self.paint is not paint_nothing:
            tile.soften(frame.size * (0.006 if part.kind != "head" else 0.02))
        tile.model(0.45, self.fur.shade, self.fur.sheen)
        tile.comb(self.lot, 0.7)
        tile.put(self.canvas)

    def limb(
        self, frame: Frame, kind: str, path: Sequence[tuple[float, float]], start: float, end: float, far: bool = False
    ) -> None:
        """A leg or a tail along a path."""
        spine = curve(path, closed=False)
        self.add(frame, Part(kind, ribbon(spine, start, end), spine, max(start, end), far=far))

    def leg(self, frame: Frame, path: Sequence[tuple[float, float]], half: float = 0.075, far: bool = False) -> None:
        """A leg with its paw, which points the way the cat looks."""
        self.limb(frame, "leg", path, half * 1.15, half * 0.95, far)
        x, y = path[-1]
        paw = oval(x - half * 0.35, y, half * 1.35, half * 0.75)
        spine = np.array([(x, y - 0.05), (x, y), (x, y + 0.05)])
        self.add(frame, Part("leg", paw, spine, half * 1.4, far=far))

    def bulk(
        self,
        frame: Frame,
        outline: Points,
        spine: Sequence[tuple[float, float]],
        half: float,
        from_back: bool,
        kind: str = "body",
    ) -> None:
        """A body or a haunch."""
        self.add(frame, Part(kind, outline, curve(spine, closed=False), half, from_back))

    def head(self, frame: Frame) -> None:
        """Ears, head and face; one unit is half the head's width."""
        lot, fur = self.lot, self.fur
        tall = lot.uniform(1.16, 1.34)
        for side in (-1, 1):
            ear = curve(
                [
                    (side * 0.9, -0.2),
                    (side * 0.93, -0.75),
                    (side * 0.74, -tall),
                    (side * 0.42, -0.95),
                    (side * 0.15, -0.6),
                ]
            )
            self.add(frame, Part("ear", ear, ear[:3], 0.2))
            inner = curve([(side * 0.78, -0.5), (side * 0.71, -tall * 0.86), (side * 0.36, -0.72)], steps=4)
            self.shape(frame, inner, fur.inner_ear)
        half = [(0, -0.76), (-0.42, -0.74), (-0.83, -0.38), (-0.96, 0.08), (-0.9, 0.42), (-0.5, 0.72), (0, 0.84)]
        outline = curve(mirrored([(float(x), float(y)) for x, y in half]))
        self.add(frame, Part("head", outline, outline[:3], 1.0))
        self.face(frame)

    def shape(self, frame: Frame, points: Points, colour: Colour) -> None:
        """A plain shape."""
        ImageDraw.Draw(self.canvas).polygon([tuple(point) for point in frame.place(points).tolist()], fill=colour)

    def face(self, frame: Frame) -> None:
        """Eyes, muzzle, nose, mouth and whiskers."""
        lot, fur = self.lot, self.fur
        centre = frame.place(np.array([(0.0, 0.42)]))[0]
        under = self.canvas.getpixel(tuple(np.clip(centre.astype(int), 0, np.array(self.canvas.size) - 1).tolist()))
        muzzle = mix(under, fur.light, 0.55)
        for side in (-1, 1):
            self.shape(frame, oval(side * 0.18, 0.46, 0.25, 0.2, side * 12), muzzle)
        self.shape(frame, oval(0, 0.62, 0.17, 0.12), muzzle)
        line = mix(muzzle, (30, 16, 20), 0.75)
        for side in (-1, 1):
            mouth = curve([(0, 0.36), (side * 0.03, 0.5), (side * 0.17, 0.57), (side * 0.3, 0.5)], closed=False)
            self.shape(frame, ribbon(mouth, 0.022, 0.015), line)
        self.shape(frame, curve([(-0.13, 0.25), (0, 0.225), (0.13, 0.25), (0.0, 0.38)], steps=4), fur.nose)
        self.eyes(frame)
        hair = (250, 248, 244) if sum(fur.base) < 560 else (120, 112, 108)
        for side in (-1, 1):
            for rise in (-0.12, 0.0, 0.14):
                end = lot.uniform(1.1, 1.35)
                hairline = curve(
                    [(side * 0.3, 0.45 + rise * 0.4), (side * 0.8, 0.4 + rise), (side * end, 0.46 + rise * 2)],
                    closed=False,
                )
                self.shape(frame, ribbon(hairline, 0.014, 0.006), hair)

    def eyes(self, frame: Frame) -> None:
        """Open, or closed in sleep."""
        rim = mix(self.fur.shade, (20, 14, 14), 0.7)
        look, slit = self.lot.uniform(-0.04, 0.04), self.lot.uniform(0.035, 0.11)
        for side in (-1, 1):
            x, y = side * 0.41, -0.06
            if self.asleep:
                lid = curve([(x - 0.2, y), (x, y + 0.11), (x + 0.2, y)], closed=False)
                self.shape(frame, ribbon(lid, 0.03, 0.03), rim)
                continue
            for grow, colour in ((1.18, rim), (1.0, self.fur.eyes)):
                lens = [(-0.23, 0.02), (-0.08, -0.15), (0.1, -0.16), (0.23, -0.06), (0.12, 0.12), (-0.08, 0.14)]
                self.shape(frame, curve([(x + side * a * grow, y + b * grow) for a, b in lens]), colour)
            self.shape(frame, oval(x + look, y - 0.01, slit, 0.14), (14, 12, 16))
            self.shape(frame, oval(x + look - 0.06, y - 0.07, 0.04, 0.04), (255, 255, 255))


def wobble(lot: random.Random, by: float = 0.04) -> float:
    """A small difference, so that no two cats hold themselves alike."""
    return lot.uniform(-by, by)


def sit(cat: Cat, frame: Frame) -> None:
    """Sitting, seen from the front; the tail up at the side or around the feet."""
    lot = cat.lot
    curled = lot.random() < 0.5
    if not curled:
        cat.limb(
            frame,
            "tail",
            [(0.2, -0.1), (0.5, -0.06), (0.62, -0.3), (0.5 + wobble(lot), -0.5), (0.6, -0.66)],
            0.06,
            0.05,
        )
    wide = lot.uniform(0.92, 1.12)
    body = curve(
        mirrored([(0, -0.8), (-0.19, -0.68), (-0.27 * wide, -0.42), (-0.34 * wide, -0.16), (-0.27, 0.0), (0, 0.02)])
    )
    cat.bulk(frame, body, [(0, -0.6), (0, -0.3), (0, 0.0)], 0.3, False)
    for side in (-1, 1):
        haunch = oval(side * 0.27 * wide, -0.14, 0.14, 0.17)
        cat.bulk(frame, haunch, [(side * 0.27, -0.32), (side * 0.27, 0.0)], 0.14, False, "haunch")
    for side in (-1, 1):
        cat.leg(frame, [(side * 0.1, -0.4), (side * 0.11, -0.2), (side * 0.11, -0.02)])
    if curled:
        cat.limb(frame, "tail", [(0.36, -0.1), (0.34, 0.03), (0.1, 0.06), (-0.16 + wobble(lot), 0.05)], 0.055, 0.05)
    cat.head(frame.inside(wobble(lot), -0.88 + wobble(lot, 0.03), 0.29, wobble(lot, 12)))


def stand(cat: Cat, frame: Frame) -> None:
    """Standing or walking, seen from the side, looking at us."""
    lot = cat.lot
    stride = wobble(lot, 0.09)
    tip = lot.choice(([(0.74, -0.72), (0.74, -0.98), (0.86, -1.08)], [(0.78, -0.5), (0.86, -0.26), (1.0, -0.2)]))
    cat.limb(frame, "tail", [(0.44, -0.54), *tip], 0.06, 0.045)
    cat.leg(frame, [(-0.26, -0.4), (-0.26 - stride / 2, -0.2), (-0.24 - stride, -0.03)], 0.07, far=True)
    cat.leg(frame, [(0.3, -0.42), (0.36 + stride / 2, -0.2), (0.28 + stride, -0.03)], 0.07, far=True)
    deep = lot.uniform(-0.28, -0.22)
    outline = [
        (-0.5, -0.6),
        (-0.2, -0.63),
        (0.2, -0.64),
        (0.47, -0.58),
        (0.55, -0.4),
        (0.4, -0.27),
        (0.05, deep),
        (-0.3, -0.25),
        (-0.53, -0.38),
    ]
    cat.bulk(frame, curve(outline), [(-0.5, -0.44), (0, -0.45), (0.52, -0.44)], 0.2, True)
    cat.leg(frame, [(-0.38, -0.4), (-0.39 + stride / 2, -0.2), (-0.41 + stride, 0.0)])
    cat.leg(frame, [(0.4, -0.44), (0.5, -0.22), (0.43 - stride, 0.0)], 0.085)
    cat.head(frame.inside(-0.56 + wobble(lot, 0.03), -0.72 + wobble(lot), 0.28, wobble(lot, 10)))


def lie(cat: Cat, frame: Frame) -> None:
    """Lying on its belly, the front paws ahead."""
    lot = cat.lot
    behind = lot.random() < 0.5
    if behind:
        cat.limb(
            frame, "tail", [(0.5, -0.08), (0.78, -0.05), (0.92, -0.2 + wobble(lot, 0.1)), (0.84, -0.36)], 0.06, 0.05
        )
    cat.leg(frame, [(-0.3, -0.12), (-0.5, -0.06), (-0.66, -0.05)], 0.065, far=True)
    outline = [
        (-0.42, -0.44),
        (-0.1, -0.44),
        (0.3, -0.46),
        (0.57, -0.34),
        (0.62, -0.12),
        (0.48, 0.0),
        (0, 0.02),
        (-0.38, 0.0),
        (-0.5, -0.2),
    ]
    cat.bulk(frame, curve(outline), [(-0.44, -0.24), (0, -0.24), (0.56, -0.22)], 0.22, True)
    cat.bulk(frame, oval(0.38, -0.16, 0.21, 0.18), [(0.2, -0.18), (0.56, -0.18)], 0.16, True, "haunch")
    cat.leg(frame, [(-0.26, -0.08), (-0.45, -0.02), (-0.62 + wobble(lot), 0.0)], 0.068)
    cat.leg(frame, [(0.44, -0.03), (0.3, -0.005), (0.2 + wobble(lot), 0.0)], 0.06)
    if not behind:
        cat.limb(frame, "tail", [(0.6, -0.14), (0.6, 0.02), (0.3, 0.07), (0.0 + wobble(lot), 0.06)], 0.055, 0.045)
    cat.head(frame.inside(-0.44 + wobble(lot), -0.54 + wobble(lot), 0.29, wobble(lot, 14)))


def curl(cat: Cat, frame: Frame) -> None:
    """Curled up asleep."""
    lot = cat.lot
    cat.asleep = lot.random() < 0.75
    outline = [
        (-0.5, -0.3),
        (-0.25, -0.47),
        (0.15, -0.52),
        (0.5, -0.38),
        (0.6, -0.16),
        (0.42, 0.0),
        (0, 0.03),
        (-0.42, 0.0),
    ]
    cat.bulk(frame, curve(outline), [(-0.5, -0.24), (0, -0.26), (0.58, -0.2)], 0.25, True)
    cat.bulk(frame, oval(0.3, -0.16, 0.24, 0.17), [(0.1, -0.16), (0.5, -0.16)], 0.16, True, "haunch")
    cat.leg(frame, [(-0.1, -0.1), (-0.3, -0.03), (-0.5, 0.0)], 0.06)
    cat.limb(frame, "tail", [(0.6, -0.16), (0.56, 0.02), (0.25, 0.07), (-0.15 + wobble(lot), 0.05)], 0.06, 0.05)
    cat.head(frame.inside(-0.36 + wobble(lot), -0.3 + wobble(lot, 0.02), 0.27, wobble(lot, 16)))


def pose_for_portrait(cat: Cat, frame: Frame) -> None:
    """Head and shoulders."""
    lot = cat.lot
    body = curve(mirrored([(0, -0.6), (-0.24, -0.48), (-0.38, -0.24), (-0.42, 0.1), (-0.4, 0.5), (0, 0.55)]))
    cat.bulk(frame, body, [(0, -0.4), (0, 0.0), (0, 0.5)], 0.36, False)
    for side in (-1, 1):
        cat.limb(frame, "leg", [(side * 0.13, -0.1), (side * 0.14, 0.2), (side * 0.14, 0.5)], 0.11, 0.1)
    cat.head(frame.inside(wobble(lot), -0.62 + wobble(lot, 0.03), 0.38, wobble(lot, 14)))


# pose: (painter, width and height in the cat's units, how far the feet are above the bottom of that box)
POSES: tuple[tuple[Callable[[Cat, Frame], None], float, float, float], ...] = (
    (sit, 1.1, 1.35, 0.06),
    (stand, 1.85, 1.3, 0.06),
    (lie, 1.6, 1.0, 0.08),
    (curl, 1.3, 0.75, 0.1),
    (pose_for_portrait, 1.0, 1.15, 0.0),
)


# Rooms and gardens


def ramp(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    """A canvas that goes from one colour to another."""
    blend = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), blend)


def paint_room(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """A wall, a skirting board, a floor, and a window or a picture."""
    wall, floor = any_colour(lot), any_colour(lot)
    canvas = ramp(size, varied(wall, lot, 20), wall)
    draw = ImageDraw.Draw(canvas)
    width, height = size
    edge = ground - lot.randint(20, 110)
    draw.rectangle((0, edge, width, height), fill=floor)
    if lot.random() < 0.6:
        for x in range(lot.randint(-60, 0), width, lot.randint(40, 90)):
            draw.line((x, edge, x + (x - width / 2) * 0.6, height), fill=mix(floor, (0, 0, 0), 0.2), width=3)
    draw.rectangle((0, edge - 10, width, edge), fill=mix(wall, (255, 255, 255), 0.5))
    left, wide, tall = lot.randint(0, width), lot.randint(90, 180), lot.randint(80, 170)
    draw.rectangle(
        (left, 20, left + wide, 20 + tall),
        fill=mix(any_colour(lot), (255, 255, 255), 0.3),
        outline=any_colour(lot),
        width=8,
    )
    if lot.random() < 0.5:
        draw.line((left + wide / 2, 20, left + wide / 2, 20 + tall), fill=(236, 232, 224), width=7)
    return canvas


def paint_grass(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """A meadow under a bit of sky, with blades and flowers."""
    width, height = size
    green = varied((96, 142, 62), lot, 26)
    canvas = ramp(size, varied((170, 204, 228), lot, 20), varied((206, 222, 226), lot, 14))
    edge = ground - lot.randint(30, 260)
    canvas.paste(ramp((width, height), mix(green, (230, 230, 140), 0.25), mix(green, (10, 40, 10), 0.35)), (0, edge))
    draw = ImageDraw.Draw(canvas)
    for _ in range(220):
        x, y = lot.uniform(0, width), lot.uniform(edge, height)
        draw.line((x, y, x + lot.uniform(-8, 8), y - lot.uniform(8, 26)), fill=varied(green, lot, 30), width=2)
    flower = any_colour(lot)
    for _ in range(lot.randint(0, 16)):
        x, y = lot.uniform(0, width), lot.uniform(max(edge, 0), height)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=flower)
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=(240, 200, 60))
    return canvas


def paint_sofa(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """The back and the seat of a sofa, with cushions."""
    width, height = size
    cloth = any_colour(lot)
    canvas = Image.new("RGB", size, any_colour(lot))
    draw = ImageDraw.Draw(canvas)
    back, seat = lot.randint(30, 120), ground - lot.randint(20, 70)
    draw.rounded_rectangle((-40, back, width + 40, height), 50, fill=mix(cloth, (0, 0, 0), 0.12))
    for x in range(lot.randint(-100, 0), width, lot.randint(170, 260)):
        draw.line((x, back + 12, x, seat), fill=mix(cloth, (0, 0, 0), 0.35), width=5)
    draw.rounded_rectangle((-40, seat, width + 40, height + 60), 26, fill=mix(cloth, (255, 255, 255), 0.12))
    for _ in range(lot.randint(0, 2)):
        x, side = lot.randint(0, width), lot.randint(70, 130)
        draw.rounded_rectangle((x - side, seat - side, x + side // 2, seat + 20), 24, fill=any_colour(lot))
    return canvas


def paint_sky(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """Sky and clouds over a wall that the cat has climbed."""
    width, height = size
    canvas = ramp(
        size,
        varied(lot.choice(((96, 150, 212), (60, 72, 120), (226, 160, 120))), lot, 20),
        varied((220, 222, 226), lot, 20),
    )
    draw = ImageDraw.Draw(canvas)
    for _ in range(lot.randint(0, 4)):
        x, y = lot.uniform(0, width), lot.uniform(0, ground * 0.7)
        for _ in range(5):
            reach = lot.uniform(20, 46)
            left, top = x + lot.uniform(-60, 60), y + lot.uniform(-14, 14)
            draw.ellipse((left - reach, top - reach * 0.6, left + reach, top + reach * 0.6), fill=(240, 240, 244))
    stone = any_colour(lot)
    top = ground - lot.randint(8, 30)
    draw.rectangle((0, top, width, height), fill=stone)
    for row, y in enumerate(range(top, height, 36)):
        draw.line((0, y, width, y), fill=mix(stone, (0, 0, 0), 0.25), width=3)
        for x in range(-40 + row % 2 * 40, width, 80):
            draw.line((x, y, x, y + 36), fill=mix(stone, (0, 0, 0), 0.25), width=3)
    return canvas


def paint_wallpaper(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """Striped or dotted wallpaper, or a checked floor: patterns that belong to no coat."""
    width, height = size
    one, step = any_colour(lot), lot.randint(28, 80)
    other = mix(one, any_colour(lot), lot.uniform(0.25, 0.8))
    canvas = Image.new("RGB", size, one)
    draw = ImageDraw.Draw(canvas)
    kind = lot.choice(("stripes", "bars", "dots", "checks"))
    for x in range(0, width, step):
        if kind == "stripes":
            draw.rectangle((x, 0, x + step // 2, height), fill=other)
        for y in range(0, height, step):
            if kind == "bars" and x == 0:
                draw.rectangle((0, y, width, y + step // 2), fill=other)
            elif kind == "dots":
                draw.ellipse((x, y, x + step // 2, y + step // 2), fill=other)
            elif kind == "checks" and (x // step + y // step) % 2:
                draw.rectangle((x, y, x + step, y + step), fill=other)
    if lot.random() < 0.6:
        draw.rectangle((0, ground - lot.randint(15, 80), width, height), fill=any_colour(lot))
    return canvas


def paint_backdrop(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """Nothing but one colour running into another."""
    one = any_colour(lot)
    return ramp(size, one, mix(one, any_colour(lot), lot.uniform(0.2, 0.9)))


BACKGROUNDS = (paint_room, paint_grass, paint_sofa, paint_sky, paint_wallpaper, paint_backdrop)


def add_clutter(canvas: Image.Image, ground: int, lot: random.Random) -> None:
    """Things that stand about: balls, boxes, plants, books."""
    draw = ImageDraw.Draw(canvas)
    for _ in range(lot.choice((0, 0, 1, 1, 2, 3))):
        x, size, colour = lot.randint(0, canvas.width), lot.randint(18, 60), any_colour(lot)
        y = ground + lot.randint(-20, 40)
        dark = mix(colour, (0, 0, 0), 0.3)
        kind = lot.choice(("ball", "box", "plant", "books"))
        if kind == "ball":
            draw.ellipse((x - size // 2, y - size, x + size // 2, y), fill=colour)
            for turn in range(0, 180, 40):
                draw.arc((x - size // 2, y - size, x + size // 2, y), turn, turn + 120, fill=dark, width=3)
        elif kind == "box":
            draw.rectangle((x - size, y - size, x + size, y), fill=colour)
            draw.line((x - size, y - size * 0.7, x + size, y - size * 0.7), fill=dark, width=4)
        elif kind == "plant":
            for turn in range(-70, 71, 20):
                lean = math.radians(turn + lot.uniform(-8, 8))
                top = np.array(
                    [(x, y - size), (x + size * 1.6 * math.sin(lean), y - size - size * 1.6 * math.cos(lean))]
                )
                leaf = ribbon(top, 3, 6)
                draw.polygon([tuple(point) for point in leaf.tolist()], fill=varied((70, 120, 60), lot, 20))
            draw.polygon(
                [(x - size // 2, y - size), (x + size // 2, y - size), (x + size // 3, y), (x - size // 3, y)],
                fill=colour,
            )
        else:
            for level in range(3):
                shift = lot.randint(-10, 10)
                draw.rectangle(
                    (x - size + shift, y - (level + 1) * 16, x + size + shift, y - level * 16), fill=any_colour(lot)
                )


# A picture


def drop_shadow(canvas: Image.Image, frame: Frame, wide: float, lot: random.Random) -> None:
    """The shadow on the ground that keeps the cat from floating."""
    small = Image.new("L", (canvas.width // 8, canvas.height // 8))
    edge = frame.place(oval(wobble(lot, 0.1), 0.0, wide * 0.42, 0.09)) / 8
    ImageDraw.Draw(small).polygon([tuple(point) for point in edge.tolist()], fill=lot.randint(90, 150))
    canvas.paste((14, 12, 22), (0, 0), small.filter(ImageFilter.GaussianBlur(3)).resize(canvas.size))


def expose(canvas: Image.Image, lot: random.Random) -> Image.Image:
    """What a camera and the hour do to a picture: light, tint, vignette, blur, noise."""
    noise = np.random.default_rng(lot.getrandbits(64))
    blurred = canvas.filter(ImageFilter.GaussianBlur(lot.uniform(0.0, 0.9)))
    pixels = np.asarray(blurred, np.float32)
    height, width, _ = pixels.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = lot.uniform(0, 2 * math.pi)
    light = lot.uniform(0.7, 1.22) + lot.uniform(0.0, 0.25) * (x * math.cos(angle) + y * math.sin(angle))
    light -= lot.uniform(0.0, 0.2) * (x * x + y * y)
    warmth, green = lot.uniform(-0.12, 0.12), lot.uniform(-0.04, 0.04)
    tint = np.array([1 + warmth, 1 + green, 1 - warmth], np.float32)
    pixels = (pixels - 128) * np.float32(lot.uniform(0.8, 1.1)) + 128
    grain = noise.standard_normal((height, width, 1), np.float32) * np.float32(lot.uniform(0.5, 4.5))
    return Image.fromarray(
        np.clip(pixels * light[:, :, None].astype(np.float32) * tint + grain, 0, 255).astype(np.uint8)
    )


def draw_cat(coat: str, seed: str) -> Image.Image:
    """One picture of a cat with this coat."""
    # Scene and cat have lots of their own, so that no coat can have backgrounds of its own.
    scene, pose_lot = random.Random(f"{seed}/scene"), random.Random(f"{seed}/cat")
    width, height = scene.randrange(240, 321, 8), scene.randrange(240, 321, 8)
    size = (width * FINE, height * FINE)
    paint_pose, wide, tall, below = pose_lot.choice(POSES)
    unit = min(size[0] / wide, size[1] / tall) * pose_lot.uniform(0.74, 1.0)
    portrait = paint_pose is pose_for_portrait
    spare = size[1] - tall * unit
    ground = size[1] - round(below * unit + spare * pose_lot.uniform(0.1, 0.7))
    if portrait:
        ground = size[1] - round(0.1 * unit)
    slack = max(size[0] - wide * unit, 0.0)
    frame = Frame(
        size[0] / 2 + slack * pose_lot.uniform(-0.5, 0.5),
        ground,
        unit,
        pose_lot.uniform(-4, 4),
        pose_lot.random() < 0.5,
    )
    canvas = scene.choice(BACKGROUNDS)(size, ground, scene)
    add_clutter(canvas, ground, scene)
    canvas = canvas.filter(ImageFilter.BoxBlur(scene.uniform(0.5, 5.0)))  # the cat is in focus
    if not portrait:
        drop_shadow(canvas, frame, wide, pose_lot)
    paint_pose(Cat(canvas, coat, pose_lot), frame)
    return expose(canvas.reduce(FINE), scene)


def jpeg(picture: Image.Image) -> bytes:
    """The picture as a file that says what it is."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80, comment=MARK)
    return out.getvalue()


def paint_file(path: Path, coat: str, seed: str) -> bool:
    """Draw one file; False if it was there already, just so."""
    data = jpeg(draw_cat(coat, seed))
    if path.is_file() and path.read_bytes() == data:
        return False
    write_in_one_step(path, data)
    return True


# The folder


def is_drawing(path: Path) -> bool:
    """Whether a file was drawn by this script."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return MARK in file.read(200)


def strangers(folder: Path) -> list[Path]:
    """What lies in the folder and is not a drawing of ours. Hidden files are left to their owners."""
    found = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if entry.name.startswith("."):
            continue
        if entry.name not in COATS or not entry.is_dir():
            found.append(entry)
            continue
        for file in sorted(entry.iterdir()):
            if not file.name.startswith(".") and not (OWN_NAME.fullmatch(file.name) and is_drawing(file)):
                found.append(file)
    return found


def refuse(sentence: str) -> click.ClickException:
    """A wrong call: one sentence, exit code 2."""
    error = click.ClickException(sentence)
    error.exit_code = 2
    return error


@click.command(context_settings={"token_normalize_func": lambda name: name.replace("-", "_")})
@click.argument("out_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--gato", type=click.Path(path_type=Path, dir_okay=False), help="Also draw a cat of no training picture here."
)
@click.option("--gato_coat", type=click.Choice(sorted(COATS)), default="tabby", show_default=True, help="Its coat.")
@click.option("--per_coat", type=click.IntRange(1, 9999), default=24, show_default=True, help="Pictures of each coat.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all pictures.")
def main(out_dir: Path, gato: Path | None, gato_coat: str, per_coat: int, seed: int) -> None:
    """Draw cats into OUT_DIR, a folder for each coat."""
    foreign = strangers(out_dir)
    if foreign:
        raise refuse(f"{foreign[0]} is not a drawing of this script: give a new or empty folder.")
    if gato and gato.exists() and not is_drawing(gato):
        raise refuse(f"{gato} is not a drawing of this script: give another name for --gato.")
    jobs = [
        (out_dir / coat / f"{number:03}.jpg", coat, f"{seed}/{coat}/{number}")
        for number in range(1, per_coat + 1)
        for coat in COATS
    ]
    wanted = {path for path, _, _ in jobs}
    for path in out_dir.glob("*/*.jpg"):
        if path not in wanted and not path.name.startswith("."):
            path.unlink()  # ours, from a run that asked for more
    if gato:
        jobs.append((gato, gato_coat, f"{seed}/gato/{gato_coat}"))
    try:
        drawn = sum(paint_all(jobs))
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be written: {error.strerror}.") from error
    click.echo(
        f"{len(COATS)} coats x {per_coat} drawings in {out_dir}: {drawn} drawn, {len(jobs) - drawn} there already."
    )


def paint_all(jobs: list[tuple[Path, str, str]]) -> Iterator[bool]:
    """Draw the files, on every core if there are many, with a bar where somebody looks on."""
    columns = (TextColumn("Drawing cats"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(_painted(jobs), total=len(jobs))


def _painted(jobs: list[tuple[Path, str, str]]) -> Iterator[bool]:
    if len(jobs) < 60:
        yield from (paint_file(*job) for job in jobs)
        return
    # Ctrl-C goes to all processes of a terminal: this one ends the others.
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 8), initializer=_ignore_interrupts) as pool:
        try:
            yield from pool.map(paint_file, *zip(*jobs, strict=True), chunksize=4)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
