"""The same picture more than once: the same bytes, or encoded again, resized or mirrored; what is said of it."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrain.bottlenecks.near_copies import near_pairs, united
from retrain.insight.doctor.findings import Copies, Finding
from retrain.insight.doctor.looks import Looks
from retrain.photos.dataset import Photo
from retrain.photos.fixes import REMOVE
from retrain.photos.small_copies import Floats


def find_copies(photos: Sequence[Photo], matrix: Floats, looks: Looks) -> tuple[Copies, ...]:
    """The groups of photos that are the same picture; the best one of each first, by pixels and then by path.

    `matrix` (n, dim) are the bottlenecks.
    """
    by_content: dict[str, list[int]] = defaultdict(list)
    for row, photo in enumerate(photos):
        by_content[photo.sha256].append(row)
    contents = np.array([rows[0] for rows in by_content.values()], np.intp)
    pairs = near_pairs(matrix[contents], looks.thumbnails[contents])
    group_of = united(len(contents), pairs)
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
