"""How a cat holds itself: sitting, standing, lying, curled up, or close to the camera."""

import random
from collections.abc import Callable

from retrain.demo.body import Cat
from retrain.demo.head import paint_head
from retrain.demo.shapes import Frame, curve, mirrored, oval


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
    paint_head(cat, frame.inside(wobble(lot), -0.88 + wobble(lot, 0.03), 0.29, wobble(lot, 12)))


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
    paint_head(cat, frame.inside(-0.56 + wobble(lot, 0.03), -0.72 + wobble(lot), 0.28, wobble(lot, 10)))


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
    paint_head(cat, frame.inside(-0.44 + wobble(lot), -0.54 + wobble(lot), 0.29, wobble(lot, 14)))


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
    paint_head(cat, frame.inside(-0.36 + wobble(lot), -0.3 + wobble(lot, 0.02), 0.27, wobble(lot, 16)))


def pose_for_portrait(cat: Cat, frame: Frame) -> None:
    """Head and shoulders."""
    lot = cat.lot
    body = curve(mirrored([(0, -0.6), (-0.24, -0.48), (-0.38, -0.24), (-0.42, 0.1), (-0.4, 0.5), (0, 0.55)]))
    cat.bulk(frame, body, [(0, -0.4), (0, 0.0), (0, 0.5)], 0.36, False)
    for side in (-1, 1):
        cat.limb(frame, "leg", [(side * 0.13, -0.1), (side * 0.14, 0.2), (side * 0.14, 0.5)], 0.11, 0.1)
    paint_head(cat, frame.inside(wobble(lot), -0.62 + wobble(lot, 0.03), 0.38, wobble(lot, 14)))


# pose: (painter, width and height in the cat's units, how far the feet are above the bottom of that box)
POSES: tuple[tuple[Callable[[Cat, Frame], None], float, float, float], ...] = (
    (sit, 1.1, 1.35, 0.06),
    (stand, 1.85, 1.3, 0.06),
    (lie, 1.6, 1.0, 0.08),
    (curl, 1.3, 0.75, 0.1),
    (pose_for_portrait, 1.0, 1.15, 0.0),
)
