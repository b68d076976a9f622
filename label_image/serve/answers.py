"""What the model says, as the three protocols take it: all of this runs in the threads of `workers`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from label_image.errors import PhotoError
from label_image.model import Outputs
from label_image.preprocessing import Pixels
from label_image.serve.limits import Limits
from label_image.serve.model_in_use import Loaded
from label_image.serve.refused import Refused


@dataclass(frozen=True)
class Task:
    """One request to a model: it has to be answered by `deadline`, of the monotonic clock."""

    loaded: Loaded
    limits: Limits
    deadline: float

    def of_photos(self, photos: Sequence[bytes]) -> Outputs:
        """For encoded photos. Raises Refused."""
        self._check_number(len(photos))
        return Outputs.joined(
            [self.of_photo(photo, index if len(photos) > 1 else None) for index, photo in enumerate(photos)]
        )

    def of_photo(self, photo: bytes, index: int | None = None) -> Outputs:
        """For one; `index` names it where there are several. Raises Refused."""
        self._check_time()
        model = self.loaded.model
        try:
            pixels = model.preprocessing.pixels(photo, most_pixels=self.limits.pixels)
        except PhotoError as error:
            which = "The photo" if index is None else f"Photo {index}"
            raise Refused(422, f"{which} {error}.") from None
        return model.run(pixels[None])

    def of_pixels(self, values: Any) -> Outputs:
        """For pixels, RGB 0..255, as they are. Raises Refused."""
        size = self.loaded.size
        try:
            pixels = np.asarray(values)
        except ValueError:  # rows of different lengths
            pixels = np.empty(0, object)
        if pixels.ndim != 4 or pixels.shape[1:] != (size, size, 3) or pixels.dtype.kind not in "fiu":
            raise Refused(400, f"Pixels must be numbers of shape (photos, {size}, {size}, 3), RGB from 0 to 255.")
        self._check_number(len(pixels))
        with np.errstate(over="ignore"):
            pixels = pixels.astype(np.float32)
        if not np.isfinite(pixels).all():
            raise Refused(400, "Pixels must be finite numbers, RGB from 0 to 255.")
        return Outputs.joined([self._of_square(square) for square in pixels])

    def _of_square(self, pixels: Pixels) -> Outputs:
        self._check_time()
        return self.loaded.model.run(pixels[None])

    def _check_number(self, photos: int) -> None:
        if not 1 <= photos <= self.limits.photos:
            raise Refused(400, f"A request takes 1 to {self.limits.photos} photos; this one has {photos}.")

    def _check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise Refused(503, "It took too long to answer: send fewer photos in one request.")
