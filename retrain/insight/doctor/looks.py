"""What photos look like, in a few numbers each: every photo is decoded once for it, at a small size."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from label_image.errors import PhotoError
from label_image.preprocessing import photo_bytes, read_header
from retrain.bottlenecks.near_copies import FOLDER
from retrain.bottlenecks.store import Key, Store
from retrain.core.errors import StoreError
from retrain.core.machine import cores
from retrain.insight.doctor.measures import BINS, colour_histograms, colourfulness, laplacian_variances, spans
from retrain.photos.dataset import Photo
from retrain.photos.reading import map_in_order, photo_threads
from retrain.photos.small_copies import COPY, SIDE, THUMBNAIL, Floats, gray, square_copy, thumbnails
from retrain.photos.views import ORIGINAL_ID

AT_ONCE = 32  # photos: a thread that measures them one by one waits for the others most of the time
# What the fingerprint of those that are kept covers; they lie beside the thumbnails of copies, 2 KB each.
COVERS = {"look": 1, "of": str(COPY), "gray thumbnail": THUMBNAIL, "bins": BINS}
# A look is a row of a thumbnail, a histogram, and eight numbers more; float16 holds whole ones up to 2,048.
THUMBNAIL_END = THUMBNAIL**2
HISTOGRAM_END = THUMBNAIL_END + BINS**3
LENGTH = HISTOGRAM_END + 8
THOUSAND = 1000

Rows = npt.NDArray[np.float16]  # (n, LENGTH)
Flags = npt.NDArray[np.bool_]  # (n,)


@dataclass(frozen=True)
class Looks:
    """What n photos look like, row i belonging to photo i, each number to the precision of float16.

    `thumbnails` (n, 32, 32) float32 gray 0..255; `histograms` (n, 64) shares of colours; `sharpness` (n,) the variance
    of the Laplacian of a gray copy of 160 x 160; `colourfulness` (n,) the mean distance of the channels, 0..255;
    `spans` (n,) how far apart the darkest and the brightest pixels are, but for a few of them, in the channel where
    that is most, 0..255; `widths` and `heights` (n,) in pixels as stored; `orientations` (n,) of EXIF, 1..8.
    `readable` (n,) is False where a photo is gone or could not be read any more; its numbers mean nothing then.
    """

    thumbnails: Floats
    histograms: Floats
    sharpness: Floats
    colourfulness: Floats
    spans: Floats
    widths: npt.NDArray[np.int64]
    heights: npt.NDArray[np.int64]
    orientations: npt.NDArray[np.int64]
    readable: Flags

    @classmethod
    def of(cls, rows: Rows, readable: Flags) -> "Looks":
        """What is in rows (n, LENGTH), as `measured` makes them."""
        root, colourful, apart, *header = rows[:, HISTOGRAM_END:].astype(np.float32).T
        wide_thousands, wide, high_thousands, high, orientations = (number.astype(np.int64) for number in header)
        return cls(
            rows[:, :THUMBNAIL_END].astype(np.float32).reshape(-1, THUMBNAIL, THUMBNAIL),
            rows[:, THUMBNAIL_END:HISTOGRAM_END].astype(np.float32),
            root**2,
            colourful,
            apart,
            THOUSAND * wide_thousands + wide,
            THOUSAND * high_thousands + high,
            orientations,
            readable,
        )


def look_at(
    photos: Sequence[Photo], kept_in: Path | None = None, observe: Callable[[int], None] = lambda done: None
) -> Looks:
    """Look at all photos, in threads; `observe` is told how many are done.

    With the folder of a store, `kept_in`, what was seen is kept there and not looked at again. Where that cannot be
    read or written, photos are looked at all the same.
    """
    rows = np.zeros((len(photos), LENGTH), np.float16)
    readable = np.zeros(len(photos), np.bool_)
    there = np.array([not photo.gone for photo in photos], np.bool_)  # at the path of one that is gone may be another
    keys = [Key(photo.sha256, ORIGINAL_ID) for photo in photos]
    store = None
    if kept_in is not None:
        with suppress(StoreError):
            store = look_store(kept_in)
            readable = store.get_many(keys, rows)[1] & there
    lacking = np.flatnonzero(there & ~readable)
    parts = [lacking[start : start + AT_ONCE] for start in range(0, len(lacking), AT_ONCE)]
    done = len(photos) - len(lacking)
    observe(done)
    with suppress(StoreError), nullcontext() if store is None else store, photo_threads() as threads:
        looks = map_in_order(measured, ([photos[row] for row in part] for part in parts), threads, 2 * cores())
        for part, (seen, could_be_read, unchanged) in zip(parts, looks, strict=True):
            rows[part], readable[part] = seen, could_be_read
            if store is not None:
                with suppress(StoreError):
                    store.put_many([keys[row] for row in part[unchanged]], seen[unchanged])
            done += len(part)
            observe(done)
    return Looks.of(rows, readable)


def look_store(bottleneck_dir: Path) -> Store:
    """Where looks are kept. Raises StoreError."""
    return Store(bottleneck_dir / FOLDER, COVERS, LENGTH, "float16")


def measured(photos: Sequence[Photo]) -> tuple[Rows, Flags, Flags]:
    """The looks of some photos (n, LENGTH), which of them could be read, and which have the content that they had."""
    pixels = np.zeros((len(photos), SIDE, SIDE, 3), np.uint8)
    headers = np.zeros((len(photos), 5), np.float16)
    readable, unchanged = np.zeros(len(photos), np.bool_), np.zeros(len(photos), np.bool_)
    for row, photo in enumerate(photos):
        # It could be read when its bottleneck was computed: one that cannot be read has been changed or is gone.
        with suppress(PhotoError), photo_bytes(photo.path) as data:
            header = read_header(data)
            pixels[row] = square_copy(data)
            headers[row] = *divmod(header.width, THOUSAND), *divmod(header.height, THOUSAND), header.orientation
            readable[row], unchanged[row] = True, sha256(data).hexdigest() == photo.sha256
    brightness = gray(pixels)
    half = np.ascontiguousarray(pixels[:, ::2, ::2])
    numbers = (np.sqrt(laplacian_variances(brightness)), colourfulness(half[:, ::2, ::2]), spans(half))
    parts = (
        thumbnails(brightness).reshape(len(photos), -1),
        colour_histograms(half),
        np.stack(numbers, axis=1),
        headers,
    )
    return np.concatenate(parts, axis=1).astype(np.float16), readable, unchanged
