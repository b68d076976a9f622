"""The same picture more than once: the same bytes, or encoded again, resized or mirrored; what is said of it."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrain.bottlenecks.near_copies import near_pairs, united
from retrain.core.language import Message, message
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


def _sentence(photos: Sequence[Photo], sides: Sequence[str] | None, row: int, kept: int, group: Copies) -> Message:
    same = photos[row].sha256 == photos[kept].sha256
    photo = "/".join(Path(photos[kept].path).parts[-2:])
    said = message("The same bytes as {photo}", photo=photo)
    if not same:
        said = message("The same picture as {photo}", photo=photo)
    if photos[row].label != photos[kept].label:
        said = message("{sentence}, which is {label}", sentence=said, label=photos[kept].label)
    if _across_split(sides, row, kept):
        said = message("{sentence}; one of them is a test photo, the other is not", sentence=said)
    if same:
        return message("{sentence}.", sentence=said)
    return message("{sentence} (similarity {similarity:.3f}).", sentence=said, similarity=group.similarity)
