import json
import time

import numpy as np

from retrain.training.head import Head, Progress
from retrain.training.metrics import measure
from retrain.training.on_photos.keras_training import Epoch, Training
from retrain.training.on_photos.small_cnn import FromScratch
from retrain.training.on_photos.timed_curve import (
    CurvePoint,
    TimedCurve,
    comparison_json,
    comparison_table,
    scratch_contender,
    transfer_contender,
)

METRICS = measure(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32), np.array([0, 1, 1]), ("a", "b"))
NOTHING = measure(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), ("a", "b"))
EPOCHS = (Epoch(0, None, None, 0.7, 0.5, 0.1), Epoch(1, 0.6, 0.6, 0.5, 0.8, 12.0), Epoch(2, 0.5, 0.7, 0.6, 0.7, 24.0))
SCRATCH = FromScratch(METRICS, METRICS, 1000, 900, Training(EPOCHS, EPOCHS[1], "patience"))
HEAD = Head(np.zeros((5, 2), np.float32), np.zeros(2, np.float32))


def test_a_timed_curve_notes_when_each_point_was_reached() -> None:
    seen = []
    curve = TimedCurve(before=30.0, then=seen.append)
    for step in range(2):
        time.sleep(0.02)
        curve(Progress(step, 0.9, 0.3, None if step else 0.8, None if step else 0.4))
    assert [progress.step for progress in seen] == [0, 1]
    assert 30.02 <= curve.points[0].seconds < curve.points[1].seconds < 35
    assert curve.points[0].validation_accuracy == 0.8 and curve.points[1].validation_accuracy is None
    assert curve.points[1].training_cross_entropy == 0.3


def test_the_table_has_both_models_side_by_side() -> None:
    rows = comparison_table([transfer_contender(2000, HEAD, METRICS, TimedCurve(), 31.4), scratch_contender(SCRATCH)])
    assert rows[0] == ("model", "parameters", "trainable", "test loss", "test accuracy", "95 % interval", "seconds")
    assert rows[1] == ("transfer", "2,012", "12", "0.415", "66.7%", "20.8% to 93.9%", "31")
    assert rows[2] == ("from scratch", "1,000", "900", "0.415", "66.7%", "20.8% to 93.9%", "24")


def test_without_test_photos_the_table_says_so() -> None:
    row = comparison_table([transfer_contender(2000, HEAD, NOTHING, TimedCurve(), 1.0)])[1]
    assert row[3:6] == ("no photos",) * 3


def test_the_json_holds_the_curves() -> None:
    curve = TimedCurve(points=[CurvePoint(1.0, 0.9, 0.8, 0.1, 0.2)])
    transfer, scratch = json.loads(
        json.dumps(
            comparison_json([transfer_contender(2000, HEAD, METRICS, curve, 2.0, cached=7), scratch_contender(SCRATCH)])
        )
    )
    assert transfer["parameters"] == {"total": 2012, "trainable": 12}
    assert transfer["remark"] == "7 bottlenecks came from the cache"
    assert transfer["curve"]["points"][0]["validation_accuracy"] == 0.8
    assert [point["seconds"] for point in scratch["curve"]["points"]] == [0.1, 12.0, 24.0]
    assert scratch["curve"]["points"][0]["training_accuracy"] is None
    assert scratch["test"]["n"] == 3 and scratch["seconds"] == 24.0
