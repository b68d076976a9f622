"""From the bytes of a photo to the pixels a network sees: one code path for training and labelling.

What is done to a photo is written as a string, for example

    decode(2)|orient|resize(299,bilinear)|value_range(-1,1)

and that string is what the bottleneck fingerprint and the export manifest carry. The steps:

    decode                    real format by magic bytes, first frame, 8-bit RGB; transparency over white
    decode(K)                 the same, but a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, the least
                              that leaves both its sides at least K times as long as the square's
    orient                    turn the photo as its EXIF orientation says
    resize(N,bilinear)        one antialiased resize to N x N (nearest, box, bilinear, bicubic, lanczos)
    value_range(a,b)          map 0..255 to a..b
    standardize(m,m,m,s,s,s)  (x - mean) / standard deviation, per channel
    bgr                       reverse the channels

`decode(2)` is what every backbone starts with: measured on photos of 2 and 12 megapixels it takes a
half to a third of the time, and the pixels are 0.2 to 0.4 grey levels off those of `decode` on
average, 10 at most.

The steps up to `resize` run here, in Pillow, and give 8-bit pixels. The steps after it are one
multiplication and one addition per channel; they live inside every network and every export
(see `Preprocessing.arithmetic`), so that a client only ever feeds raw RGB 0..255.

The form follows big_vision's preprocessing strings. It is parsed, never evaluated.
"""

import ast
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from label_image.errors import PhotoError, PreprocessingError
from label_image.photo_files.decoding import decoded
from label_image.photo_files.jpeg import completed
from label_image.photo_files.opening import explained, open_photo, orientation
from label_image.photo_files.reading import photo_bytes, read_photo
from label_image.photo_files.resizing import Box

__all__ = [
    "Arithmetic", "Header", "PhotoError", "Pixels", "Preprocessing", "PreprocessingError",
    "completed", "load_pixels", "photo_bytes", "read_header", "read_photo",
]  # fmt: skip

# What the same bytes and the same steps give is part of the bottleneck fingerprint. 2: gray of more than 8 bits by the
# depth that it uses, BMP that would be invisible, very large photos for views made smaller.
DECODER = 2

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# K in `decode(K)`: libjpeg's scaling is a coarse filter. At 2 the resize that follows hides it;
# at 1 it would replace the resize.
DECODE_MARGINS = range(2, 9)

Pixels = npt.NDArray[np.uint8]
Number = int | float
Distort = Callable[[Image.Image, int, Image.Resampling], Image.Image]


@dataclass(frozen=True)
class Step:
    """One step of a preprocessing string: a name and its arguments."""

    name: str
    arguments: tuple[Number | str, ...] = ()

    def __str__(self) -> str:
        if not self.arguments:
            return self.name
        return f"{self.name}({','.join(str(argument) for argument in self.arguments)})"


@dataclass(frozen=True)
class Arithmetic:
    """The steps after the resize, as one affine map: `(bgr(x) if bgr else x) * scale + offset`."""

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    bgr: bool


@dataclass(frozen=True)
class Header:
    """What a file says of a photo: its size in pixels as it is stored, and its EXIF orientation 1..8 (1: upright)."""

    width: int
    height: int
    orientation: int


