"""Colours, and how they are mixed and varied."""

import random
from collections.abc import Sequence

Colour = tuple[int, int, int]


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
