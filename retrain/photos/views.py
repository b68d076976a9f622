"""Augmentation that a cache can keep: a photo's views, distorted by chance but always in the same way.

The 2017 script distorted photos anew at every training step, and so had to run the network at every
step. Here a photo has K views: itself, and K - 1 distorted ones. How view 3 of a photo is distorted
follows from the photo's content, the number 3 and the options, so its bottleneck is computed once
and kept like any other, under the view's id. More views later compute only the new ones.

The options mean what they meant in 2017 (`add_input_distortions`); rotation came with
make_image_classifier.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from label_image.preprocessing import Distort
from retrain.core.errors import OptionError
from retrain.core.typed import check_fields
from retrain.photos.augmentation import VIEWS
from retrain.photos.augmentation import Augmentation as Augmentation

ORIGINAL_ID = "original"
MOST_VIEWS = 1000  # of a photo; so many bottlenecks of each


@dataclass(frozen=True)
class View:
    """One of a photo's views; number 0 is the photo itself."""

    augmentation: Augmentation = Augmentation()
    number: int = 0

    @property
    def id(self) -> str:
        """What its bottlenecks are kept under, for example `flip|crop(10)#3`."""
        return f"{self.augmentation}#{self.number}" if self.number else ORIGINAL_ID

    @property
    def truncated_id(self) -> str:
        """The same of JPEGs that end early: apart, so that they are refused again when nobody accepts them."""
        return f"{self.id}|truncated"

    def distortion(self, sha256: str) -> "Distortion":
        """How this view of the photo with this content differs from it."""
        if not self.number:
            return Distortion()
        seed = hashlib.sha256(f"{sha256} {self.id}".encode()).digest()
        random = np.random.Generator(np.random.PCG64(int.from_bytes(seed[:16], "big")))
        asked = self.augmentation
        left, top, scale, brightness, rotation = random.random(5)
        return Distortion(
            # A coin for each view would show some photos one way only.
            flip=asked.flip_left_right and self.number % 2 == 1,
            zoom=(1 + asked.random_crop / 100) * (1 + scale * asked.random_scale / 100),
            left=float(left),
            top=float(top),
            brightness=float(1 + (2 * brightness - 1) * asked.random_brightness / 100),
            degrees=float((2 * rotation - 1) * asked.random_rotation),
        )

    def distort(self, sha256: str) -> Distort | None:
        """What makes this view of the photo with this content, in place of the plain resize."""
        return self.distortion(sha256).resize if self.number else None


ORIGINAL = View()


def choose_views(augmentation: Augmentation, count: int | None, tta: bool = False) -> tuple[View, ...]:
    """The views for `--views count`; None is VIEWS of them where there is any augmentation, else the photo alone.

    Raises OptionError where there cannot be as many, or where `--tta` finds only one.
    """
    if count is not None and count < 1:
        raise OptionError(f"`views` {count} must be at least 1.")
    most = augmentation.most_views
    if not augmentation and (tta or (count or 1) > 1):
        raise OptionError(
            f"{'`tta`' if tta else f'`views` {count}'} needs to know how views may differ: add `flip_left_right`, "
            "`random_crop`, `random_scale`, `random_brightness` or `random_rotation`."
        )
    if (count or 1) > MOST_VIEWS:
        raise OptionError(f"`views` {count} must be at most {MOST_VIEWS}.")
    if most is not None and (count or 1) > most:
        raise OptionError(f"`views` {count}: with `flip_left_right` alone there are only {most} different views.")
    if count is None:
        count = min(VIEWS, most or VIEWS)
    if augmentation and count == 1:
        raise OptionError(f"`views` 1 leaves no view to distort, but {augmentation} was asked for: leave one out.")
    return views_of(augmentation, count)


@dataclass(frozen=True)
class ViewsConfig:
    """How many views of each photo there are, and how they differ from it.

    `views` None is VIEWS of them where there is any augmentation, else the photo alone. `tta`: a head is judged by the
    mean answer to all views. Raises OptionError for what does not go together.
    """

    augmentation: Augmentation = Augmentation()
    views: int | None = None
    tta: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        choose_views(self.augmentation, self.views, self.tta)

    @property
    def chosen(self) -> tuple[View, ...]:
        """All views, the photo as it is the first."""
        return choose_views(self.augmentation, self.views, self.tta)


def views_of(augmentation: Augmentation, count: int) -> tuple[View, ...]:
    """The photo itself and `count - 1` distorted views of it."""
    return tuple(View(augmentation, number) for number in range(count))


@dataclass(frozen=True)
class Distortion:
    """What is done to one photo.

    The crop has 1 / `zoom` of the photo's sides; of the room that leaves, `left` and `top` (0..1) lie on
    its left and above it. Then the crop is flipped, and its values multiplied by `brightness`.
    """

    flip: bool = False
    zoom: float = 1.0
    left: float = 0.0
    top: float = 0.0
    brightness: float = 1.0
    degrees: float = 0.0

    def resize(self, photo: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
        """The distorted photo, RGB, at size x size; crop and resize are one resampling."""
        if self.degrees:
            # Corners that come from outside of the photo get its average colour.
            average = photo.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
            photo = photo.rotate(self.degrees, Image.Resampling.BILINEAR, fillcolor=average)
        width, height = photo.width / self.zoom, photo.height / self.zoom
        left, top = self.left * (photo.width - width), self.top * (photo.height - height)
        resized = photo.resize((size, size), resample, box=(left, top, left + width, top + height))
        if self.flip:
            resized = resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return ImageEnhance.Brightness(resized).enhance(self.brightness) if self.brightness != 1 else resized
