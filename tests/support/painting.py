"""Photos of one colour each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "grey": (128, 128, 128)}
SIZE = (40, 30)


def paint(path: Path, colour: str | Sequence[int] = "red", seed: int | None = None, **options: object) -> Path:
    """Write a photo of one colour; with a seed, of one that is near it. `options` are those of its file format."""
    shade = COLOURS[colour] if isinstance(colour, str) else colour
    if seed is not None:
        jitter = np.random.default_rng([seed, *shade]).integers(-25, 26, 3)
        shade = np.clip(np.array(shade) + jitter, 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE, tuple(int(part) for part in shade)).save(path, **options)
    return path


def paint_classes(folder: Path, classes: dict[str, str | Sequence[int]], seeds: Sequence[int]) -> Path:
    """A folder for each class (by name its colour), with a photo for each seed."""
    for name, colour in classes.items():
        for seed in seeds:
            paint(folder / name / f"{seed}.png", colour, seed)
    return folder


def paint_noise(folder: Path, classes: dict[str, int], each: int) -> Path:
    """A folder for each class (by name its shade of grey), with photos of noise round it."""
    noise = np.random.default_rng(0)
    for name, shade in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = np.clip(noise.normal(shade, 10, (9, 12, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder
