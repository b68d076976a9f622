"""A cat on a canvas: its parts are painted one by one, each with the marks of its coat."""

import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from retrain.demo.coats import COATS, paint_nothing
from retrain.demo.colours import Colour, mix
from retrain.demo.shapes import Frame, Points, curve, oval, ribbon
from retrain.demo.tile import Part, Tile


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

    def shape(self, frame: Frame, points: Points, colour: Colour) -> None:
        """A plain shape."""
        ImageDraw.Draw(self.canvas).polygon([tuple(point) for point in frame.place(points).tolist()], fill=colour)
