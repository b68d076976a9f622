"""The figures of a head as its exports give them: in float32, whatever precision its bottlenecks have.

Bottlenecks in bfloat16 move some answers. With one split the test photos are measured again in float32, so that
`retrain evaluate` counts the same; where folds took turns, or test photos are very many, how much it changes is
measured on some of the photos.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.executors.base import StartEngine
from retrain.bottlenecks.in_float32 import are_as_exported, float32_rows
from retrain.core.errors import UnwritableStoreError
from retrain.core.evenly import spread
from retrain.training.fitting.sample import Rows
from retrain.training.metrics import measure
from retrain.training.paired import Change
from retrain.training.trained import Float32Change, TrainedHead

MEASURED_AGAIN = 20_000  # test photos of one split, at most: of more, some are compared, for the network runs on each
COMPARED = 256  # photos on which the precisions are compared, at most


def compared(rows: Sequence[int]) -> list[int]:
    """Those of the rows on which precisions are compared, whose float32 bottlenecks a run therefore has."""
    return [rows[index] for index in spread(len(rows), COMPARED)]


def as_exported(trained: TrainedHead, tta: bool = False, start: StartEngine | None = None) -> TrainedHead:
    """The same calibrated head; where its bottlenecks are not in float32, measured by those that are.

    `start` makes another engine than that of the bottlenecks' config. With `tta` the answers are means over views, of
    which an export has none: then they stay. So they do where the store can only be read, and lacks what it takes.
    Raises DatasetError if a photo has changed since.
    """
    if are_as_exported(trained.bottlenecks.backbone) or tta:
        return trained
    start = start or partial(start_engine, engine=trained.bottlenecks.config.engine)
    try:
        if trained.division.folds is None and len(trained.test_rows) <= MEASURED_AGAIN:
            return _measured_again(trained, start)
        return replace(trained, float32_change=_change(trained, start))
    except UnwritableStoreError:
        return trained


def _measured_again(trained: TrainedHead, start: StartEngine) -> TrainedHead:
    """With the answers to the test photos in float32; those that are gone keep the ones they have."""
    there = np.array([not trained.bottlenecks.photos[row].gone for row in trained.test_rows], np.bool_)
    if not there.any():
        return trained
    vectors = trained.bottlenecks.matrix[trained.test_rows].astype(np.float32)
    vectors[there] = float32_rows(trained.bottlenecks, trained.test_rows[there].tolist(), start)
    said = trained.head.probabilities(vectors)
    classes = trained.bottlenecks.classes[trained.test_rows]
    test = measure(said, classes, trained.labels, trained.division.groups_of(trained.test_rows))
    confidence = trained.confidence
    if confidence is not None and confidence.refused is not None:
        refused = int((confidence.familiar.similarity(vectors) < confidence.familiar.threshold).sum())
        confidence = replace(confidence, refused=refused)
    return replace(trained, test=test, test_probabilities=said, confidence=confidence)


def _change(trained: TrainedHead, start: StartEngine) -> Float32Change | None:
    """What float32 changes in the answers of the exported head; its photos are no test here, but a comparison."""
    there: Rows = np.flatnonzero([not photo.gone for photo in trained.bottlenecks.photos])
    if not len(there):
        return None
    rows = compared(there.tolist())
    truth = trained.bottlenecks.classes[rows]
    before = trained.head.probabilities(trained.bottlenecks.matrix[rows].astype(np.float32)).argmax(axis=1)
    after = trained.head.probabilities(float32_rows(trained.bottlenecks, rows, start)).argmax(axis=1)
    return Float32Change(int((before != after).sum()), Change.between(before == truth, after == truth))
