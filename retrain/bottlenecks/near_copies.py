"""The same picture more than once, though not the same bytes: encoded again, resized or mirrored.

Two photos whose bottlenecks point the same way are candidates; they are copies if small gray thumbnails of
them agree as well, as they are or mirrored. On 12 cat breeds with 300 planted copies the thumbnails of copies
correlate with 0.998 and more, those of different photos with 0.96 at most (docs/doctor.md).
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from label_image.errors import PhotoError
from label_image.preprocessing import photo_bytes, read_header
from retrain.bottlenecks.nearest import nearest
from retrain.bottlenecks.store import Key, Store
from retrain.bottlenecks.store_folders import StoreFolder, store_folders
from retrain.core.errors import StoreError
from retrain.core.places import place_of
from retrain.photos.dataset import Photo
from retrain.photos.reading import map_in_order, photo_threads
from retrain.photos.small_copies import COPY, THUMBNAIL, Floats, gray, square_copy, thumbnails
from retrain.photos.views import ORIGINAL_ID

LEAST_COSINE = 0.3  # of centred bottlenecks; copies at a third of the size still have 0.43
# Where photos are read only for this: 716 of 2,400 cats. 99 % of copies at half the size, in JPEG's quality 75, have
# it, 98 % where they are mirrored as well, 84 % at a third of the size.
LEAST_COSINE_TO_READ = 0.6
COVERS = {"gray thumbnail": THUMBNAIL, "of": str(COPY)}  # what the fingerprint of the kept ones covers
FOLDER = "thumbnails"  # in that of the bottlenecks
LEAST_CORRELATION = 0.95  # of thumbnails
COARSE = 8  # parts of a thumbnail's side that tell nearly all of it
COARSE_BLOCK = 64  # rows at a time: what all others are to them stays in the caches
ROUNDING = 1e-4  # of correlations in float32
LEAST_CONTRAST = 4.0  # standard deviation of a thumbnail, in grey levels; plain ones correlate by chance
MOST_COPIES = 8  # of one picture; what more photos have in common is their scene: a fixed camera, a product on a table
MOST_PIXELS = 50_000_000  # of a photo that is read once more for this: larger ones take seconds and much memory
# Each photo is compared with each: 12 seconds for 20,000 photos (research/time_folds.py), so 5 minutes and 1 GB here.
MOST_COMPARED = 100_000
NEIGHBOURS = 20  # candidates for each photo
BLOCK = 1024  # pairs compared at a time
AHEAD = 64  # photos read in advance

NOT_LOOKED_FOR = (
    "Among so many photos, copies in other bytes are not looked for: where some are in two folds, or on two sides, the "
    "accuracy is too good."
)

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Pair:
    """Two rows that show the same picture; `similarity` is the correlation of their thumbnails."""

    one: int
    other: int
    similarity: float


@dataclass(frozen=True)
class NearCopies:
    """The copies among some photos, and how many of these are in groups of more than MOST_COPIES that look the same.

    Where photos are too many, none is `looked_for`.
    """

    pairs: tuple[Pair, ...] = ()
    in_scenes: int = 0
    looked_for: bool = True

    @property
    def positions(self) -> tuple[tuple[int, int], ...]:
        """The pairs, as photos are kept together by them."""
        return tuple((pair.one, pair.other) for pair in self.pairs)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the accuracy does not know of."""
        if not self.looked_for:
            return (NOT_LOOKED_FOR,)
        if not self.in_scenes:
            return ()
        return (
            f"{self.in_scenes} photos are in groups of more than {MOST_COPIES} that look the same, as before a fixed "
            "camera, and are not kept together: if they are takes or copies of a few pictures, the accuracy is too "
            "good to be true.",
        )


def find_near_copies(
    photos: Sequence[Photo], matrix: Floats, bottleneck_dir: Path, most: int = MOST_COMPARED
) -> NearCopies:
    """Photos that show the same picture in other bytes, by their bottlenecks (n, dim); candidates alone are read.

    Their thumbnails are kept below `bottleneck_dir`, where that can be written. Heavily reduced copies may be missed,
    and photos of more than MOST_PIXELS are not compared.
    Photos that are gone, or cannot be read any more, are copies only by thumbnails that were kept. Where more than
    MOST_COPIES look the same, none of them is called a copy; among more than `most` photos none is looked for.
    """
    if len(photos) > most:
        return NearCopies(looked_for=False)
    ones, others = _candidates(matrix, LEAST_COSINE_TO_READ)
    different = np.array([photos[i].sha256 != photos[j].sha256 for i, j in zip(ones, others, strict=True)], np.bool_)
    ones, others = ones[different], others[different]
    rows = np.union1d(ones, others)
    if not len(rows):
        return NearCopies()
    thumbnails = _thumbnails([photos[row] for row in rows], bottleneck_dir)
    pairs = _alike(np.searchsorted(rows, ones), np.searchsorted(rows, others), thumbnails)
    pairs = [Pair(int(rows[pair.one]), int(rows[pair.other]), pair.similarity) for pair in pairs]
    group_of = united(len(photos), pairs)
    contents = Counter(group for group, _ in {(group_of[row], photos[row].sha256) for row in rows})
    scenes = {group for group, many in contents.items() if many > MOST_COPIES}
    in_scenes = sum(group in scenes for group in group_of)
    return NearCopies(tuple(pair for pair in pairs if group_of[pair.one] not in scenes), in_scenes)


def thumbnail_store(bottleneck_dir: Path) -> Store:
    """Where thumbnails are kept, each as a row of 32 x 32 numbers. Raises StoreError."""
    return Store(bottleneck_dir / FOLDER, COVERS, THUMBNAIL**2, "float16")


