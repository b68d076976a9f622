"""The whole examination, one step after the other."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from retrain.bottlenecks.extraction import Extraction
from retrain.core.blas import threads_for
from retrain.core.language import Message, message
from retrain.core.timing import timed
from retrain.insight.doctor.duplicates import copy_findings, find_copies
from retrain.insight.doctor.findings import KINDS, Diagnosis, Finding
from retrain.insight.doctor.imbalance import imbalance_findings
from retrain.insight.doctor.label_errors import LEAST_GROUPS, label_findings
from retrain.insight.doctor.looks import look_at
from retrain.insight.doctor.out_of_fold import Asked, asked_in_training, groups_with_copies, out_of_fold
from retrain.insight.doctor.outliers import LEAST_PHOTOS, can_judge, neighbour_distances, outlier_findings
from retrain.insight.doctor.photo_quality import quality_findings, unreadable_findings
from retrain.insight.doctor.shortcut import check_shortcut
from retrain.photos.classes import class_indices
from retrain.photos.folds import deal_folds
from retrain.training.fitting.sample import Classes
from retrain.training.trained import TrainedHead

LOOKED_AT, COMPARED, ASKED = 0.6, 0.7, 0.9  # about which shares of the time have passed then
COLOURS_NOT_JUDGED = message(
    "Colours are not judged with fewer than {least} photos of a class, on average.", least=LEAST_GROUPS
)
TOO_FEW_PHOTOS = message("Outliers and colours are not judged with fewer than {least} photos.", least=LEAST_PHOTOS)


def diagnose(
    extraction: Extraction,
    sides: Sequence[str] | None,
    input_size: int,
    seed: int = 0,
    observe: Callable[[int], None] = lambda done: None,
    trained: TrainedHead | None = None,
    kept_in: Path | None = None,
) -> Diagnosis:
    """Examine photos by their bottlenecks, and by one look at each; `observe` is told how far it is, in photos.

    `sides` has the side of the split of each photo, and is None where accuracy is cross-validated: then all photos
    are trained on and tested. `input_size` is that of the network, in pixels. `trained` is a head that was trained on
    these photos: answers of its folds are not asked for again. Looks are kept in the folder of a store, `kept_in`.
    """
    seconds: dict[str, float] = {}
    photos, matrix = extraction.photos, extraction.matrix
    labels = sorted({photo.label for photo in photos})
    classes = class_indices(photos, labels)
    findings: list[Finding] = unreadable_findings(extraction.skipped)
    told = partial(_tell, observe, len(photos))
    with timed(seconds, "looks"):
        looks = look_at(photos, kept_in, lambda done: told(LOOKED_AT * done / len(photos)))
    gone = sum(photo.gone for photo in photos)
    remarks = _not_seen(gone, int((~looks.readable).sum()) - gone)
    findings += quality_findings(photos, looks, input_size)
    with timed(seconds, "copies"):
        copies = find_copies(photos, matrix, looks)
    told(COMPARED)
    groups = groups_with_copies(photos, copies)
    with timed(seconds, "labels"):
        asked = None if trained is None else asked_in_training(trained, labels)
        if asked is None or not asked.keeps_together(groups):
            asked = _ask(extraction, classes, groups, len(labels), seed)
        folds, probabilities = asked.deals[0], asked.probabilities
        suspected, more = label_findings(photos, labels, matrix, probabilities, classes, groups)
    told(ASKED)
    findings += suspected
    remarks += more
    findings += copy_findings(photos, sides, copies, probabilities[np.arange(len(photos)), classes])
    shortcut = None
    if len(photos) >= LEAST_PHOTOS:
        with timed(seconds, "outliers"), threads_for(matrix.size):
            distances = neighbour_distances(matrix, classes, folds)
            findings += outlier_findings(photos, distances)
        if not can_judge(distances):
            remarks.append(message("Outliers are not judged: too many of the photos are copies."))
        if len(photos) < LEAST_GROUPS * len(labels):  # heads believe least in the class of which they have not seen one
            remarks.append(COLOURS_NOT_JUDGED)
        elif not gone and looks.readable.any():  # of some classes alone it would be another question
            with timed(seconds, "shortcut"):
                shortcut = check_shortcut(looks, classes, folds, probabilities)
    else:
        remarks.append(TOO_FEW_PHOTOS)
    counts = dict(Counter(photo.label for photo in photos))
    findings += imbalance_findings(counts)
    told(1)
    order = {kind: place for place, kind in enumerate(KINDS)}
    findings.sort(key=lambda finding: (order[finding.kind], -finding.score, finding.path))
    return Diagnosis(photos, counts, tuple(findings), copies, shortcut, tuple(remarks), seconds)


def _tell(observe: Callable[[int], None], photos: int, share: float) -> None:
    observe(math.floor(share * photos))


def _ask(extraction: Extraction, classes: Classes, groups: Sequence[str], count: int, seed: int) -> Asked:
    """Deal the photos into folds, and ask a head about each."""
    folds = np.array(deal_folds(extraction.photos, groups, f"doctor {seed}"), np.intp)
    said = out_of_fold(extraction.matrix, classes, folds, count, widths=extraction.widths)
    return Asked(folds[np.newaxis], said)


def _not_seen(gone: int, unread: int) -> list[Message]:
    """What is said of photos that could not be looked at."""
    remarks = []
    if gone:
        remarks.append(
            message(
                "{gone:,} photos are gone: their labels and bottlenecks are examined, what takes pixels is not (copies "
                "other than of the same bytes, quality, colours).",
                gone=gone,
            )
        )
    if unread:
        remarks.append(message("{unread} photos could not be read again: they were changed or removed.", unread=unread))
    return remarks
