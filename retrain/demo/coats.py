"""Coats: the marks that each of them paints on the parts of a cat."""

import math
import random
from collections.abc import Callable

import numpy as np

from retrain.demo.colours import Colour, mix
from retrain.demo.fur import Fur, agouti_fur, black_fur, colourpoint_fur, tortoiseshell_fur, tuxedo_fur, white_fur
from retrain.demo.shapes import Points, curve, mirrored, normals, oval, ribbon
from retrain.demo.tile import Part, Tile

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
