"""The colours of one cat, drawn by lot for each coat."""

import random
from dataclasses import dataclass

from retrain.demo.colours import Colour, mix, varied


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