def thumbnail_folders(bottleneck_dir: Path | str) -> tuple[StoreFolder, ...]:
    """The folders of thumbnails in a store, one for each way of making them. Raises StoreError."""
    place = place_of(bottleneck_dir)
    return tuple(store_folders(place.below(FOLDER))) if FOLDER in place.folders() else ()


def near_pairs(matrix: Floats, thumbnails: Floats) -> list[Pair]:
    """Rows that show the same picture, of bottlenecks (n, dim) and thumbnails (n, 32, 32)."""
    return _alike(*_candidates(matrix, LEAST_COSINE, _may_have_copies(thumbnails)), thumbnails)


def united(n: int, pairs: Sequence[Pair]) -> list[int]:
    """The group of each of n rows, named by its lowest member; pairs are in one group."""
    parent = list(range(n))

    def find(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for pair in pairs:
        low, high = sorted((find(pair.one), find(pair.other)))
        parent[high] = low
    return [find(item) for item in range(n)]


def _alike(ones: Rows, others: Rows, thumbnails: Floats) -> list[Pair]:
    """Those of the candidates whose thumbnails agree, as they are or mirrored."""
    plain, mirrored = _normalised(thumbnails), _normalised(thumbnails[:, :, ::-1])
    pairs = []
    for start in range(0, len(ones), BLOCK):
        one, other = ones[start : start + BLOCK], others[start : start + BLOCK]
        straight = (plain[one] * plain[other]).sum(axis=1)
        turned = (plain[one] * mirrored[other]).sum(axis=1)
        similarity = np.minimum(np.maximum(straight, turned), 1)
        for index in np.flatnonzero(similarity >= LEAST_CORRELATION):
            pairs.append(Pair(int(one[index]), int(other[index]), float(similarity[index])))
    return pairs


def _may_have_copies(thumbnails: Floats) -> Rows:
    """The rows whose thumbnails may correlate enough with another's: all that do are among them, and few others.

    The correlation of two is that of their COARSE parts and that of the rest, which is at most the product of the
    rests' lengths. So few numbers tell, and bottlenecks need be compared of these rows alone.
    """
    plain = _normalised(thumbnails)
    block = THUMBNAIL // COARSE
    parts = plain.reshape(-1, COARSE, block, COARSE, block).sum(axis=(2, 4)) / block
    rest = np.sqrt(np.maximum(0, (plain**2).sum(axis=1) - (parts**2).sum(axis=(1, 2))))
    straight, mirrored = (
        np.concatenate([one.reshape(len(plain), -1), rest[:, None]], axis=1) for one in (parts, parts[:, :, ::-1])
    )
    found = np.zeros(len(plain), np.bool_)
    for start in range(0, len(plain), COARSE_BLOCK):
        rows = slice(start, start + COARSE_BLOCK)
        for others in (straight, mirrored):
            most = straight[rows] @ others.T
            most[np.arange(len(most)), start + np.arange(len(most))] = 0  # with itself
            found[rows] |= most.max(axis=1) >= LEAST_CORRELATION - ROUNDING
    return np.flatnonzero(found)


def _candidates(matrix: Floats, least_cosine: float, asked: Rows | None = None) -> tuple[Rows, Rows]:
    """Pairs of rows i < j whose bottlenecks, less the mean, have a high cosine; a few for each row that is asked for.

    By default these are all.
    """
    if len(matrix) < 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    centred = matrix - matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
    asked = np.arange(len(matrix)) if asked is None else asked
    found = nearest(centred, centred[asked], NEIGHBOURS + 1)  # the photo itself is one of them
    places, columns = np.nonzero(found.cosines >= least_cosine)
    pairs = np.sort(np.stack([asked[places], found.rows[places, columns]], axis=1), axis=1)
    pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
    return pairs[:, 0], pairs[:, 1]


def _normalised(thumbnails: Floats) -> Floats:
    """Thumbnails as rows of mean 0 and length 1, so that products are correlations; plain ones are 0."""
    rows = thumbnails.reshape(len(thumbnails), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    plain = lengths < LEAST_CONTRAST * np.sqrt(rows.shape[1])
    result: Floats = np.where(plain, 0, rows / np.maximum(lengths, 1e-12)).astype(np.float32)
    return result


def _thumbnails(photos: Sequence[Photo], bottleneck_dir: Path) -> Floats:
    """Those of these photos, (n, 32, 32), as they were kept or read now; black where one cannot be read."""
    rows = np.zeros((len(photos), THUMBNAIL**2), np.float32)
    found = np.zeros(len(photos), np.bool_)
    keys = [Key(photo.sha256, ORIGINAL_ID) for photo in photos]
    store = None
    with suppress(StoreError):  # then all are read, and not kept
        store = thumbnail_store(bottleneck_dir)
        _, found = store.get_many(keys, rows)
    read = []
    with photo_threads() as threads:
        lacking = np.flatnonzero(~found).tolist()
        small_ones = map_in_order(_thumbnail, [photos[row] for row in lacking], threads, AHEAD)
        for row, small in zip(lacking, small_ones, strict=True):
            if small is not None:
                rows[row] = small.ravel()
                read.append(row)
    if store is not None and read:
        with suppress(StoreError), store:
            store.put_many([keys[row] for row in read], rows[read])
    return rows.reshape(-1, THUMBNAIL, THUMBNAIL)


def _thumbnail(photo: Photo) -> Floats | None:
    if photo.gone:
        return None  # another one may be at its path
    try:
        with photo_bytes(photo.path) as data:
            header = read_header(data)
            if header.width * header.height > MOST_PIXELS:
                return None
            small: Floats = thumbnails(gray(square_copy(data))[np.newaxis])[0]
            return small
    except PhotoError:
        return None  # it could be read when its bottleneck was computed: changed or gone since then
