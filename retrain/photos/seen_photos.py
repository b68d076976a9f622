"""Which photos a model has seen, so that it is never praised for knowing them.

`seen_photos.npy` beside a model holds the first 8 bytes of the SHA-256 of each photo that its head was
trained or chosen on, as sorted uint64. Copies, other folders and other names change nothing.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from label_image.errors import ForeignFileError
from label_image.files import reason_of
from retrain.core.array_files import read_npy
from retrain.core.errors import ExportError
from retrain.photos.dataset import Photo
from retrain.photos.division import Division

NAME = "seen_photos.npy"
Ids = npt.NDArray[np.uint64]


def photo_ids(photos: Iterable[Photo]) -> Ids:
    """The first 8 bytes of each photo's SHA-256, (n,)."""
    return np.array([int(photo.sha256[:16], 16) for photo in photos], np.uint64)


def seen_mask(division: Division) -> npt.NDArray[np.bool_]:
    """The photos that a head was trained or chosen on: not the testing side, but all where folds took turns."""
    return np.array([division.folds is not None or side != "testing" for side in division.splits], np.bool_)


def write_seen_photos(folder: Path, photos: Iterable[Photo]) -> None:
    """Write the file into a folder."""
    np.save(folder / NAME, np.unique(photo_ids(photos)), allow_pickle=False)


def were_seen(model: Path, photos: Sequence[Photo]) -> npt.NDArray[np.bool_] | None:
    """Which of these photos a model has seen, (n,); None if it is not known: there is no such file beside it.

    Raises ExportError if the file is damaged.
    """
    path = (model if model.is_dir() else model.parent) / NAME
    if not path.is_file():
        return None
    try:
        seen = read_npy(path)
        if seen.dtype != np.uint64 or seen.ndim != 1:
            raise ForeignFileError("is damaged: it is not a list of numbers")
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {reason_of(error)}.") from None
    except ForeignFileError as error:
        raise ExportError(f"{path} {error}. Export the model again.") from None
    found: npt.NDArray[np.bool_] = np.isin(photo_ids(photos), seen)
    return found
