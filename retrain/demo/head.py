"""The head of a cat: ears, face and eyes."""

import numpy as np

from retrain.demo.body import Cat
from retrain.demo.colours import mix
from retrain.demo.shapes import Frame, curve, mirrored, oval, ribbon
from retrain.demo.tile import Part


def paint_head(cat: Cat, frame: Frame) -> None:
    """Ears, head and face; one unit is half the head's width."""
    lot, fur = cat.lot, cat.fur
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
        cat.add(frame, Part("ear", ear, ear[:3], 0.2))
        inner = curve([(side * 0.78, -0.5), (side * 0.71, -tall * 0.86), (side * 0.36, -0.72)], steps=4)
        cat.shape(frame, inner, fur.inner_ear)
    half = [(0, -0.76), (-0.42, -0.74), (-0.83, -0.38), (-0.96, 0.08), (-0.9, 0.42), (-0.5, 0.72), (0, 0.84)]
    outline = curve(mirrored([(float(x), float(y)) for x, y in half]))
    cat.add(frame, Part("head", outline, outline[:3], 1.0))
    paint_face(cat, frame)


def paint_face(cat: Cat, frame: Frame) -> None:
    """Eyes, muzzle, nose, mouth and whiskers."""
    lot, fur = cat.lot, cat.fur
    centre = frame.place(np.array([(0.0, 0.42)]))[0]
    under = cat.canvas.getpixel(tuple(np.clip(centre.astype(int), 0, np.array(cat.canvas.size) - 1).tolist()))
    assert isinstance(under, tuple)  # the canvas is RGB
    muzzle = mix(under, fur.light, 0.55)
    for side in (-1, 1):
        cat.shape(frame, oval(side * 0.18, 0.46, 0.25, 0.2, side * 12), muzzle)
    cat.shape(frame, oval(0, 0.62, 0.17, 0.12), muzzle)
    line = mix(muzzle, (30, 16, 20), 0.75)
    for side in (-1, 1):
        mouth = curve([(0, 0.36), (side * 0.03, 0.5), (side * 0.17, 0.57), (side * 0.3, 0.5)], closed=False)
        cat.shape(frame, ribbon(mouth, 0.022, 0.015), line)
    cat.shape(frame, curve([(-0.13, 0.25), (0, 0.225), (0.13, 0.25), (0.0, 0.38)], steps=4), fur.nose)
    paint_eyes(cat, frame)
    hair = (250, 248, 244) if sum(fur.base) < 560 else (120, 112, 108)
    for side in (-1, 1):
        for rise in (-0.12, 0.0, 0.14):
            end = lot.uniform(1.1, 1.35)
            hairline = curve(
                [(side * 0.3, 0.45 + rise * 0.4), (side * 0.8, 0.4 + rise), (side * end, 0.46 + rise * 2)],
                closed=False,
            )
            cat.shape(frame, ribbon(hairline, 0.014, 0.006), hair)


def paint_eyes(cat: Cat, frame: Frame) -> None:
    """Open, or closed in sleep."""
    rim = mix(cat.fur.shade, (20, 14, 14), 0.7)
    look, slit = cat.lot.uniform(-0.04, 0.04), cat.lot.uniform(0.035, 0.11)
    for side in (-1, 1):
        x, y = side * 0.41, -0.06
        if cat.asleep:
            lid = curve([(x - 0.2, y), (x, y + 0.11), (x + 0.2, y)], closed=False)
            cat.shape(frame, ribbon(lid, 0.03, 0.03), rim)
            continue
        for grow, colour in ((1.18, rim), (1.0, cat.fur.eyes)):
            lens = [(-0.23, 0.02), (-0.08, -0.15), (0.1, -0.16), (0.23, -0.06), (0.12, 0.12), (-0.08, 0.14)]
            cat.shape(frame, curve([(x + side * a * grow, y + b * grow) for a, b in lens]), colour)
        cat.shape(frame, oval(x + look, y - 0.01, slit, 0.14), (14, 12, 16))
        cat.shape(frame, oval(x + look - 0.06, y - 0.07, 0.04, 0.04), (255, 255, 255))
