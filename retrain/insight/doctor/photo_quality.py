"""Photos that are technically poor: empty, blurred, tiny, huge, without colour, lying on their side."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retrain.core.language import Message, message, translatable
from retrain.insight.doctor.findings import Finding
from retrain.insight.doctor.looks import Looks
from retrain.insight.doctor.outliers import quartile_scores
from retrain.insight.retold import Retold
from retrain.photos.dataset import Photo, Skipped

BLURRED = 2.0  # quartile ranges below the lower quartile of log sharpness
SHARP_ENOUGH = 60.0  # variance of the Laplacian at 160 x 160 from which on no photo is called blurred
HUGE_PIXELS = 40_000_000
BLANK = 8.0  # levels of 0..255 that nearly all pixels of a photo of one colour are within
DARK, BRIGHT = 32.0, 223.0
COLOURLESS = 2.0  # mean distance of the channels, in levels of 0..255
FEW = 0.5  # a property of more photos than this share is one of the set, and not a finding
TURNED = {
    2: translatable("mirrored"),
    3: translatable("upside down"),
    4: translatable("upside down and mirrored"),
    5: translatable("on its side and mirrored"),
    6: translatable("on its side"),
    7: translatable("on its side and mirrored"),
    8: translatable("on its side"),
}


def unreadable_findings(skipped: Sequence[Skipped]) -> list[Finding]:
    """A finding for each file that is left out."""
    return [
        Finding("unreadable", item.path, "", 0.0, message("This file {reason}.", reason=Retold(item.reason)))
        for item in skipped
    ]


def quality_findings(photos: Sequence[Photo], looks: Looks, input_size: int) -> list[Finding]:
    """What is poor about photos, for a network that sees squares of `input_size` pixels."""
    return [
        *_blank(photos, looks),
        *_blurred(photos, looks),
        *_tiny(photos, looks, input_size),
        *_huge(photos, looks),
        *_colourless(photos, looks),
        *_turned(photos, looks),
    ]


def _blank(photos: Sequence[Photo], looks: Looks) -> list[Finding]:
    """The score is how far within the limit nearly all pixels are."""
    found = np.flatnonzero(_is_blank(looks))
    brightness = looks.thumbnails.mean(axis=(1, 2))

    def said(row: int) -> Message:
        if brightness[row] < DARK:
            return message("This photo is black everywhere.")
        if brightness[row] > BRIGHT:
            return message("This photo is white everywhere.")
        return message("This photo is one colour everywhere.")

    return [
        _finding("blank", photos, int(row), BLANK - float(looks.spans[row]), said(int(row)))
        for row in sorted(found, key=lambda row: looks.spans[row])
    ]


def _is_blank(looks: Looks) -> npt.NDArray[np.bool_]:
    return looks.readable & (looks.spans < BLANK)


def _blurred(photos: Sequence[Photo], looks: Looks) -> list[Finding]:
    """The score is the log of how much sharper the median photo is."""
    rows = np.flatnonzero(looks.readable)
    if not len(rows):
        return []
    sharpness = np.log(np.maximum(looks.sharpness[rows], 1e-3)).astype(np.float64)
    scores, median = quartile_scores(-sharpness), float(np.median(sharpness))
    blurred = (scores > BLURRED) & (looks.sharpness[rows] < SHARP_ENOUGH) & ~_is_blank(looks)[rows]
    return [
        _finding(
            "blurred", photos, int(rows[place]), median - float(sharpness[place]),
            message(
                "Its sharpness is 1/{times:.0f} of the median photo's.", times=float(np.exp(median - sharpness[place]))
            ),
        )
        for place in sorted(np.flatnonzero(blurred), key=lambda place: sharpness[place])
    ]  # fmt: skip


def _tiny(photos: Sequence[Photo], looks: Looks, input_size: int) -> list[Finding]:
    """The score is how many times the shorter side would have to grow for the network."""
    shorter = np.minimum(looks.widths, looks.heights)
    found = np.flatnonzero(looks.readable & (2 * shorter < input_size))
    return [
        _finding(
            "tiny", photos, int(row), input_size / max(1, int(shorter[row])),
            message(
                "{width} x {height} pixels; the network sees {seen} x {seen}.",
                width=int(looks.widths[row]), height=int(looks.heights[row]), seen=input_size,
            ),
        )
        for row in sorted(found, key=lambda row: shorter[row])
    ]  # fmt: skip


def _huge(photos: Sequence[Photo], looks: Looks) -> list[Finding]:
    """The score is the number of megapixels."""
    pixels = looks.widths * looks.heights
    found = np.flatnonzero(looks.readable & (pixels > HUGE_PIXELS))
    return [
        _finding(
            "huge", photos, int(row), float(pixels[row]) / 1e6,
            message(
                "{width} x {height} pixels, far more than needed: it only costs time.",
                width=int(looks.widths[row]), height=int(looks.heights[row]),
            ),
        )
        for row in sorted(found, key=lambda row: -pixels[row])
    ]  # fmt: skip


def _colourless(photos: Sequence[Photo], looks: Looks) -> list[Finding]:
    """The score is how far below the limit the colour is."""
    found = np.flatnonzero(looks.readable & (looks.colourfulness < COLOURLESS) & ~_is_blank(looks))
    if len(found) > FEW * max(1, int(looks.readable.sum())):
        return []
    colourless = message("This photo has hardly any colours.")
    return [
        _finding("gray", photos, int(row), COLOURLESS - float(looks.colourfulness[row]), colourless)
        for row in sorted(found, key=lambda row: looks.colourfulness[row])
    ]


def _turned(photos: Sequence[Photo], looks: Looks) -> list[Finding]:
    found = np.flatnonzero(looks.readable & (looks.orientations != 1))
    return [
        _finding(
            "rotated", photos, int(row), 1.0,
            message(
                "It is stored {how}, as its EXIF orientation says. This project turns it; programs that ignore EXIF "
                "do not.",
                how=message(TURNED[int(looks.orientations[row])]),
            ),
        )
        for row in found
    ]  # fmt: skip


def _finding(kind: str, photos: Sequence[Photo], row: int, score: float, said: Message) -> Finding:
    return Finding(kind, photos[row].path, photos[row].label, score, said, row)
