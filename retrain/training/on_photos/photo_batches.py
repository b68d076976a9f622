"""Photos as batches of pixels, for training that runs the network itself: shuffled, augmented, decoded ahead.

Nothing here imports TensorFlow. What a batch holds depends on the seed and the epoch alone, not on
threads or on where a resumed training began.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from label_image.errors import PhotoError
from label_image.preprocessing import Pixels, Preprocessing, load_pixels
from retrain.core.errors import DatasetError
from retrain.core.machine import cores
from retrain.photos.reading import map_in_order

Classes = npt.NDArray[np.intp]
# A changed photo of the same shape. `str()` of it goes into checkpoints, so it must say what it does.
Augment = Callable[[Pixels, np.random.Generator], Pixels]

MEMORY = 512 * 2**20  # bytes of decoded photos that are kept from epoch to epoch


@dataclass(frozen=True)
class Distortion:
    """Mild random changes of a photo, new in every epoch, that leave the class as it is.

    `flip`: mirror every other photo. `crop`: cut away up to this share of the sides, at a random
    place, and stretch the rest to the full size. `brightness`: multiply by 1 - b to 1 + b.
    """

    flip: bool = True
    crop: float = 0.2
    brightness: float = 0.2

    def __call__(self, pixels: Pixels, random: np.random.Generator) -> Pixels:
        """A changed copy of uint8 RGB (size, size, 3); three draws per photo, whatever is switched on."""
        mirrored = self.flip and random.random() < 0.5
        share, left, top = random.uniform(1 - self.crop, 1), random.random(), random.random()
        factor = random.uniform(1 - self.brightness, 1 + self.brightness)
        if self.crop:
            pixels = _cut(pixels, share, left, top)
        if mirrored:
            pixels = pixels[:, ::-1]
        if self.brightness:
            pixels = np.clip(np.rint(pixels * np.float32(factor)), 0, 255).astype(np.uint8)
        return pixels


class PhotoSet:
    """Photos with their class indices (n,), decoded when asked for.

    The first ones, as many as `memory` bytes hold, are decoded once and kept.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        classes: Classes,
        preprocessing: Preprocessing,
        memory: int = MEMORY,
    ) -> None:
        self.paths = tuple(paths)
        self.classes = classes
        self.preprocessing = preprocessing
        self._keep = memory // (preprocessing.size**2 * 3)
        self._kept: dict[int, Pixels] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def pixels(self, index: int) -> Pixels:
        """uint8 RGB (size, size, 3) of one photo. Raises DatasetError when it cannot be read any more."""
        if index in self._kept:
            return self._kept[index]
        try:
            pixels = load_pixels(self.paths[index], self.preprocessing, accept_truncated=True)
        except PhotoError as error:
            raise DatasetError(
                f"{Path(self.paths[index])} {error}, which it did not before; run the command again."
            ) from None
        if index < self._keep:
            self._kept[index] = pixels
        return pixels


def training_batches(
    photos: PhotoSet, size: int, augment: Augment | None, seed: int, epoch: int
) -> Iterator[tuple[Pixels, Classes]]:
    """One epoch: every photo once, in an order of its own, in batches of about `size`.

    Yields uint8 (n, side, side, 3) and class indices (n,). The batches are of equal length to
    within one, so that none is too small to be worth a step.
    """
    order = np.random.default_rng([seed, 1, epoch]).permutation(len(photos))
    parts = np.array_split(order, max(1, -(-len(order) // size)))

    def prepare(rows: Classes) -> Pixels:
        pixels = [photos.pixels(int(row)) for row in rows]
        if augment is not None:
            # A generator for each photo and epoch: neither threads nor a resumed epoch change a draw.
            randoms = (np.random.default_rng([seed, 2, epoch, int(row)]) for row in rows)
            pixels = [augment(one, random) for one, random in zip(pixels, randoms, strict=True)]
        return np.stack(pixels)

    for rows, pixels in _ahead(prepare, parts):
        yield pixels, photos.classes[rows]


def batches_in_order(photos: PhotoSet, size: int) -> Iterator[Pixels]:
    """All photos as they are: uint8 (n, side, side, 3), n = `size` but for the last batch."""
    parts = [np.arange(start, min(start + size, len(photos))) for start in range(0, len(photos), size)]
    for _, pixels in _ahead(lambda rows: np.stack([photos.pixels(int(row)) for row in rows]), parts):
        yield pixels


def _ahead(
    prepare: Callable[[Classes], Pixels], parts: Sequence[Classes], ahead: int = 3
) -> Iterator[tuple[Classes, Pixels]]:
    """Prepare batches in threads, at most `ahead` in advance, in order."""
    with ThreadPoolExecutor(min(ahead, cores()), thread_name_prefix="batches") as threads:
        yield from zip(parts, map_in_order(prepare, parts, threads, ahead), strict=True)


def _cut(pixels: Pixels, share: float, left: float, top: float) -> Pixels:
    """The part with `share` of the sides, `left` and `top` in 0..1 of the room there is, at the full size."""
    height, width = pixels.shape[:2]
    room = 1 - share
    box = (left * room * width, top * room * height, (left * room + share) * width, (top * room + share) * height)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, box=box))
