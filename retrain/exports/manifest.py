"""The manifest `model.json`: what a reader of the export needs, and where the model came from."""

from collections.abc import Sequence

import numpy as np

from label_image.installing import versions
from retrain.core.outputs import FORMAT
from retrain.exports.options import options_of
from retrain.photos.dataset import dataset_digest
from retrain.photos.division import division_digest
from retrain.photos.record import NAME
from retrain.training.metrics import most_confused
from retrain.training.trained import TrainedHead
from retrain.training.unknown import OUTPUT

FORMAT_VERSION = 1
PACKAGES = ("retrain", "tensorflow", "keras", "numpy", "pillow", "scipy")


def manifest(trained: TrainedHead, formats: Sequence[str]) -> dict[str, object]:
    """The manifest without its parity proof, as plain JSON.

    It holds no path and no time, so equal data, options and versions give an equal manifest.
    """
    bottlenecks, division = trained.bottlenecks, trained.division
    backbone = bottlenecks.backbone
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "architecture": backbone.architecture,
        "preprocessing": str(backbone.preprocessing),
        "input": {"name": "image", "size": backbone.input_size, "channels": "RGB", "range": [0, 255]},
        "labels": list(trained.labels),
        "formats": list(formats),
        "head": trained.fit.description,
        "metrics": _metrics(trained),
        **_confidence(trained),
        "provenance": {
            "dataset_digest": dataset_digest(bottlenecks.photos),
            "photos": len(bottlenecks.photos),
            "photos_of_classes": np.bincount(bottlenecks.classes, minlength=len(trained.labels)).tolist(),
            **({"photos_gone": bottlenecks.gone} if bottlenecks.gone else {}),
            "dataset": NAME,
            **({} if bottlenecks.dataset.ordinary else {"read_as": bottlenecks.dataset.reading}),
            "weights_sha256": backbone.weights_sha256,
            "precision": backbone.compute_dtype,
            "bottleneck_fingerprint": bottlenecks.extraction.fingerprint,
            **division.plain(),
            **({"split_digest": division_digest(bottlenecks.photos, division)} if division.given else {}),
            "options": options_of(trained, formats),
            "versions": versions(PACKAGES),
        },
    }


def _metrics(trained: TrainedHead) -> dict[str, object]:
    """How good it is; `confused`: true class, answered class and number of the most frequent mistakes.

    `remarks` are on what was divided how, and so on what the figures do not know of.
    """
    return {
        "validation": {**trained.validation.headline(), "cross_entropy": trained.validation.cross_entropy},
        "test": {**trained.test.headline(), "cross_entropy": trained.test.cross_entropy},
        "confused": [list(pair) for pair in most_confused(trained.test)],
        **({"remarks": list(remarks)} if (remarks := trained.division.remarks) else {}),
        **({"float32_change": change.plain()} if (change := trained.float32_change) else {}),
    }


def _confidence(trained: TrainedHead) -> dict[str, object]:
    """How the probabilities were calibrated, and below which similarity a photo is none of the classes."""
    confidence = trained.confidence
    if confidence is None:
        return {}
    return {
        "calibration": {
            "method": "temperature scaling, part of the head",
            "temperature": confidence.calibration.temperature,
            "photos": confidence.calibration.photos,
            "test_ece_before": confidence.ece_before,
            "test_ece": trained.test.ece,
            "test_ece_by_chance": trained.test.ece_by_chance,
        },
        "unknown": {
            "method": "cosine of the bottleneck to the nearest class mean",
            "output": OUTPUT,
            "threshold": confidence.familiar.threshold,
            "photos": confidence.familiar.photos,
            "test_photos_refused": confidence.refused,
        },
    }
