"""Photos that show the same pictures, and bottlenecks that say so."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from label_image.files import sha256_of_bytes
from retrain.photos.dataset import Photo


def picture(seed: int) -> Image.Image:
    """Smooth random blobs: as different from each other as photos are."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize((240, 180), Image.Resampling.BICUBIC)


def same_pictures(folder: Path) -> list[Photo]:
    """0..9 are different; 10 is mirrored 0, 11 a small 1, 12 the bytes of 2, 13 plain, 14 plain in another colour."""
    pictures = [picture(seed) for seed in range(10)]
    pictures += [ImageOps.mirror(pictures[0]), pictures[1].resize((120, 90)), pictures[2]]
    pictures += [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]
    found = []
    for number, image in enumerate(pictures):
        path = folder / f"{number}.jpg"
        image.save(path, quality=60 if number in (10, 11) else 90)
        found.append(Photo(str(path), "b" if number == 11 else "a", sha256_of_bytes(path.read_bytes())))
    return found


def bottlenecks(copies: dict[int, int], count: int = 15) -> np.ndarray:
    """All different but for copies, which are close to their originals."""
    random = np.random.default_rng(0)
    matrix = random.normal(0, 1, (count, 64)).astype(np.float32) + 10
    for copy, original in copies.items():
        matrix[copy] = matrix[original] + random.normal(0, 0.3, 64)
    return matrix
