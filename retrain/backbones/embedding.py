"""The backbone that Python users hold: the value, with its names and what it sees in photos.

Backbone.find().embed("cat.jpg")     (1, 1280), float32
"""

import functools
import threading
from collections.abc import Iterable
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt

from label_image.any_photo import AnyPhoto, as_photos, batches
from label_image.preprocessing import Pixels
from retrain.backbones import backbone
from retrain.backbones.engines.base import BATCH, Engine
from retrain.backbones.engines.registry import start_engine
from retrain.backbones.registry import ARCHITECTURES
from retrain.core.defaults import AUTO
from retrain.core.errors import OptionError
from retrain.core.typed import check_kind

ENGINES_KEPT = 4  # each has the weights of a network
_starting = threading.Lock()


class Backbone(backbone.Backbone):
    """The value with what it does: what `retrain.Backbone` is.

    Here, and not on the value, which engines take: they would have to import each other.
    """

    @staticmethod
    def names(pattern: str = "*") -> tuple[str, ...]:
        """The architectures whose names fit, as in `mobilenet*`, sorted. Raises OptionError where none does."""
        check_kind(pattern, str, "pattern", "text")
        found = sorted(name for name, one in ARCHITECTURES.items() if one.weights_file and fnmatchcase(name, pattern))
        if not found:
            raise OptionError(f"No `architecture` fits {pattern}: Backbone.names() has them all.")
        return tuple(found)

    def embed(self, photos: AnyPhoto | Iterable[AnyPhoto], *, engine: str = AUTO) -> npt.NDArray[np.float32]:
        """What it sees in photos, (n, dim): paths, bytes of files, images of Pillow, arrays of uint8; one is enough.

        Nothing is kept, and nothing asked of a store. Any number of threads may call it; they share a network, which is
        built once. Raises PhotoError for the first photo that cannot be read, OptionError, BackboneError.
        """
        return embed(self, photos, engine)

    def __repr__(self) -> str:
        return f"<Backbone {self.describe()}>"


def embed(
    asked: backbone.Backbone, photos: AnyPhoto | Iterable[AnyPhoto], engine: str = AUTO
) -> npt.NDArray[np.float32]:
    """The bottlenecks (n, dim) of photos, by whatever backbone, in its precision; see `Backbone.embed`."""
    found = [_seen(asked, pixels, engine) for pixels in batches(as_photos(photos), asked.preprocessing, BATCH)]
    return np.concatenate(found) if found else np.zeros((0, asked.dim), np.float32)


def _seen(asked: backbone.Backbone, pixels: Pixels, engine: str) -> npt.NDArray[np.float32]:
    """Of a joined backbone that of each part, side by side."""
    if asked.parts:
        return np.concatenate([_seen(part, pixels, engine) for part in asked.parts], axis=1)
    return np.asarray(kept_engine(asked, engine)(pixels), np.float32)


def kept_engine(asked: backbone.Backbone, engine: str = AUTO) -> Engine:
    """The engine of a backbone, built when it is first asked for in this process."""
    with _starting:
        return _engine(asked, engine)


@functools.lru_cache(maxsize=ENGINES_KEPT)
def _engine(asked: backbone.Backbone, engine: str) -> Engine:
    return start_engine(asked, engine)