@dataclass(frozen=True)
class Preprocessing:
    """A parsed preprocessing string; `str()` gives the canonical form back."""

    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> "Preprocessing":
        """Parse `decode|orient|resize(224,bilinear)|value_range(-1,1)`.

        Raises PreprocessingError for an unknown step, wrong arguments or a wrong order.
        """
        steps = tuple(_parse_step(part) for part in text.split("|"))
        _check(steps, text)
        preprocessing = cls(steps)
        with np.errstate(all="ignore"):
            arithmetic = preprocessing.arithmetic()
            if not np.isfinite(np.array(arithmetic.scale + arithmetic.offset, np.float32)).all():
                raise PreprocessingError(f"Preprocessing {text!r} leaves the range of float32.")
        return preprocessing

    def __str__(self) -> str:
        return "|".join(str(step) for step in self.steps)

    @property
    def size(self) -> int:
        """Side of the square that the network sees, in pixels."""
        return int(self._step("resize").arguments[0])

    def with_size(self, size: int) -> "Preprocessing":
        """The same steps with another size of the square. Raises PreprocessingError."""
        resize = Step("resize", (size, *self._step("resize").arguments[1:]))
        return Preprocessing.parse("|".join(str(resize if s.name == "resize" else s) for s in self.steps))

    def without_arithmetic(self) -> "Preprocessing":
        """The steps that give pixels, and none of those inside the network."""
        return Preprocessing(self.steps[: self.steps.index(self._step("resize")) + 1])

    def pixels(self, data: bytes, distort: Distort | None = None, most_pixels: int | None = None) -> Pixels:
        """Decode the bytes of a photo and bring them to the network's size.

        Returns uint8 RGB of shape (size, size, 3), 0..255. `distort` takes the place of the plain resize: it gets the
        upright RGB photo (a very large one made smaller, see `photos.decoding`), the size and the filter, and what it
        returns may have another shape. Raises PhotoError, as for more than `most_pixels`, 250 million without.
        """
        resample = FILTERS[str(self._step("resize").arguments[1])]
        orient = any(step.name == "orient" for step in self.steps)
        try:
            photo = open_photo(data, most_pixels)
            with photo.image:
                box = self._decode_smaller(photo.image)
                with decoded(photo, self.size, orient, whole=distort is not None) as ready:
                    if distort is None:
                        return _as_array(ready.square(self.size, resample, box))
                    return np.asarray(distort(ready.upright(box), self.size, resample))
        except PhotoError:
            raise
        except Exception as error:
            raise explained(error, data) from None

    def _decode_smaller(self, image: Image.Image) -> Box | None:
        """Set a JPEG that is large enough to be decoded at a fraction of its size.

        Returns the box of the decoded pixels that the photo fills: they come in whole blocks, and the
        last ones may reach beyond its edges. None where the photo is decoded whole.
        """
        for margin in self._step("decode").arguments:
            side = int(margin) * self.size
            whole = image.size
            if min(whole) < 2 * side:  # 1/2 would be too small; asking Pillow takes longer
                return None
            _, box = image.draft(None, (side, side)) or (None, None)
            return box if image.size != whole else None
        return None

    def arithmetic(self) -> Arithmetic:
        """What remains to be done to RGB 0..255 inside the network."""
        scale, offset, bgr = np.ones(3), np.zeros(3), False
        for step in self.steps:
            if step.name == "bgr":
                bgr, scale, offset = not bgr, scale[::-1], offset[::-1]
            elif step.name == "value_range":
                low, high = (float(value) for value in step.arguments)
                factor = (high - low) / 255.0
                scale, offset = scale * factor, offset * factor + low
            elif step.name == "standardize":
                values = np.array([float(value) for value in step.arguments])
                scale, offset = scale / values[3:], (offset - values[:3]) / values[3:]
        return Arithmetic(_triple(scale), _triple(offset), bgr)

    def _step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)


def load_pixels(path: str | os.PathLike[str], preprocessing: Preprocessing, accept_truncated: bool = False) -> Pixels:
    """Read and prepare one photo: uint8 RGB of shape (size, size, 3). Raises PhotoError.

    `accept_truncated`: a JPEG that ends early is read as far as it goes.
    """
    with photo_bytes(path) as data:
        return preprocessing.pixels(completed(data) if accept_truncated else data)


def read_header(data: bytes) -> Header:
    """The size and the orientation that the bytes of a photo state; no pixel is decoded. Raises PhotoError."""
    try:
        with open_photo(data).image as image:
            return Header(image.width, image.height, orientation(image))
    except PhotoError:
        raise
    except Exception as error:
        raise explained(error, data) from None


def _as_array(square: Image.Image) -> Pixels:
    return np.frombuffer(square.tobytes(), np.uint8).reshape(square.height, square.width, 3)


def _parse_step(text: str) -> Step:
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last two: nested too deeply
        raise PreprocessingError(f"Preprocessing step {text!r} does not parse.") from None
    if isinstance(node, ast.Name):
        return Step(node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return Step(node.func.id, tuple(_argument(argument, text) for argument in node.args))
    raise PreprocessingError(f"Preprocessing step {text!r} is not of the form name or name(1,2).")


def _argument(node: ast.expr, text: str) -> Number | str:
    if isinstance(node, ast.Name):
        return node.id
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PreprocessingError(f"Preprocessing step {text!r} takes numbers and plain words only.")
    if not abs(value) <= sys.float_info.max:
        raise PreprocessingError(f"Preprocessing step {text!r} has a number that is too large.")
    return value


def _check(steps: tuple[Step, ...], text: str) -> None:
    names = [step.name for step in steps]
    arithmetic = ("value_range", "standardize", "bgr")
    pixel_names = [name for name in names if name not in arithmetic]
    if pixel_names not in (["decode", "resize"], ["decode", "orient", "resize"]):
        raise PreprocessingError(f"Preprocessing {text!r} must begin with decode|orient|resize(N,bilinear).")
    if names[: len(pixel_names)] != pixel_names:
        raise PreprocessingError(f"Preprocessing {text!r} has arithmetic before the resize.")
    for step in steps:
        if not _arguments_fit(step):
            raise PreprocessingError(f"Preprocessing step {str(step)!r} has wrong arguments.")


def _arguments_fit(step: Step) -> bool:
    numbers = [value for value in step.arguments if not isinstance(value, str)]
    if step.name == "decode" and step.arguments:
        return len(step.arguments) == 1 and isinstance(step.arguments[0], int) and step.arguments[0] in DECODE_MARGINS
    if step.name == "resize":
        return (
            len(step.arguments) == 2
            and isinstance(step.arguments[0], int)
            and 1 <= step.arguments[0] <= 4096
            and step.arguments[1] in FILTERS
        )
    if step.name == "value_range":
        return len(step.arguments) == len(numbers) == 2 and numbers[0] < numbers[1]
    if step.name == "standardize":
        return len(step.arguments) == len(numbers) == 6 and all(value > 0 for value in numbers[3:])
    return not step.arguments


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))
