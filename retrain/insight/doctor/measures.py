"""What small copies of photos tell in a number, or in a few, many photos at a time."""

import numpy as np
import numpy.typing as npt

from label_image.preprocessing import Pixels
from retrain.photos.small_copies import Floats

FEW = (0.25, 99.75)  # percent: a hot pixel of a black photo is among the others, a line that is drawn is not
LEVELS = 256
BINS = 4  # of a colour histogram, per channel


def colour_histograms(pixels: Pixels) -> Floats:
    """Share of the pixels of each photo (n, height, width, 3) in BINS^3 boxes of RGB: float32 (n, BINS ** 3)."""
    levels = pixels // (LEVELS // BINS)
    boxes = (levels[..., 0] * BINS + levels[..., 1]) * BINS + levels[..., 2]
    shares: Floats = (_counts(boxes, BINS**3) / boxes[0].size).astype(np.float32)
    return shares


def spans(pixels: Pixels) -> npt.NDArray[np.float64]:
    """How far apart the percentiles FEW of a channel of (n, height, width, 3) are, where that is most: (n,).

    As np.percentile has them, from counts of the levels: a third of its time.
    """
    channels = [_counts(channel, LEVELS) for channel in np.moveaxis(pixels, 3, 0)]
    pixels_to = np.stack(channels).cumsum(axis=2)
    below, above = (_levels(pixels_to, percent) for percent in FEW)
    apart: npt.NDArray[np.float64] = (above - below).max(axis=0)
    return apart


def laplacian_variances(brightness: Floats) -> Floats:
    """The variance of the Laplacian of each brightness (n, height, width): low where nothing is sharp; float32 (n,).

    The focus measure of Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (ICPR 2000).
    """
    centre = brightness[:, 1:-1, 1:-1]
    up, down = brightness[:, :-2, 1:-1], brightness[:, 2:, 1:-1]
    left, right = brightness[:, 1:-1, :-2], brightness[:, 1:-1, 2:]
    laplacian = up + down + left + right - 4 * centre
    variances: Floats = laplacian.var(axis=(1, 2))
    return variances


def colourfulness(pixels: Pixels) -> Floats:
    """How far apart the channels of a pixel are, in the mean over each photo (n, height, width, 3): float32 (n,)."""
    red, green, blue = np.moveaxis(pixels, 3, 0)
    apart = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    means: Floats = apart.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
    return means


def _counts(numbers: Pixels, many: int) -> npt.NDArray[np.int64]:
    """How often each of the first `many` numbers is in each of (n, …): (n, many)."""
    return np.stack([np.bincount(one.ravel(), minlength=many) for one in numbers])


def _levels(pixels_to: npt.NDArray[np.int64], percent: float) -> npt.NDArray[np.float64]:
    """The level at a percentile, linear between two pixels, where so many pixels (…, LEVELS) have at most each."""
    last = int(pixels_to.flat[-1]) - 1
    place = percent / 100 * last
    low, high = ((pixels_to <= min(last, int(place) + one)).sum(axis=-1) for one in (0, 1))
    level: npt.NDArray[np.float64] = low + (high - low) * (place - int(place))
    return level
