"""Whether colours alone tell the classes apart: then the network may have learnt backgrounds or light."""

import numpy as np

from retrain.insight.doctor.findings import Shortcut
from retrain.insight.doctor.looks import Looks
from retrain.insight.doctor.out_of_fold import out_of_fold
from retrain.photos.small_copies import Floats
from retrain.training.fitting.sample import Classes, Rows

L2 = 0.01


def check_shortcut(looks: Looks, classes: Classes, folds: Rows, probabilities: Floats) -> Shortcut:
    """Compare a head on colour histograms with the network's out-of-fold probabilities (n, classes)."""
    rows = np.flatnonzero(looks.readable)
    count = probabilities.shape[1]
    colours = out_of_fold(looks.histograms[rows], classes[rows], folds[rows], count, L2)
    return Shortcut(
        float((colours.argmax(axis=1) == classes[rows]).mean()),
        float((probabilities.argmax(axis=1) == classes).mean()),
        float(np.bincount(classes).max() / len(classes)),
    )
