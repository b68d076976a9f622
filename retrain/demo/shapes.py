"""Smooth lines, outlines, and frames that place them on a canvas."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


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
