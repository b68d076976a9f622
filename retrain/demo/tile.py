"""One part of a cat, and the rectangle of the canvas that it is painted on."""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from retrain.demo.colours import Colour
from retrain.demo.shapes import Frame, Points


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
    moved: Points = edge + (edge - centre) * out
    return moved
