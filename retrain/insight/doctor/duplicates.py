"""The same picture more than once: the same bytes, or encoded again, resized or mirrored.

Two photos whose bottlenecks point the same way are candidates; they are copies if small gray thumbnails of
them agree as well, as they are or mirrored. On 12 cat breeds with 300 planted copies the thumbnails of copies
correlate with 0.998 and more, those of different photos with 0.96 at most (docs/doctor.md).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrain.insight.doctor.findings import Copies, Finding
from retrain.insight.doctor.looks import Floats, Looks
from retrain.photos.dataset import Photo
from retrain.photos.fixes import REMOVE

LEAST_COSINE = 0.3  # of centred bottlenecks; copies at a third of the size still have 0.43
LEAST_CORRELATION = 0.95  # of thumbnails
LEAST_CONTRAST = 4.0  # standard deviation of a thumbnail, in grey levels; plain ones correlate by chance
NEIGHBOURS = 20  # candidates for each photo
BLOCK = 1024  # photos compared at a time


@dataclass(frozen=True)
class Pair:
    """Two rows that show the same picture; `similarity` is the correlation of their thumbnails."""

    one: int
    other: int
    similarity: float


def find_copies(photos: Sequence[Photo], matrix: Floats, looks: Looks) -> tuple[Copies, ...]:
    """The groups of photos that are the same picture; the best one of each first, by pixels and then by path.

    `matrix` (n, dim) are the bottlenecks.
    """
    by_content: dict[str, list[int]] = defaultdict(list)
    for row, photo in enumerate(photos):
        by_content[photo.sha256].append(row)
    contents = np.array([rows[0] for rows in by_content.values()], np.intp)
    pairs = near_pairs(matrix[contents], looks.thumbnails[contents])
    group_of = _unite(len(contents), pairs)
    weakest = np.ones(len(contents))
    for pair in pairs:
        # Below 1, so that only the same bytes are called exact.
        group = group_of[pair.one]
        weakest[group] = min(weakest[group], pair.similarity, np.nextafter(1, 0))
    members: dict[int, list[int]] = defaultdict(list)
    for index, rows in enumerate(by_content.values()):
        members[group_of[index]] += rows
    pixels = looks.widths * looks.heights
    return tuple(
        Copies(tuple(sorted(rows, key=lambda row: (-pixels[row], photos[row].path))), float(weakest[group]))
        for group, rows in members.items()
        if len(rows) > 1
    )


def near_pairs(matrix: Floats, thumbnails: Floats) -> list[Pair]:
    """Rows that show the same picture, of bottlenecks (n, dim) and thumbnails (n, 32, 32)."""
    ones, others = _candidates(matrix)
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


def copy_findings(
    photos: Sequence[Photo], sides: Sequence[str] | None, copies: Sequence[Copies], own_probability: Floats | None
) -> list[Finding]:
    """A finding for each copy that could go; the score is the similarity.

    `sides` are those of the split, None where there are none. Of copies in several classes the one stays whose class
    the head believes most, by `own_probability` (n,) where there is one.
    """
    findings = []
    for group in copies:
        rows = list(group.rows)
        classes = {photos[row].label for row in rows}
        if len(classes) > 1 and own_probability is not None:
            rows.sort(key=lambda row: -own_probability[row])
        kept = rows[0]
        for row in rows[1:]:
            if photos[row].label != photos[kept].label:
                kind = "copy_across_classes"
            elif _across_split(sides, row, kept):
                kind = "copy_across_split"
            else:
                kind = "copy"
            findings.append(
                Finding(
                    kind,
                    photos[row].path,
                    photos[row].label,
                    group.similarity,
                    _sentence(photos, sides, row, kept, group),
                    row,
                    REMOVE,
                    tuple(other for other in rows if other != row)[:3],
                )
            )
    return findings


def _across_split(sides: Sequence[str] | None, row: int, kept: int) -> bool:
    return sides is not None and (sides[row] == "testing") != (sides[kept] == "testing")


def _sentence(photos: Sequence[Photo], sides: Sequence[str] | None, row: int, kept: int, group: Copies) -> str:
    same = photos[row].sha256 == photos[kept].sha256
    how = "The same bytes as" if same else "The same picture as"
    sentence = f"{how} {'/'.join(Path(photos[kept].path).parts[-2:])}"
    if photos[row].label != photos[kept].label:
        sentence += f", which is {photos[kept].label}"
    if _across_split(sides, row, kept):
        sentence += "; one of them is a test photo, the other is not"
    return f"{sentence}." if same else f"{sentence} (similarity {group.similarity:.3f})."


def _candidates(matrix: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pairs of rows i < j whose bottlenecks, less the mean, have a high cosine; a few for each row."""
    n = len(matrix)
    if n < 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    directions = matrix - matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    most = min(NEIGHBOURS, n - 1)
    found: set[tuple[int, int]] = set()
    for start in range(0, n, BLOCK):
        cosines = directions[start : start + BLOCK] @ directions.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -1
        nearest = np.argpartition(cosines, n - most, axis=1)[:, n - most :]
        block_rows, places = np.nonzero(np.take_along_axis(cosines, nearest, axis=1) >= LEAST_COSINE)
        columns = nearest[block_rows, places]
        block_rows += start
        lows, highs = np.minimum(block_rows, columns), np.maximum(block_rows, columns)
        found.update(zip(lows.tolist(), highs.tolist(), strict=True))
    pairs = np.array(sorted(found), np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _normalised(thumbnails: Floats) -> Floats:
    """Thumbnails as rows of mean 0 and length 1, so that products are correlations; plain ones are 0."""
    rows = thumbnails.reshape(len(thumbnails), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    plain = lengths < LEAST_CONTRAST * np.sqrt(rows.shape[1])
    result: Floats = np.where(plain, 0, rows / np.maximum(lengths, 1e-12)).astype(np.float32)
    return result


def _unite(n: int, pairs: Sequence[Pair]) -> list[int]:
    """The group of each of n items, named by its lowest member; pairs are in one group."""
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
