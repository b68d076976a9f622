"""Classes that have few photos, by themselves or beside the others."""

from collections.abc import Mapping

import numpy as np

from retrain.core.language import message, message_count
from retrain.insight.doctor.findings import Finding

FEW = 20  # photos; fewer leave 2 or 3 of a class for the test
MANY_TIMES = 5  # fewer photos than the median of the other classes


def imbalance_findings(class_counts: Mapping[str, int]) -> list[Finding]:
    """A finding for each class with few photos; the score is how many times more the median of the others is."""
    findings = []
    for label, photos in sorted(class_counts.items(), key=lambda item: (item[1], item[0])):
        # Of the others: of two classes the median of both is half of the larger one, or more.
        others = [count for other, count in class_counts.items() if other != label]
        median = float(np.median(others)) if others else 0.0
        times = median / max(1, photos)
        number = message_count("{count} photo", "{count} photos", photos)
        if times >= MANY_TIMES:
            said = message(
                "{label} has {number}, the median of the other classes {median:.0f}; "
                "--class_weight balanced helps a little.",
                label=label,
                number=number,
                median=median,
            )
        elif photos < FEW:
            said = message("{label} has {number}: too few for figures that can be trusted.", label=label, number=number)
        else:
            continue
        findings.append(Finding("imbalance", "", label, times, said))
    return findings
