"""Labels that are probably wrong, found by confident learning.

How many there are is counted as in Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels" (JAIR 70, 2021), equations 1 and 2: a photo counts as one of class j if its probability of j is at
least the mean probability of j over the photos that are labelled j; where that holds for several classes, as one of
the most probable. Photos labelled i that count as j are suspected. That is a number; which photos they are is
said better by the ratio of the probabilities: that of the most probable other class to that of the label. All photos
with a ratio of CERTAIN or more are suspected, also where confident learning counts fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrain.core.language import Message, message
from retrain.core.unit_rows import unit_rows
from retrain.insight.doctor.findings import Finding
from retrain.photos.dataset import Photo
from retrain.photos.fixes import RELABEL
from retrain.photos.small_copies import Floats
from retrain.training.fitting.sample import Classes, Rows

LEAST_GROUPS = 5  # different photos of a class without which nothing is said of it
LEAST_PROBABILITY = 1e-6
BLOCK = 512  # photos whose cosines to all of a class are held at a time
CERTAIN = 20  # times as probable as its label: another class that is, is reported whatever the count says


@dataclass(frozen=True)
class Suspicion:
    """What is suspicious about labels.

    `ratios` (n,) is log(p of the best other class / p of the label): above 0 the head disagrees. `better` (n,) is
    that other class. `rows` are the photos whose labels are suspected, the most suspicious first.
    """

    ratios: Floats
    better: Classes
    rows: Rows


def suspect_labels(probabilities: Floats, classes: Classes) -> Suspicion:
    """Which of the labels `classes` (n,) contradict out-of-fold probabilities (n, count)."""
    rows = np.arange(len(classes))
    own = np.maximum(probabilities[rows, classes], LEAST_PROBABILITY)
    others = probabilities.copy()
    others[rows, classes] = -1
    better = others.argmax(axis=1)
    ratios = np.log(np.maximum(others[rows, better], LEAST_PROBABILITY) / own)
    suspected = max(count_errors(probabilities, classes), int((ratios >= np.log(CERTAIN)).sum()))
    most_suspicious = np.argsort(-ratios, kind="stable")[:suspected]
    return Suspicion(ratios, better, most_suspicious[ratios[most_suspicious] > 0])


def count_errors(probabilities: Floats, classes: Classes) -> int:
    """How many labels are wrong by the off-diagonal of the confident joint (Northcutt et al. 2021, eq. 1)."""
    thresholds = np.full(probabilities.shape[1], np.inf)
    for index in np.unique(classes):
        thresholds[index] = probabilities[classes == index, index].mean(dtype=np.float64)
    confident = probabilities >= thresholds
    counted_as = np.where(confident, probabilities, -1).argmax(axis=1)
    return int((confident.any(axis=1) & (counted_as != classes)).sum())


def label_findings(
    photos: Sequence[Photo],
    labels: Sequence[str],
    matrix: Floats,
    probabilities: Floats,
    classes: Classes,
    groups: Sequence[str],
) -> tuple[list[Finding], list[Message]]:
    """A finding for each suspected label, and remarks; the score is the log ratio of `Suspicion`.

    Photos of classes with too few groups are left out. Beside each photo goes the one of the class that it looks like
    whose bottleneck, in `matrix` (n, dim), is nearest.
    """
    groups_of: list[set[str]] = [set() for _ in labels]
    for group, index in zip(groups, classes.tolist(), strict=True):
        groups_of[index].add(group)
    judged = np.array([len(members) >= LEAST_GROUPS for members in groups_of])
    remarks = []
    if not judged.all():
        names = [label for label, enough in zip(labels, judged.tolist(), strict=True) if not enough]
        few: str | Message = ", ".join(names[:5])
        if len(names) > 5:
            few = message("{names} … ({number:,} classes)", names=few, number=len(names))
        remarks.append(
            message(
                "Labels of classes with fewer than {least} different photos are not judged: {names}.",
                least=LEAST_GROUPS,
                names=few,
            )
        )
    rows = np.flatnonzero(judged[classes])
    if not len(rows):
        return [], remarks
    suspicion = suspect_labels(probabilities[rows], classes[rows])
    nearest = nearest_of_class(matrix, classes, rows[suspicion.rows], suspicion.better[suspicion.rows])
    findings = []
    for place in suspicion.rows:
        row, better = int(rows[place]), int(suspicion.better[place])
        photo, probability = photos[row], probabilities[row]
        findings.append(
            Finding(
                "label",
                photo.path,
                photo.label,
                float(suspicion.ratios[place]),
                message(
                    "Looks like {better} ({probability:.0%}), not like {label} ({own}).",
                    better=labels[better],
                    probability=float(probability[better]),
                    label=photo.label,
                    own=_percent(float(probability[classes[row]])),
                ),
                row,
                RELABEL + labels[better],
                (nearest[row],) if row in nearest else (),
            )
        )
    return findings, remarks


def nearest_of_class(matrix: Floats, classes: Classes, rows: Rows, wanted: Classes) -> dict[int, int]:
    """For each of these rows the nearest one of the class that is wanted for it, by the cosine of bottlenecks.

    Those of `rows`, which are suspected of being in the wrong class, stand for it only where it has no others.
    """
    suspected = np.zeros(len(classes), bool)
    suspected[rows] = True
    found: dict[int, int] = {}
    for index in np.unique(wanted):
        members = np.flatnonzero(classes == index)
        if not len(members):
            continue
        trusted = members[~suspected[members]]
        pool = trusted if len(trusted) else members
        asked, directions = rows[wanted == index], unit_rows(matrix[pool])
        for start in range(0, len(asked), BLOCK):
            block = asked[start : start + BLOCK]
            best = (unit_rows(matrix[block]) @ directions.T).argmax(axis=1)
            found.update(zip(block.tolist(), pool[best].tolist(), strict=True))
    return found


def _percent(share: float) -> Message:
    if share < 0.001:
        return message("less than 0.1%")
    return Message("{share:.0%}" if share >= 0.01 else "{share:.1%}", (("share", share),))
