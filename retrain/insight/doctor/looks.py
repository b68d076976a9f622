"""What photos look like, in a few numbers each: every photo is read and decoded once, at a small size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from label_image.errors import PhotoError
from label_image.preprocessing import Pixels, photo_bytes, read_header
from retrain.core.machine import cores
from retrain.photos.dataset import Photo
from retrain.photos.reading import map_in_order, photo_threads
from retrain.photos.small_copies import THUMBNAIL, Floats, gray, square_copy, thumbnail

FEW = (0.25, 99.75)  # percent: a hot pixel of a black photo is among the others, a line that is drawn is not
EACH_CHANNEL = np.array([0, 256, 512], np.uint16)  # levels of its own
BINS = 4  # of a colour histogram, per channel


@dataclass(frozen=True)
class Looks:
    """What n photos look like, row i belonging to photo i.

    `thumbnails` (n, 32, 32) float32 gray 0..255; `histograms` (n, 64) shares of colours; `sharpness` (n,) the variance
    of the Laplacian of a gray copy of 160 x 160; `colourfulness` (n,) the mean distance of the channels, 0..255;
    `spans` (n,) how far apart the darkest and the brightest pixels are, but for FEW of them, in the channel where that
    is most, 0..255; `widths` and `heights` (n,) in pixels as stored; `orientations` (n,) of EXIF, 1..8. `readable` (n,)
    is False where a photo is gone or could not be read any more; its numbers mean nothing then.
    """

    thumbnails: Floats
    histograms: Floats
    sharpness: Floats
    colourfulness: Floats
    spans: Floats
    widths: npt.NDArray[np.int64]
    heights: npt.NDArray[np.int64]
    orientations: npt.NDArray[np.int64]
    readable: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Look:
    thumbnail: Floats
    histogram: Floats
    sharpness: float
    colourfulness: float
    span: float
    header: tuple[int, int, int]


def look_at(photos: Sequence[Photo], observe: Callable[[int], None] = lambda done: None) -> Looks:
    """Read all photos, in threads; `observe` is told how many are done."""
    n = len(photos)
    looks = Looks(
        np.zeros((n, THUMBNAIL, THUMBNAIL), np.float32),
        np.zeros((n, BINS**3), np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.ones(n, np.int64),
        np.zeros(n, np.bool_),
    )
    with photo_threads() as threads:
        for row, look in enumerate(map_in_order(_look, photos, threads, 8 * cores())):
            if look is not None:
                looks.thumbnails[row], looks.histograms[row] = look.thumbnail, look.histogram
                looks.sharpness[row], looks.colourfulness[row] = look.sharpness, look.colourfulness
                looks.spans[row] = look.span
                looks.widths[row], looks.heights[row], looks.orientations[row] = look.header
                looks.readable[row] = True
            observe(row + 1)
    return looks


def colour_histogram(pixels: Pixels) -> Floats:
    """Share of the pixels (height, width, 3) in each of BINS^3 boxes of RGB: float32 (BINS ** 3,)."""
    levels = pixels // (256 // BINS)
    boxes = (levels[..., 0] * BINS + levels[..., 1]) * BINS + levels[..., 2]
    return (np.bincount(boxes.ravel(), minlength=BINS**3) / boxes.size).astype(np.float32)


def span(pixels: Pixels) -> float:
    """How far apart the percentiles FEW of a channel of (height, width, 3) are, in the channel where that is most.

    As np.percentile has them, from counts of the levels: a third of its time.
    """
    counts = np.bincount((pixels.reshape(-1, 3) + EACH_CHANNEL).ravel(), minlength=3 * 256).reshape(3, 256)
    pixels_to = counts.cumsum(axis=1)
    below, above = ([_level(channel, percent) for channel in pixels_to] for percent in FEW)
    return max(high - low for low, high in zip(below, above, strict=True))


def _level(pixels_to: npt.NDArray[np.int64], percent: float) -> float:
    """The level at a percentile, linear between two pixels; so many pixels have at most each level."""
    last = int(pixels_to[-1]) - 1
    place = percent / 100 * last
    low, high = (int(pixels_to.searchsorted(min(last, int(place) + one), side="right")) for one in (0, 1))
    return low + (high - low) * (place - int(place))


def laplacian_variance(brightness: Floats) -> float:
    """The variance of the Laplacian of the brightness (height, width): low where nothing is sharp.

    The focus measure of Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (ICPR 2000).
    """
    centre = brightness[1:-1, 1:-1]
    up, down = brightness[:-2, 1:-1], brightness[2:, 1:-1]
    left, right = brightness[1:-1, :-2], brightness[1:-1, 2:]
    laplacian = up + down + left + right - 4 * centre
    return float(laplacian.var())


def _look(photo: Photo) -> _Look | None:
    if photo.gone:
        return None  # another one may be at its path
    try:
        with photo_bytes(photo.path) as data:
            header = read_header(data)
            pixels = square_copy(data)
    except PhotoError:
        return None  # it could be read when its bottleneck was computed: changed or gone since then
    brightness = gray(pixels)
    red, green, blue = np.moveaxis(pixels[::4, ::4], 2, 0)
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return _Look(
        thumbnail(brightness),
        colour_histogram(pixels[::2, ::2]),
        laplacian_variance(brightness),
        float(spread.mean()),
        span(pixels[::2, ::2]),
        (header.width, header.height, header.orientation),
    )
