"""One press of the button: a head for the photos that have a label, and what the page shows of it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from retrain.core.errors import StudioError
from retrain.core.language import translated
from retrain.core.progress import TrainingPoint
from retrain.insight.retold import retold
from retrain.photos.dataset import Photo
from retrain.photos.split import SplitConfig
from retrain.studio.config import StudioConfig
from retrain.studio.listing import Listing
from retrain.studio.seeing import Seen
from retrain.training.fitting.sample import Classes
from retrain.training.head import Matrix
from retrain.training.recipe import HeadConfig
from retrain.training.trained import TrainedHead
from retrain.training.whole_training import train_and_measure

MOST_MISTAKES = 50


def train(
    seen: Seen, config: StudioConfig, observe: Callable[[TrainingPoint], None] = lambda point: None
) -> TrainedHead:
    """A head for the labelled photos, cross-validated and calibrated, without TensorFlow.

    `observe` gets the points of its curve: an L2 strength each, by which photos that were not seen were answered for.
    What float32 changes is not measured: that may need the network, and `as_exported` does it before an export.
    Raises StudioError without a second class, DatasetError for names of classes that cannot be told apart.
    """
    bottlenecks = seen.labelled(config.extraction)
    if bottlenecks is None:
        found = f"Only the class {seen.classes[0]!r} has" if seen.classes else "No class has"
        raise StudioError(f"{found} photos that can be used: put photos into a second class, and train again.")
    division = bottlenecks.split(SplitConfig())

    def of_curve(point: TrainingPoint) -> None:
        if point.validation_accuracy is not None:  # the last fit, to all photos, has none
            observe(point)

    return train_and_measure(bottlenecks, division, HeadConfig(), observe=of_curve, in_float32=False)


def is_current(trained: TrainedHead, listing: Listing) -> bool:
    """Whether the labelled photos are still those that the head was trained on."""
    return trained.bottlenecks.dataset.files == tuple(photo.file for photo in listing.photos if photo.label is not None)


def result(trained: TrainedHead, listing: Listing, seconds: float) -> dict[str, Any]:
    """What the page shows of a training, as JSON; photos by their ids, if they are where they were.

    Where folds took turns each photo was answered for by several heads that had not seen it: `accuracy` counts all of
    their answers, `perClass`, `confusion` and `mistakes` the mean of them. Of a class that was not tested, both figures
    are null.
    """
    photos, test, labels = trained.bottlenecks.photos, trained.test, trained.labels
    given, said = _answers(trained)
    confusion = np.bincount(given * len(labels) + said, minlength=len(labels) ** 2).reshape(len(labels), len(labels))
    photos_of = np.bincount(trained.bottlenecks.classes, minlength=len(labels))
    return {
        "isCurrent": is_current(trained, listing),
        "photos": len(photos),
        "classes": list(labels),
        "accuracy": test.accuracy,
        "interval": None if test.interval is None else list(test.interval),
        "seconds": round(seconds, 2),
        "perClass": [
            {"label": label, "photos": int(count), "recall": recall, "precision": precision}
            for label, count, (recall, precision) in zip(labels, photos_of, _shares(confusion), strict=True)
        ],
        "confusion": confusion.tolist(),
        "mistakes": _mistakes(trained, listing, given, said),
        "remarks": remarks_on(trained),
        "more": None,
    }


def _shares(confusion: Classes) -> list[tuple[float, float] | tuple[None, None]]:
    """Recall and precision of each class of a confusion matrix (classes, classes); None of one that was not tested."""
    hits, tested, said = np.diag(confusion).tolist(), confusion.sum(axis=1).tolist(), confusion.sum(axis=0).tolist()
    return [
        (hit / photos, hit / max(1, answers)) if photos else (None, None)
        for hit, photos, answers in zip(hits, tested, said, strict=True)
    ]


def _answers(trained: TrainedHead) -> tuple[Classes, Classes]:
    """The class of each test photo, and what was said by heads that had not seen it."""
    said: Matrix = trained.test_probabilities
    return trained.bottlenecks.classes[trained.test_rows], said.argmax(axis=1)


def _mistakes(trained: TrainedHead, listing: Listing, given: Classes, said: Classes) -> list[list[object]]:
    """Id, class, answer and its probability of photos that were answered wrongly, the surest of them first."""
    id_of = {photo.file.path: photo.id for photo in listing.photos}
    labels, probabilities = trained.labels, trained.test_probabilities
    wrong = np.flatnonzero(given != said)
    wrong = wrong[np.argsort(-probabilities[wrong, said[wrong]], kind="stable")]
    found: list[list[object]] = []
    for place in wrong:
        photo: Photo = trained.bottlenecks.photos[trained.test_rows[place]]
        if photo.path in id_of:
            probability = round(float(probabilities[place, said[place]]), 4)
            found.append([id_of[photo.path], labels[given[place]], labels[said[place]], probability])
    return found[:MOST_MISTAKES]


def remarks_on(trained: TrainedHead) -> list[str]:
    """What has to be known of how good it is said to be, in the language of the moment."""
    remarks = [retold(remark) for remark in trained.division.remarks]
    accuracy, photos = trained.test.accuracy, trained.test.n
    given, said = _answers(trained)
    if accuracy is not None and round(photos * accuracy) != (given == said).sum():
        remarks.append(
            translated(
                "The accuracy counts all {answers} answers to each photo; the classes and the mistakes are those of "
                "their mean.",
                answers=trained.test.answers,
            )
        )
    if accuracy is None:
        remarks.append(
            translated(
                "How good this model is cannot be told yet: there are no photos to test it with. Add photos to each "
                "class."
            )
        )
    return remarks
